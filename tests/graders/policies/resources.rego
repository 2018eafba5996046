# A pod can take no more than it says, of anything.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("bounded-container", item.pod.name, message) if {
	some item in objects.containers
	some part in {"limits", "requests"}
	some resource in {"cpu", "memory", "ephemeral-storage"}
	object.get(item.spec, ["resources", part, resource], null) == null
	message := sprintf("container %s: resources.%s.%s is missing", [item.spec.name, part, resource])
}

deny contains objects.finding("bounded-directory", pod.name, sprintf("volume %s has no sizeLimit", [volume.name])) if {
	some pod in objects.pods
	some volume in pod.spec.volumes
	is_object(volume.emptyDir)
	object.get(volume.emptyDir, "sizeLimit", null) == null
}

# The kubelet evicts a pod whose memory was promised to others; the model does not get smaller under pressure.
deny contains objects.finding("memory-is-promised", item.pod.name, message) if {
	some item in objects.containers
	item.spec.resources.requests.memory != item.spec.resources.limits.memory
	message := sprintf("container %s: memory request and limit differ", [item.spec.name])
}
