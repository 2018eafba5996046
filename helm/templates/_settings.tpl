{{/* pod.yaml: what the processes of a pod read, as an annotation of the pod. Takes {root, variant}. */}}
{{- define "marline.settings" -}}
{{- $v := .variant -}}
{{- $front := .root.Values.front -}}
endpoint: {{ $v.endpoint | quote }}
archive:
  path: {{ $v.archive.path | quote }}
  sha256: {{ $v.archive.sha256 | quote }}
server:
  workers: {{ int64 $v.server.workers }}
  threads: {{ int64 $v.server.threads }}
  batch_size: {{ int64 $v.server.batchSize }}
  max_batch_delay_ms: {{ int64 $v.server.maxBatchDelayMs }}
  queue_size: {{ int64 $v.server.queueSize }}
  cache_items: {{ int64 $v.server.cacheItems }}
  response_timeout_s: {{ int64 $v.server.responseTimeoutSeconds }}
  startup_timeout_s: {{ int64 $v.server.startupTimeoutSeconds }}
  heap_mb: {{ int64 $v.server.heapMb }}
front:
  enabled: {{ $front.enabled }}
  max_body_bytes: {{ int64 $front.maxBodyBytes }}
  max_connections: {{ int64 $front.maxConnections }}
  headers_timeout_s: {{ int64 $front.headersTimeoutSeconds }}
  request_timeout_s: {{ int64 $front.requestTimeoutSeconds }}
  idle_timeout_s: {{ int64 $front.idleTimeoutSeconds }}
  max_connection_s: {{ int64 $front.maxConnectionSeconds }}
  {{- if $front.enabled }}
  memory_mb: {{ div (include "marline.bytes" $v.resources.front.limits.memory | int64) 1048576 }}
  {{- end }}
drain:
  seconds: {{ int64 .root.Values.drain.seconds }}
  timeout_s: {{ min 3600 (sub $v.terminationGracePeriodSeconds 5) }}
{{- end -}}
