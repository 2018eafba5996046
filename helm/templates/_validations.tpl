{{/*
Rules that no schema can express: between keys, or with a sentence of their own. Every rule writes one line per problem,
and all problems are reported at once. The rules of one variant are in _validations_variant.tpl, those of its routes in
_validations_routes.tpl, those of Flagger in _validations_flagger.tpl.
*/}}

{{- define "marline.validate" -}}
{{- $problems := list -}}
{{- range splitList "\n" (include "marline.rules" .) -}}
{{- with trim . }}{{ $problems = append $problems . }}{{ end -}}
{{- end -}}
{{- with uniq $problems -}}
{{- fail (printf "\n%s" (join "\n" .)) -}}
{{- end -}}
{{- end -}}

{{- define "marline.rules" -}}
{{ include "marline.rules.missing" . }}
{{ include "marline.rules.names" . }}
{{ include "marline.rules.primary" . }}
{{ include "marline.rules.weights" . }}
{{ include "marline.rules.front" . }}
{{ include "marline.rules.ingress" . }}
{{- if not .Values.variants }}
variants is empty: name at least one endpoint with its model, version, variant and archive.sha256; `marline release` writes them.
{{ include "marline.rules.image" (dict "at" "image" "image" .Values.image) }}
{{- end }}
{{- $archives := dict }}
{{- if not (include "marline.rules.missing" . | trim) }}
{{- range $endpoint, $own := .Values.variants }}
{{- $v := include "marline.written" (dict "root" $ "endpoint" $endpoint) | fromYaml }}
{{- $at := printf "variants.%s" $endpoint }}
{{ include "marline.rules.image" (dict "at" (ternary (printf "%s.image" $at) "image" (hasKey $own "image")) "image" $v.image) }}
{{ include "marline.rules.variant" (dict "at" $at "variant" $v "root" $) }}
{{- if and $v.model $v.version $v.variant $v.archive }}
{{- $artifact := printf "%s %s %s" $v.model $v.version $v.variant }}
{{- $known := get $archives $artifact }}
{{- if and $known (ne $known (toString $v.archive.sha256)) }}
{{ $at }}.archive.sha256 differs from that of another endpoint with the same model, version and variant ({{ $artifact }}): a version never changes; raise the version.
{{- end }}
{{- $_ := set $archives $artifact (toString $v.archive.sha256) }}
{{- end }}
{{- end }}
{{ include "marline.rules.routes" . }}
{{ include "marline.rules.flagger" . }}
{{- end }}
{{- end -}}

{{/* An image that can be named. Takes {at, image}. */}}
{{- define "marline.rules.image" -}}
{{- if not .image.repository }}
{{ .at }}.repository is empty, and the chart has no image of its own: build one with `make image` and let `marline release` write image.repository and image.digest into the values.
{{- else if not (or .image.tag .image.digest) }}
{{ .at }}.tag and {{ .at }}.digest are both empty: give the digest of the image, or at least its tag.
{{- else if and (eq (toString .image.tag) "latest") (not .image.digest) }}
{{ .at }}.tag is latest, which moves: give another tag, or {{ .at }}.digest besides it.
{{- end }}
{{- end -}}

{{/* A default that was set to null leaves a variant without it. */}}
{{- define "marline.rules.missing" -}}
{{- $defaults := .Values.defaults }}
{{- $paths := list "replicas" "server.workers" "server.threads" "server.batchSize" "server.maxBatchDelayMs" "server.queueSize" "server.cacheItems" }}
{{- $paths = concat $paths (list "server.responseTimeoutSeconds" "server.startupTimeoutSeconds" "server.heapMb" "server.workerMemoryMb") }}
{{- $paths = concat $paths (list "storage.run" "storage.tmp" "storage.archives" "autoscaling.minReplicas" "autoscaling.maxReplicas") }}
{{- $paths = concat $paths (list "disruptionBudget" "topologySpread" "resources.server" "resources.agent.limits" "resources.front.limits.memory") }}
{{- range $paths }}
{{- $here := $defaults }}
{{- range splitList "." . }}
{{- $here = get (default dict $here) . }}
{{- end }}
{{- if eq (toString $here) "" }}
defaults.{{ . }} is null or empty: give it a value; the chart has no other default.
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.names" -}}
{{- if not (regexMatch "^[a-z]" (include "marline.fullname" .)) }}
fullnameOverride is needed: the name of a Service begins with a letter, and {{ include "marline.fullname" . }} does not; set it, or choose another release name.
{{- end }}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}
serviceAccount.name is empty while serviceAccount.create is false: name an existing account, or let the chart create one.
{{- end }}
{{- end -}}

{{- define "marline.rules.primary" -}}
{{- $endpoints := keys .Values.variants | sortAlpha }}
{{- if and .Values.primary (not (has .Values.primary $endpoints)) }}
primary is {{ .Values.primary }}, which is no key of variants: allowed are {{ join ", " $endpoints | default "none yet" }}.
{{- else if and (not .Values.primary) (gt (len $endpoints) 1) }}
primary is empty with {{ len $endpoints }} variants: name the endpoint that the Service {{ include "marline.fullname" . }} selects, one of {{ join ", " $endpoints }}.
{{- end }}
{{- end -}}

{{- define "marline.rules.weights" -}}
{{- $sum := 0 }}
{{- $without := list }}
{{- range $endpoint, $own := .Values.variants }}
{{- if hasKey $own "weight" }}
{{- $sum = add $sum $own.weight }}
{{- else }}
{{- $without = append $without $endpoint }}
{{- end }}
{{- end }}
{{- if and $without (gt (len .Values.variants) 1) }}
{{- range $without | sortAlpha }}
variants.{{ . }}.weight is missing: with more than one variant each needs its weight, and they add up to 100.
{{- end }}
{{- else if and .Values.variants (not $without) (ne (int64 $sum) 100) }}
variants.*.weight: the weights of all variants add up to {{ $sum }}; they have to add up to 100.
{{- end }}
{{- end -}}

{{- define "marline.rules.front" -}}
{{- $front := .Values.front }}
{{- with $front.image }}
{{ include "marline.rules.image" (dict "at" "front.image" "image" .) }}
{{- end }}
{{- if gt (int64 $front.headersTimeoutSeconds) (int64 $front.requestTimeoutSeconds) }}
front.headersTimeoutSeconds {{ int64 $front.headersTimeoutSeconds }} is more than front.requestTimeoutSeconds {{ int64 $front.requestTimeoutSeconds }}: the headers are part of the request; allowed is at most that.
{{- end }}
{{- end -}}
