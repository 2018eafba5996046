{{/*
Rules within one variant. Each takes {at, variant, root}: where the variant stands, and the variant with its defaults.
*/}}

{{- define "marline.rules.variant" -}}
{{ include "marline.rules.identity" . }}
{{ include "marline.rules.archive" . }}
{{ include "marline.rules.server" . }}
{{ include "marline.rules.resources" . }}
{{ include "marline.rules.grace" . }}
{{ include "marline.rules.autoscaling" . }}
{{ include "marline.rules.disruption" . }}
{{ include "marline.rules.podMetadata" . }}
{{- end -}}

{{- define "marline.rules.identity" -}}
{{- $at := .at }}
{{- $v := .variant }}
{{- range list "model" "version" "variant" "archive" }}
{{- if not (get $v .) }}
{{ $at }}.{{ . }} is missing: every variant names its model, version, variant and archive.
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.archive" -}}
{{- $at := printf "%s.archive" .at }}
{{- with .variant.archive }}
{{- $archive := . }}
{{- $source := default "image" .source }}
{{- if not .sha256 }}
{{ $at }}.sha256 is missing: a pod serves only a file of known digest; `marline registry list` prints it.
{{- end }}
{{- $needs := dict "pvc" "claimName" "hostPath" "hostPath" "url" "url" }}
{{- range $kind, $key := $needs }}
{{- if and (eq $kind $source) (not (get $archive $key)) }}
{{ $at }}.{{ $key }} is missing: {{ $at }}.source is {{ $source }}, which needs it.
{{- end }}
{{- if and (ne $kind $source) (hasKey $archive $key) }}
{{ $at }}.{{ $key }} belongs to source {{ $kind }}, and {{ $at }}.source is {{ $source }}: remove one of the two.
{{- end }}
{{- end }}
{{- if and (ne $source "url") (hasKey $archive "envFrom") }}
{{ $at }}.envFrom belongs to source url, and {{ $at }}.source is {{ $source }}: remove one of the two.
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.server" -}}
{{- $server := .variant.server }}
{{- if gt (int64 $server.batchSize) (int64 $server.queueSize) }}
{{ .at }}.server.batchSize {{ int64 $server.batchSize }} is more than server.queueSize {{ int64 $server.queueSize }}: a batch is taken from the queue; allowed is at most that.
{{- end }}
{{- if ge (int64 $server.maxBatchDelayMs) (mul 1000 $server.responseTimeoutSeconds) }}
{{ .at }}.server.maxBatchDelayMs {{ int64 $server.maxBatchDelayMs }} is not less than server.responseTimeoutSeconds {{ int64 $server.responseTimeoutSeconds }}: the wait for a batch is part of the response.
{{- end }}
{{- end -}}

