{{/* Labels of the test pods: not those of an endpoint, so that no Service selects one. */}}
{{- define "marline.testLabels" -}}
{{ include "marline.releaseLabels" . }}
app.kubernetes.io/component: test
{{- end -}}

{{/* Egress rule: names are resolved. The address of DNS is the cluster's own affair. */}}
{{- define "marline.egressDns" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{/* Egress rule: the archive is fetched. Takes {root, variant}. */}}
{{- define "marline.egressArchive" -}}
{{- $url := urlParse .variant.archive.url -}}
{{- $default := ternary 80 443 (eq $url.scheme "http") -}}
{{- $given := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $ports := .root.Values.networkPolicy.archivePorts | default (list (default $default $given)) -}}
- ports:
    {{- range $ports }}
    - port: {{ int64 . }}
      protocol: TCP
    {{- end }}
  {{- with .root.Values.networkPolicy.archiveTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
