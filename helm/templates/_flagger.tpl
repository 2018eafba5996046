{{/*
What a release with Flagger has instead of its own: Flagger makes a second Deployment (`-primary`), which gets the
requests, and leaves the chart's own one without pods until a new version is in it.
*/}}

{{/* The label by which Flagger tells the two Deployments' pods apart. It is the first of those that Flagger looks for, and
     the others are common to all releases of a namespace. */}}
{{- define "marline.flaggerLabel" -}}
{{- if .root.Values.flagger.enabled }}
app: {{ .variant.name }}
{{- end }}
{{- end -}}

{{- define "marline.replayLabels" -}}
{{ include "marline.releaseLabels" . }}
app.kubernetes.io/component: replay
{{- end -}}

{{/* Where in Prometheus the fronts' counters of one of the two versions are. The new one's pods are named without
     `-primary`. Takes {root, variant, primary}. */}}
{{- define "marline.flaggerPods" -}}
{{- $pods := printf (ternary "%s-primary-.+" "%s-[^-]+-[^-]{5}" .primary) .variant.name -}}
namespace={{ .root.Release.Namespace | quote }},pod=~{{ $pods | quote }},envoy_http_conn_manager_prefix="ingress"
{{- end -}}

{{/* The 95th percentile of latency. Takes {root, variant, primary}. */}}
{{- define "marline.flaggerP95" -}}
histogram_quantile(0.95, sum by (le) (rate(envoy_http_downstream_rq_time_bucket{ {{- include "marline.flaggerPods" . -}} }[{{ "{{ interval }}" }}])))
{{- end -}}