{{- define "marline.rules.resources" -}}
{{- $at := .at }}
{{- $server := .variant.server }}
{{- $resources := include "marline.resources" .variant | fromYaml }}
{{- $cpu := $resources.server.limits.cpu }}
{{- $threads := mul $server.workers $server.threads }}
{{- $cpus := divf (include "marline.millicores" $cpu) 1000 | ceil | int64 }}
{{- if gt ($threads | int64) $cpus }}
{{ $at }}.server.threads: workers {{ int64 $server.workers }} x threads {{ int64 $server.threads }} is {{ $threads }}, more than resources.server.limits.cpu {{ $cpu }} rounded up; lower server.workers or server.threads, raise the limit, or leave it out.
{{- end }}
{{- $memory := $resources.server.limits.memory }}
{{- $needed := add (mul $server.workers $server.workerMemoryMb) $server.heapMb }}
{{- if gt (mul 1048576 $needed | int64) (include "marline.bytes" $memory | int64) }}
{{ $at }}.resources.server.limits.memory {{ $memory }} is less than server.heapMb {{ int64 $server.heapMb }} + server.workers {{ int64 $server.workers }} x server.workerMemoryMb {{ int64 $server.workerMemoryMb }} = {{ $needed }} MiB; raise the limit, or leave it out.
{{- end }}
{{- $front := $resources.front.limits.memory }}
{{- $bytes := include "marline.bytes" $front | int64 }}
{{- if or (lt $bytes 67108864) (gt $bytes 68719476736) }}
{{ $at }}.resources.front.limits.memory {{ $front }} is not between 64Mi and 64Gi: with less the front cannot work.
{{- end }}
{{- range $container, $own := $resources }}
{{- range $resource, $request := $own.requests }}
{{- $limit := get $own.limits $resource }}
{{- $read := ternary "marline.millicores" "marline.bytes" (eq $resource "cpu") }}
{{- if gt (include $read $request | int64) (include $read $limit | int64) }}
{{ $at }}.resources.{{ $container }}.requests.{{ $resource }} {{ $request }} is more than resources.{{ $container }}.limits.{{ $resource }} {{ $limit }}; allowed is at most that.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.grace" -}}
{{- $drain := int64 .root.Values.drain.seconds }}
{{- $response := int64 .variant.server.responseTimeoutSeconds }}
{{- with .variant.terminationGracePeriodSeconds }}
{{- if lt (int64 .) (add $drain $response 5) }}
{{ $.at }}.terminationGracePeriodSeconds {{ int64 . }} is too short: at least drain.seconds {{ $drain }} + server.responseTimeoutSeconds {{ $response }} + 5 = {{ add $drain $response 5 }}, or leave it out.
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.autoscaling" -}}
{{- $at := printf "%s.autoscaling" .at }}
{{- $scaling := .variant.autoscaling }}
{{- if gt (int64 $scaling.minReplicas) (int64 $scaling.maxReplicas) }}
{{ $at }}.minReplicas {{ int64 $scaling.minReplicas }} is more than autoscaling.maxReplicas {{ int64 $scaling.maxReplicas }}; allowed is at most that.
{{- end }}
{{- $others := list }}
{{- range list "cpu" "memory" "podMetric" }}
{{- if hasKey $scaling . }}{{ $others = append $others (printf "autoscaling.%s" .) }}{{ end }}
{{- end }}
{{- if and (hasKey $scaling "queue") $others }}
{{ $at }}.queue stands beside {{ join ", " $others }}: a KEDA ScaledObject and a HorizontalPodAutoscaler would both own the number of pods; keep one signal.
{{- end }}
{{- if hasKey $scaling "queue" }}
{{- range list "target" "prometheusAddress" }}
{{- if not (get $scaling.queue .) }}
{{ $at }}.queue.{{ . }} is missing: the queue signal needs a target per pod and the address of Prometheus.
{{- end }}
{{- end }}
{{- end }}
{{- $server := (include "marline.resources" .variant | fromYaml).server }}
{{- range $resource, $read := dict "cpu" "marline.millicores" "memory" "marline.bytes" }}
{{- with get $scaling $resource }}
{{- $request := get $server.requests $resource }}
{{- $limit := get $server.limits $resource }}
{{- if gt (mul .targetUtilization (include $read $request | int64)) (mul 100 (include $read $limit | int64)) }}
{{ $at }}.{{ $resource }}.targetUtilization {{ int64 .targetUtilization }} is a percentage of the request {{ $request }}, and the limit {{ $limit }} is less than that: it would never be reached.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "marline.rules.disruption" -}}
{{- $at := printf "%s.disruptionBudget" .at }}
{{- $budget := .variant.disruptionBudget }}
{{- $fewest := int64 (ternary .variant.autoscaling.minReplicas .variant.replicas .variant.autoscaling.enabled) }}
{{- if and (hasKey $budget "minAvailable") (hasKey $budget "maxUnavailable") }}
{{ $at }}.minAvailable and disruptionBudget.maxUnavailable are both given: keep one.
{{- else if hasKey $budget "minAvailable" }}
{{- $least := toString $budget.minAvailable }}
{{- $most := int64 (ternary .variant.autoscaling.maxReplicas .variant.replicas .variant.autoscaling.enabled) }}
{{- $kept := int64 $budget.minAvailable }}
{{- if hasSuffix "%" $least }}
{{- /* a percentage of pods is rounded up */ -}}
{{- $kept = divf (mul (trimSuffix "%" $least | int64) $fewest) 100 | ceil | int64 }}
{{- end }}
{{- if or (eq $least "100%") (and $budget.enabled (gt $most 1) (ge $kept $fewest)) }}
{{ $at }}.minAvailable {{ $least }} leaves no pod of {{ $fewest }} that may go: no node could be drained; allowed is less than that, or disruptionBudget.maxUnavailable instead.
{{- end }}
{{- else if has (toString $budget.maxUnavailable) (list "0" "0%") }}
{{ $at }}.maxUnavailable {{ $budget.maxUnavailable }} lets no pod go: no node could be drained; allowed is 1 or more.
{{- end }}
{{- end -}}

{{- define "marline.rules.podMetadata" -}}
{{- $at := .at }}
{{- range $key, $_ := .variant.podLabels }}
{{- if or (hasPrefix "marline.dev/" $key) (has $key (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component")) }}
{{ $at }}.podLabels.{{ $key }} is a label of the chart's own: choose another name.
{{- end }}
{{- end }}
{{- range $key, $_ := .variant.podAnnotations }}
{{- if or (hasPrefix "marline.dev/" $key) (eq $key "kubectl.kubernetes.io/default-container") }}
{{ $at }}.podAnnotations.{{ $key }} is an annotation of the chart's own: choose another name.
{{- end }}
{{- end }}
{{- end -}}
