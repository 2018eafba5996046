{{/*
What a gateway is told. Which rule wins where several match is decided by the Gateway API, not by their order: an exact
path comes before a prefix, and of equal paths the one with a header.
*/}}

{{/* The paths that ask a model without naming a version, as in the front. `/invocations` names no model: `bare` says
     whether it is meant. Takes {model, bare}. */}}
{{- define "marline.sharedPaths" -}}
- /predictions/{{ .model }}
- /v1/models/{{ .model }}:predict
- /v2/models/{{ .model }}/infer
{{- if .bare }}
- /invocations
{{- end }}
{{- end -}}

{{/* Each path that names a version, and the endpoint that answers it: `<version>-<variant>` as the pods serve it, and the
     plain version. Where several have it, that is the one of the greatest weight, then the primary. Takes {root, variants}. */}}
{{- define "marline.versionPaths" -}}
{{- $primary := include "marline.primary" .root -}}
{{- $found := dict -}}
{{- range $endpoint, $v := .variants -}}
{{- $rank := add (mul 2 (int64 $v.weight)) (ternary 1 0 (eq $endpoint $primary)) -}}
{{- range list (printf "%s-%s" $v.version $v.variant) $v.version -}}
{{- $path := printf "/predictions/%s/%s" $v.model . -}}
{{- if not (and (hasKey $found $path) (le $rank (get $found $path).rank)) -}}
{{- $_ := set $found $path (dict "endpoint" $endpoint "rank" $rank) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $path, $best := $found }}
{{ $path }}: {{ $best.endpoint | quote }}
{{- end -}}
{{- end -}}

{{- define "marline.exactPath" -}}
path:
  type: Exact
  value: {{ . | quote }}
{{- end -}}

{{/* The rest of a rule that leads to one endpoint. Takes {root, variant}. */}}
{{- define "marline.toEndpoint" -}}
backendRefs:
  - name: {{ .variant.name }}
    port: {{ int64 .root.Values.service.port }}
{{- include "marline.routeTimeouts" .root }}
{{- end -}}

{{- define "marline.routeTimeouts" -}}
{{- with .Values.routes.timeouts }}
timeouts:
  {{- with .requestSeconds }}
  request: {{ int64 . }}s
  {{- end }}
  {{- with .backendRequestSeconds }}
  backendRequest: {{ int64 . }}s
  {{- end }}
{{- end }}
{{- end -}}
