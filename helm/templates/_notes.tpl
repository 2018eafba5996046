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

{{/* How requests come in, and who gets them. Takes {root, variants}. */}}
{{- define "marline.ways" -}}
{{- $name := include "marline.fullname" .root -}}
{{- $primary := get .variants (include "marline.primary" .root) -}}
{{- if .root.Values.routes.enabled }}
{{- $shares := list }}
{{- range $endpoint, $v := .variants }}
{{- $shares = append $shares (printf "%s %s" $endpoint (toString $v.weight)) }}
{{- end }}

The HTTPRoute {{ $name }} shares requests out by weight: {{ join ", " $shares }}.
Name, port and TLS are those of the Gateway {{ (first .root.Values.routes.parentRefs).name }}:

  kubectl --namespace {{ .root.Release.Namespace }} get httproute {{ $name }} --output yaml
  curl {{ include "marline.body" $primary }} http://{{ first (.root.Values.routes.hostnames | default (list "GATEWAY")) }}/predictions/{{ $primary.model }}

One variant by its name, whatever its weight, as path /variants/<endpoint>/predictions/<model> or with the header
x-marline-variant: <endpoint>; one version as path /predictions/<model>/<version>.
Change weights by an upgrade. A variant's weight is 0 before its pods are taken away, and until they are ready.
{{- if .root.Values.networkPolicy.httpFrom }}
networkPolicy.httpFrom names who may ask; the gateway's pods have to be among them.
{{- end }}
{{- else if .root.Values.flagger.enabled }}

Flagger makes the Services {{ $name }}, {{ $name }}-primary and {{ $name }}-canary and the HTTPRoute {{ $name }}, and gives
each new version its share. The first version is taken as it is; change nothing until that is done:

  kubectl --namespace {{ .root.Release.Namespace }} wait --for=jsonpath='{.status.phase}'=Initialized canary/{{ $name }} --timeout=10m
  kubectl --namespace {{ .root.Release.Namespace }} describe canary/{{ $name }}
{{- else if .root.Values.ingress.enabled }}

The Ingress {{ $name }} leads every request to {{ $primary.endpoint }}:

  curl {{ include "marline.body" $primary }} {{ ternary "https" "http" (gt (len .root.Values.ingress.tls) 0) }}://{{ first (.root.Values.ingress.hosts | default (list "INGRESS")) }}/predictions/{{ $primary.model }}
{{- if gt (len .variants) 1 }}

An Ingress has one backend, so no weight has any effect, and no other variant is reached through it: use `routes`, which
needs a Gateway, for both.
{{- end }}
{{- else if gt (len .variants) 1 }}

Without a gateway no request is shared out by weight: {{ $name }} sends everything to
{{ $primary.endpoint }}, and every other variant is asked by the name of its own Service. `routes` puts all behind a Gateway.
{{- end }}
{{- end -}}
