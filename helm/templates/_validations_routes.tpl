{{/*
Rules of the ways in: `routes` and `ingress`.
*/}}

{{- define "marline.rules.routes" -}}
{{- $routes := .Values.routes }}
{{- if $routes.enabled }}
{{- if not $routes.parentRefs }}
routes.parentRefs is empty: name the Gateway that the HTTPRoute belongs to, such as `[{name: gateway, namespace: gateways}]`.
{{- end }}
{{ include "marline.rules.routesTimeouts" . }}
{{ include "marline.rules.routesSize" . }}
{{- range $endpoint, $own := .Values.variants }}
{{- $v := include "marline.written" (dict "root" $ "endpoint" $endpoint) | fromYaml }}
{{- $weight := include "marline.weight" (dict "root" $ "endpoint" $endpoint) | int64 }}
{{- if and (gt $weight 0) (include "marline.withoutPods" $v) }}
variants.{{ $endpoint }}.replicas is 0 and its weight {{ $weight }}: a gateway answers the share of an endpoint without pods with 503; set its weight to 0 first, and in a later upgrade its replicas.
{{- end }}
{{- end }}
{{ include "marline.rules.routesLive" . }}
{{- end }}
{{- end -}}

{{/* Not empty for a variant that is to have no pods. Takes a variant as it was written. */}}
{{- define "marline.withoutPods" -}}
{{- if not .autoscaling.enabled }}{{ if eq (int64 .replicas) 0 }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "marline.rules.routesTimeouts" -}}
{{- $timeouts := default dict .Values.routes.timeouts }}
{{- range $key, $seconds := $timeouts }}
{{- range $endpoint, $own := $.Values.variants }}
{{- $response := (include "marline.written" (dict "root" $ "endpoint" $endpoint) | fromYaml).server.responseTimeoutSeconds }}
{{- if lt (int64 $seconds) (int64 $response) }}
routes.timeouts.{{ $key }} {{ int64 $seconds }} is less than variants.{{ $endpoint }}.server.responseTimeoutSeconds {{ int64 $response }}: the gateway would give up on answers that the pod still gives; allowed is at least that.
{{- end }}
{{- end }}
{{- end }}
{{- if and $timeouts.requestSeconds (gt (int64 $timeouts.backendRequestSeconds) (int64 $timeouts.requestSeconds)) }}
routes.timeouts.backendRequestSeconds {{ int64 $timeouts.backendRequestSeconds }} is more than routes.timeouts.requestSeconds {{ int64 $timeouts.requestSeconds }}: an attempt is part of the request; allowed is at most that.
{{- end }}
{{- end -}}

{{/* What an HTTPRoute can hold: two rules for each endpoint (three without a front) and one for each model. */}}
{{- define "marline.rules.routesSize" -}}
{{- $models := dict }}
{{- range $endpoint, $own := .Values.variants }}
{{- $_ := set $models (toString (include "marline.written" (dict "root" $ "endpoint" $endpoint) | fromYaml).model) true }}
{{- end }}
{{- $endpoints := len .Values.variants }}
{{- $rules := add (mul (ternary 2 3 .Values.front.enabled) $endpoints) (len $models) }}
{{- if gt ($rules | int64) 16 }}
routes: {{ $endpoints }} variants of {{ len $models }} {{ ternary "model" "models" (eq (len $models) 1) }} need {{ $rules }} rules, and an HTTPRoute has at most 16; put some of the variants into another release.
{{- end }}
{{- end -}}

{{/* What the cluster's HTTPRoute gives weight to keeps its pods: the gateway follows a new weight later than the loss of
     the last pod. Where Helm asks no cluster (`helm template`), nothing is known of it. */}}
{{- define "marline.rules.routesLive" -}}
{{- if .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1/HTTPRoute" }}
{{- $live := lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace (include "marline.fullname" .) | default dict }}
{{- $endpoints := dict }}
{{- range $endpoint, $own := .Values.variants }}
{{- $_ := set $endpoints (include "marline.endpointName" (dict "root" $ "endpoint" $endpoint)) $endpoint }}
{{- end }}
{{- range dig "spec" "rules" list $live }}
{{- $first := first (default (list dict) .matches) }}
{{- if and (not $first.headers) (regexMatch "^/predictions/[^/]+$" (dig "path" "value" "" $first)) }}
{{- range .backendRefs }}
{{- $weight := dig "weight" 1 . | int64 }}
{{- if gt $weight 0 }}
{{- $endpoint := get $endpoints .name }}
{{- if not $endpoint }}
variants has no endpoint for the Service {{ .name }}, to which the cluster's HTTPRoute gives weight {{ $weight }}: its requests would be answered 503; set its weight to 0 first, and take it away in a later upgrade.
{{- else if include "marline.withoutPods" (include "marline.written" (dict "root" $ "endpoint" $endpoint) | fromYaml) }}
variants.{{ $endpoint }}.replicas is 0, and the cluster's HTTPRoute gives it weight {{ $weight }}: its requests would be answered 503; set its weight to 0 first, and its replicas in a later upgrade.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.ingress" -}}
{{- $ingress := .Values.ingress }}
{{- if $ingress.enabled }}
{{- if .Values.routes.enabled }}
routes.enabled and ingress.enabled are both true: requests through the Ingress would pass by the weights; keep one of the two.
{{- end }}
{{- range $index, $tls := $ingress.tls }}
{{- range $tls.hosts }}
{{- if not (has . (default list $ingress.hosts)) }}
ingress.tls.{{ $index }}.hosts names {{ . }}, which is no entry of ingress.hosts: allowed are {{ join ", " $ingress.hosts | default "none yet" }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
