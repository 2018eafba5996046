{{/*
The containers of a pod. The image's entry point is an init process, so containers set `args` and never `command`.
Each takes {root, variant}.
*/}}

{{- define "marline.imageOf" -}}
image: {{ include "marline.image" .variant.image | quote }}
imagePullPolicy: {{ .variant.image.pullPolicy }}
{{- end -}}

{{/* The archive's mount, unless it is in the image. */}}
{{- define "marline.archiveMount" -}}
{{- if ne .variant.archive.source "image" -}}
- name: archives
  mountPath: /archives
  readOnly: true
{{- end -}}
{{- end -}}

{{/* Fetches the archive and looks at its digest before anything reads it; its last words become the pod's message. */}}
{{- define "marline.fetch" -}}
{{- $archive := .variant.archive -}}
name: fetch
{{ include "marline.imageOf" . }}
args:
  - marline
  - agent
  - fetch
  - --url
  - {{ $archive.url | quote }}
  - --sha256
  - {{ $archive.sha256 | quote }}
  - --to
  - {{ $archive.path | quote }}
{{- with $archive.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "marline.containerSecurity" .root | nindent 2 }}
resources:
  {{- toYaml .variant.resources.agent | nindent 2 }}
volumeMounts:
  - name: archives
    mountPath: /archives
  - name: tmp-agent
    mountPath: /tmp
{{- end -}}

{{- define "marline.agent" -}}
name: agent
{{ include "marline.imageOf" . }}
args: [marline, agent, run, --settings, /etc/marline/pod.yaml]
restartPolicy: Always
ports:
  - name: agent
    containerPort: 8083
    protocol: TCP
startupProbe:
  httpGet:
    path: /live
    port: 8083
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /live
    port: 8083
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "marline.containerSecurity" .root | nindent 2 }}
resources:
  {{- toYaml .variant.resources.agent | nindent 2 }}
volumeMounts:
  - name: settings
    mountPath: /etc/marline
    readOnly: true
  - name: run
    mountPath: /run/marline
  - name: tmp-agent
    mountPath: /tmp
  {{- with include "marline.archiveMount" . }}{{ nindent 2 . }}{{ end }}
{{- end -}}

{{/* TorchServe. The agent answers its probes: TorchServe's own health endpoints say too much. */}}
{{- define "marline.server" -}}
name: server
{{ include "marline.imageOf" . }}
args: [marline, agent, server, --settings, /etc/marline/pod.yaml]
startupProbe:
  httpGet:
    path: /ready/server
    port: 8083
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: {{ add .variant.server.startupTimeoutSeconds 30 }}
livenessProbe:
  httpGet:
    path: /live/server
    port: 8083
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 6
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "marline.containerSecurity" .root | nindent 2 }}
resources:
  {{- toYaml .variant.resources.server | nindent 2 }}
volumeMounts:
  - name: settings
    mountPath: /etc/marline
    readOnly: true
  - name: run
    mountPath: /run/marline
  - name: tmp-server
    mountPath: /tmp
  {{- with include "marline.archiveMount" . }}{{ nindent 2 . }}{{ end }}
{{- end -}}

{{/* What the main container has, whichever it is: the port, the readiness, the drain. */}}
{{- define "marline.serving" -}}
ports:
  - name: http
    containerPort: 8080
    protocol: TCP
readinessProbe:
  httpGet:
    path: /ready
    port: 8083
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: 2
lifecycle:
  preStop:
    {{- if and .root.Values.front.enabled .root.Values.front.image }}
    sleep:
      seconds: {{ int64 .root.Values.drain.seconds }}
    {{- else }}
    exec:
      command: [marline, agent, drain, --settings, /etc/marline/pod.yaml]
    {{- end }}
{{- end -}}

{{- define "marline.front" -}}
{{- $other := .root.Values.front.image -}}
name: front
{{- if $other }}
image: {{ include "marline.image" $other | quote }}
imagePullPolicy: {{ .variant.image.pullPolicy }}
{{- /* the entry points of others differ; the name of the program does not */}}
command: [envoy]
args: [-c, /run/marline/front.json, --disable-hot-restart, --concurrency, "1", --log-level, warning]
{{- else }}
{{ include "marline.imageOf" . }}
args: [envoy, -c, /run/marline/front.json, --disable-hot-restart, --concurrency, "1", --log-level, warning]
{{- end }}
{{ include "marline.serving" . }}
livenessProbe:
  tcpSocket:
    port: 8080
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "marline.containerSecurity" .root | nindent 2 }}
resources:
  {{- toYaml .variant.resources.front | nindent 2 }}
volumeMounts:
  - name: settings
    mountPath: /etc/marline
    readOnly: true
  - name: run
    mountPath: /run/marline
  - name: tmp-front
    mountPath: /tmp
{{- end -}}
