{{/*
Names, labels, images and quantities. What follows from the values of a variant is in _variants.tpl.
*/}}

{{- define "marline.name" -}}
{{- include "marline.short" (default .Chart.Name .Values.nameOverride) -}}
{{- end -}}

{{/* `<release>-<name>`; a release may have dots in its name, a Service may not. */}}
{{- define "marline.fullname" -}}
{{- $default := printf "%s-%s" .Release.Name (include "marline.name" .) | replace "." "-" -}}
{{- include "marline.short" (default $default .Values.fullnameOverride) -}}
{{- end -}}

{{/* A name of at most 63 characters; a cut one ends with a digest of the whole, so that two never become one. */}}
{{- define "marline.short" -}}
{{- if gt (len .) 63 -}}
{{- printf "%s-%s" (trunc 54 . | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- define "marline.serviceAccountName" -}}
{{- default (include "marline.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Labels of every object of the release. */}}
{{- define "marline.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "marline.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "marline.releaseLabels" -}}
app.kubernetes.io/name: {{ include "marline.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* What selects the pods of one endpoint. It can never change: a Deployment's selector is immutable.
     Takes {root, endpoint}. */}}
{{- define "marline.selectorLabels" -}}
{{ include "marline.releaseLabels" .root }}
marline.dev/endpoint: {{ .endpoint | quote }}
{{- end -}}

{{/* Labels of an object that belongs to one variant. Takes {root, variant}. */}}
{{- define "marline.variantLabels" -}}
{{ include "marline.labels" .root }}
marline.dev/endpoint: {{ .variant.endpoint | quote }}
{{- end -}}

{{/* Labels of a pod: nothing that changes with the chart's version, which would replace pods without need.
     Takes {root, variant}. */}}
{{- define "marline.podLabels" -}}
{{- $own := include "marline.selectorLabels" (dict "root" .root "endpoint" .variant.endpoint) | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/component" "server" -}}
{{- $_ := set $own "marline.dev/model" .variant.model -}}
{{- $_ := set $own "marline.dev/version" .variant.version -}}
{{- $_ := set $own "marline.dev/variant" .variant.variant -}}
{{- $own = merge $own (include "marline.flaggerLabel" . | fromYaml) -}}
{{- toYaml (merge $own .variant.podLabels) -}}
{{- end -}}

{{/* `repository:tag@digest`, of what is given. */}}
{{- define "marline.image" -}}
{{- .repository -}}
{{- with .tag }}:{{ . }}{{ end -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A CPU quantity (1, 0.3, "300m") in thousandths of a CPU. */}}
{{- define "marline.millicores" -}}
{{- $quantity := toString . -}}
{{- if hasSuffix "m" $quantity -}}
{{- trimSuffix "m" $quantity -}}
{{- else -}}
{{- mulf (float64 $quantity) 1000 | ceil | int64 -}}
{{- end -}}
{{- end -}}

{{/* A memory or disk quantity ("512Mi", "1G", 1073741824) in bytes. */}}
{{- define "marline.bytes" -}}
{{- $quantity := toString . -}}
{{- $unit := regexFind "[A-Za-z]+$" $quantity -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- $units = merge $units (dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776) -}}
{{- mulf (float64 (trimSuffix $unit $quantity)) (get $units $unit) | int64 -}}
{{- end -}}

{{/* A number of pods, or a percentage of them. */}}
{{- define "marline.intOrPercent" -}}
{{- if kindIs "string" . }}{{ quote . }}{{ else }}{{ int64 . }}{{ end -}}
{{- end -}}

{{/* Labels of the pod that drives a rollout of this release, which asks golden requests and reads manifests. */}}
{{- define "marline.rolloutLabels" -}}
app.kubernetes.io/name: marline-rollout
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}
