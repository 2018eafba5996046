{{/*
From values to variants: `defaults`, the variant's own keys, and what follows from both.
*/}}

{{/* Every variant by its endpoint, as YAML, after all rules hold. Each template begins with it. */}}
{{- define "marline.variants" -}}
{{- include "marline.validate" . -}}
{{- $variants := dict -}}
{{- range $endpoint, $own := .Values.variants -}}
{{- $_ := set $variants $endpoint (include "marline.variant" (dict "root" $ "endpoint" $endpoint) | fromYaml) -}}
{{- end -}}
{{- toYaml $variants -}}
{{- end -}}

{{/* One variant as it was written: `defaults` under its own keys, nothing derived but its image. Takes {root, endpoint}. */}}
{{- define "marline.written" -}}
{{- $own := deepCopy (get .root.Values.variants .endpoint) -}}
{{- $written := mergeOverwrite (deepCopy .root.Values.defaults) $own -}}
{{- $image := deepCopy .root.Values.image -}}
{{- /* another repository or digest is another image: what identified the old one does not go with it */ -}}
{{- with $own.image -}}
{{- if or .repository .digest .tag -}}{{- $image = omit $image "digest" "tag" -}}{{- end -}}
{{- $image = mergeOverwrite $image . -}}
{{- end -}}
{{- $_ := set $written "image" $image -}}
{{- $_ := set $written "endpoint" .endpoint -}}
{{- toYaml $written -}}
{{- end -}}

{{/* One variant with everything that follows from it. Takes {root, endpoint}. */}}
{{- define "marline.variant" -}}
{{- $v := include "marline.written" . | fromYaml -}}
{{- $_ := set $v "name" (include "marline.endpointName" .) -}}
{{- $_ := set $v "testName" (printf "%s-test-%s" (include "marline.fullname" .root) .endpoint | include "marline.short") -}}
{{- $_ := set $v "service" (ternary (include "marline.fullname" .root) $v.name .root.Values.flagger.enabled) -}}
{{- $_ := set $v "weight" (include "marline.weight" .) -}}
{{- $_ := set $v.archive "source" (default "image" $v.archive.source) -}}
{{- $file := printf "%s-%s-%s.mar" $v.model $v.version $v.variant -}}
{{- $_ := set $v.archive "path" (default (printf "/archives/%s" $file) $v.archive.path) -}}
{{- $_ := set $v "terminationGracePeriodSeconds" (include "marline.gracePeriod" (dict "root" .root "variant" $v) | int64) -}}
{{- $_ := set $v "resources" (include "marline.resources" $v | fromYaml) -}}
{{- $_ := set $v "scaler" (include "marline.scaler" $v) -}}
{{- $_ := set $v "podAutoscaling" (include "marline.podAutoscaling" $v | fromYaml) -}}
{{- toYaml $v -}}
{{- end -}}

{{/* Name of a variant's Deployment and Service. Takes {root, endpoint}. */}}
{{- define "marline.endpointName" -}}
{{- printf "%s-%s" (include "marline.fullname" .root) .endpoint | include "marline.short" -}}
{{- end -}}

{{/* Percent of the requests; a single variant has all of them. Takes {root, endpoint}. */}}
{{- define "marline.weight" -}}
{{- $own := get .root.Values.variants .endpoint -}}
{{- if hasKey $own "weight" -}}
{{- int64 $own.weight -}}
{{- else -}}
100
{{- end -}}
{{- end -}}

{{/* The endpoint that the main Service selects: `primary`, or the only one there is. */}}
{{- define "marline.primary" -}}
{{- default (keys .Values.variants | first) .Values.primary -}}
{{- end -}}

{{/* Seconds until SIGKILL: long enough for the drain, for the slowest answer, and for the server to stop.
     Takes {root, variant}. */}}
{{- define "marline.gracePeriod" -}}
{{- $least := add .root.Values.drain.seconds .variant.server.responseTimeoutSeconds -}}
{{- default (add $least 15) .variant.terminationGracePeriodSeconds | int64 -}}
{{- end -}}

{{/* Seconds until a rollout without progress has failed. Takes a variant. */}}
{{- define "marline.progressDeadline" -}}
{{- max 600 (add .server.startupTimeoutSeconds 300) -}}
{{- end -}}

{{/* Requests and limits of all containers, none left out. Takes a variant. */}}
{{- define "marline.resources" -}}
{{- $all := deepCopy .resources -}}
{{- $memory := add (mul .server.workers .server.workerMemoryMb) .server.heapMb 256 -}}
{{- $derived := dict "cpu" (mul .server.workers .server.threads) "memory" (printf "%dMi" $memory) -}}
{{- $_ := set $all.server "limits" (merge (default dict $all.server.limits) $derived) -}}
{{- range $container := list "server" "agent" "front" -}}
{{- $own := get $all $container -}}
{{- $_ := set $own "requests" (merge (default dict $own.requests) $own.limits) -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* Who owns the number of pods: nobody (empty), hpa or keda. Takes a variant. */}}
{{- define "marline.scaler" -}}
{{- if .autoscaling.enabled -}}
{{- ternary "keda" "hpa" (hasKey .autoscaling "queue") -}}
{{- end -}}
{{- end -}}

{{/* The fewest and the most pods a variant can have. Takes a variant with its scaler. */}}
{{- define "marline.podAutoscaling" -}}
{{- if .scaler -}}
fewest: {{ int64 .autoscaling.minReplicas }}
most: {{ int64 .autoscaling.maxReplicas }}
{{- else -}}
fewest: {{ int64 .replicas }}
most: {{ int64 .replicas }}
{{- end -}}
{{- end -}}

{{/* The HorizontalPodAutoscaler's targets, percent by resource; CPU when no signal is named. Takes a variant. */}}
{{- define "marline.utilization" -}}
{{- $targets := dict -}}
{{- range $resource := list "cpu" "memory" -}}
{{- with get $.autoscaling $resource -}}
{{- $_ := set $targets $resource .targetUtilization -}}
{{- end -}}
{{- end -}}
{{- if not (or $targets .autoscaling.podMetric) -}}
{{- $_ := set $targets "cpu" 70 -}}
{{- end -}}
{{- toYaml $targets -}}
{{- end -}}
