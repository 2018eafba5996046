{{/*
The pod: an init container that fetches (source url only), the agent and the server as native sidecars, the front as the
main container. On termination the main container drains first and the server stops last.
*/}}

{{/* Takes {root, variant}. */}}
{{- define "marline.podSpec" -}}
{{- $root := .root -}}
{{- $v := .variant -}}
{{- $front := $root.Values.front.enabled -}}
serviceAccountName: {{ include "marline.serviceAccountName" $root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
securityContext:
  {{- include "marline.podSecurity" $root | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
initContainers:
  {{- if eq $v.archive.source "url" }}
  - {{ include "marline.fetch" . | indent 4 | trim }}
  {{- end }}
  - {{ include "marline.agent" . | indent 4 | trim }}
  {{- if $front }}
  - {{ include "marline.server" . | indent 4 | trim }}
    restartPolicy: Always
  {{- end }}
containers:
  {{- if $front }}
  - {{ include "marline.front" . | indent 4 | trim }}
  {{- else }}
  - {{ include "marline.server" . | indent 4 | trim }}
    {{- include "marline.serving" . | nindent 4 }}
  {{- end }}
volumes:
  {{- include "marline.volumes" . | nindent 2 }}
{{- include "marline.placement" . }}
{{- end -}}

{{- define "marline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "marline.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The pod's own annotation as /etc/marline/pod.yaml. A ConfigMap would have one name for all revisions: a container that
     restarts during a rollout, or after `kubectl rollout undo`, would read the settings of another archive. */}}
{{- define "marline.settingsVolume" -}}
- name: settings
  downwardAPI:
    items:
      - path: pod.yaml
        fieldRef:
          fieldPath: metadata.annotations['marline.dev/pod.yaml']
{{- end -}}

{{/* Takes {root, variant}. */}}
{{- define "marline.settingsAnnotation" -}}
marline.dev/pod.yaml: |
  {{- include "marline.settings" . | nindent 2 }}
{{- end -}}

{{/* The directories of the pod. Takes {root, variant}. */}}
{{- define "marline.volumes" -}}
{{- $v := .variant -}}
{{ include "marline.settingsVolume" . }}
- name: run
  emptyDir:
    sizeLimit: {{ $v.storage.run }}
- name: tmp-agent
  emptyDir:
    sizeLimit: 64Mi
- name: tmp-server
  emptyDir:
    sizeLimit: {{ $v.storage.tmp }}
{{- if .root.Values.front.enabled }}
- name: tmp-front
  emptyDir:
    sizeLimit: 64Mi
{{- end }}
{{- with include "marline.archiveVolume" . }}{{ nindent 0 . }}{{ end }}
{{- end -}}

{{/* Where the archive lies, unless it is in the image. Takes {root, variant}. */}}
{{- define "marline.archiveVolume" -}}
{{- $v := .variant -}}
{{- if eq $v.archive.source "pvc" -}}
- name: archives
  persistentVolumeClaim:
    claimName: {{ $v.archive.claimName | quote }}
    readOnly: true
{{- else if eq $v.archive.source "hostPath" -}}
- name: archives
  hostPath:
    path: {{ $v.archive.hostPath | quote }}
    type: Directory
{{- else if eq $v.archive.source "url" -}}
- name: archives
  emptyDir:
    sizeLimit: {{ $v.storage.archives }}
{{- end -}}
{{- end -}}

{{/* Where the pods may and like to run. Takes {root, variant}. */}}
{{- define "marline.placement" -}}
{{- $v := .variant -}}
{{- $selector := include "marline.selectorLabels" (dict "root" .root "endpoint" $v.endpoint) -}}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if or $v.cpuFeatures $v.topologySpread.enabled }}
affinity:
  {{- with $v.cpuFeatures }}
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            {{- range . }}
            - key: feature.node.kubernetes.io/cpu-cpuid.{{ . }}
              operator: In
              values: ["true"]
            {{- end }}
  {{- end }}
  {{- if $v.topologySpread.enabled }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
  {{- end }}
{{- end }}
{{- if $v.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}
