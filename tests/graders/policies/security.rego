# Pod Security `restricted`, and what it leaves open: a read-only root, one fixed user, nothing of the node.
package main

import data.lib.objects
import rego.v1

required := {
	"allowPrivilegeEscalation": false,
	"privileged": false,
	"readOnlyRootFilesystem": true,
	"runAsNonRoot": true,
}

deny contains objects.finding("restricted", item.pod.name, message) if {
	some item in objects.containers
	some field, value in required
	object.get(item.spec, ["securityContext", field], null) != value
	message := sprintf("container %s: securityContext.%s has to be %v", [item.spec.name, field, value])
}

deny contains objects.finding("restricted", item.pod.name, message) if {
	some item in objects.containers
	object.get(item.spec, ["securityContext", "capabilities"], null) != {"drop": ["ALL"]}
	message := sprintf("container %s: it has to drop all capabilities and add none", [item.spec.name])
}

deny contains objects.finding("restricted", item.pod.name, message) if {
	some item in objects.containers
	object.get(item.spec, ["securityContext", "seccompProfile", "type"], null) != "RuntimeDefault"
	message := sprintf("container %s: seccompProfile has to be RuntimeDefault", [item.spec.name])
}

deny contains objects.finding("high-user", item.pod.name, message) if {
	some item in objects.containers
	some field in {"runAsUser", "runAsGroup"}
	object.get(item.spec, ["securityContext", field], 0) < 10000
	message := sprintf("container %s: %s has to be 10000 or more, which no user of a node has", [item.spec.name, field])
}

deny contains objects.finding("nothing-of-the-node", pod.name, sprintf("%s has to be false", [field])) if {
	some pod in objects.pods
	some field in {"hostNetwork", "hostPID", "hostIPC"}
	object.get(pod.spec, field, false) != false
}

deny contains objects.finding("nothing-of-the-node", pod.name, sprintf("volume %s is the node's", [volume.name])) if {
	some pod in objects.pods
	some volume in pod.spec.volumes
	volume.hostPath
}

deny contains objects.finding("nothing-of-the-node", item.pod.name, message) if {
	some item in objects.containers
	some port in item.spec.ports
	port.hostPort
	message := sprintf("container %s: hostPort %v", [item.spec.name, port.hostPort])
}
