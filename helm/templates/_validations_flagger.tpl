{{/*
Rules of a release whose requests Flagger shifts.
*/}}

{{- define "marline.rules.flagger" -}}
{{- $flagger := .Values.flagger }}
{{- if $flagger.enabled }}
{{- if ne (len .Values.variants) 1 }}
flagger.enabled: there are {{ len .Values.variants }} variants and Flagger takes one, whose second version is the next upgrade of it; put the others into releases of their own.
{{- end }}
{{- if not $flagger.prometheusAddress }}
flagger.prometheusAddress is empty: name the Prometheus that scrapes the fronts, such as http://prometheus.monitoring:9090.
{{- end }}
{{- if not .Values.routes.parentRefs }}
routes.parentRefs is empty: name the Gateway that Flagger's HTTPRoute belongs to, such as `[{name: gateway, namespace: gateways}]`.
{{- end }}
{{- range $key := list "routes" "ingress" }}
{{- if (get $.Values $key).enabled }}
{{ $key }}.enabled and flagger.enabled are both true: Flagger writes the HTTPRoute, and requests that came another way would pass it by; set {{ $key }}.enabled to false.
{{- end }}
{{- end }}
{{- if not .Values.front.enabled }}
front.enabled is false, and flagger.enabled is true: what Flagger judges by is counted by the front; keep it.
{{- end }}
{{- if ne .Values.service.type "ClusterIP" }}
service.type is {{ .Values.service.type }}: Flagger makes the Services, and each is a ClusterIP; leave it out.
{{- end }}
{{- if (.Values.routes.timeouts | default dict).backendRequestSeconds }}
routes.timeouts.backendRequestSeconds: Flagger writes the timeout of a whole request and no other one; leave it out, or set routes.timeouts.requestSeconds.
{{- end }}
{{ include "marline.rules.routesTimeouts" . }}
{{- $before := 0 }}
{{- range $flagger.weights }}
{{- if le (int64 .) (int64 $before) }}
flagger.weights: {{ int64 . }} comes after {{ $before }}; each step gives the new version more than the one before.
{{- end }}
{{- $before = int64 . }}
{{- end }}
{{- range $endpoint, $own := .Values.variants }}
{{ include "marline.rules.flaggerVariant" (dict "root" $ "endpoint" $endpoint) }}
{{- end }}
{{- end }}
{{- range $endpoint, $own := .Values.variants }}
{{ include "marline.rules.flaggerLive" (dict "root" $ "endpoint" $endpoint) }}
{{- end }}
{{- end -}}

{{/* Takes {root, endpoint}. */}}
{{- define "marline.rules.flaggerVariant" -}}
{{- $v := include "marline.written" . | fromYaml }}
{{- $at := printf "variants.%s" .endpoint }}
{{- if has .endpoint (list "primary" "canary" "replay") }}
{{ $at }}: with flagger.enabled no endpoint is called {{ .endpoint }}: an object of that name is Flagger's or the replay's; choose another name.
{{- end }}
{{- $name := include "marline.endpointName" . }}
{{- if gt (len $name) 46 }}
{{ $at }}: the name {{ $name }} has {{ len $name }} characters: with flagger.enabled at most 46, so that a pod's name holds it whole and says of which version it is; set fullnameOverride.
{{- end }}
{{- if hasKey $v.autoscaling "queue" }}
{{ $at }}.autoscaling.queue: its query counts the requests of both versions, and each would be scaled by the sum; name cpu, memory or podMetric with flagger.enabled.
{{- else if and (not $v.autoscaling.enabled) (ne (int64 $v.replicas) 1) }}
{{ $at }}.replicas is {{ int64 $v.replicas }}: with flagger.enabled the number is Flagger's, which begins with 1; set autoscaling.enabled and autoscaling.minReplicas instead.
{{- end }}
{{- if hasKey $v.podLabels "app" }}
{{ $at }}.podLabels.app: with flagger.enabled this label tells the two versions apart; choose another name.
{{- end }}
{{- end -}}

{{/* A Deployment's selector never changes, and the main Service is either Helm's or Flagger's. Takes {root, endpoint}. */}}
{{- define "marline.rules.flaggerLive" -}}
{{- $name := include "marline.endpointName" . }}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace $name | default dict }}
{{- if $live }}
{{- $with := hasKey (dig "spec" "selector" "matchLabels" dict $live) "app" }}
{{- if ne $with .root.Values.flagger.enabled }}
flagger.enabled is {{ .root.Values.flagger.enabled }}, and the Deployment {{ $name }} runs {{ ternary "with" "without" $with }} Flagger, for good: install another release, and give it the requests.
{{- end }}
{{- end }}
{{- end -}}
