{{/* The part of a curl line that is the request. Takes a variant. */}}
{{- define "marline.body" -}}
{{- if .example -}}
-H 'Content-Type: application/json' -d '{{ .example | replace "'" "'\\''" }}'
{{- else -}}
-H 'Content-Type: application/json' -d @request.json
{{- end -}}
{{- end -}}

{{/* Takes a variant. */}}
{{- define "marline.podsSentence" -}}
{{- $fewest := int64 .podAutoscaling.fewest -}}
{{- if .scaler -}}
{{ $fewest }} to {{ int64 .podAutoscaling.most }} pods by {{ ternary "KEDA" "HPA" (eq .scaler "keda") }}
{{- else -}}
{{ $fewest }} {{ ternary "pod" "pods" (eq $fewest 1) }}
{{- end -}}
{{- end -}}
