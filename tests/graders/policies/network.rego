# Two ports, and nothing else in or out.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("isolated", pod.name, sprintf("no NetworkPolicy denies its %s", [direction])) if {
	some pod in objects.pods
	some direction in {"Ingress", "Egress"}
	not denied(pod, direction)
}

denied(pod, direction) if {
	some policy in objects.of_kind("NetworkPolicy")
	direction in policy.spec.policyTypes
	selector := policy.spec.podSelector.matchLabels
	every key, value in selector {
		pod.metadata.labels[key] == value
	}
}

deny contains objects.finding("two-ports", item.pod.name, message) if {
	some item in objects.containers
	some port in item.spec.ports
	not port.containerPort in {8080, 8083}
	message := sprintf("container %s: port %v", [item.spec.name, port.containerPort])
}

deny contains objects.finding("two-ports", objects.name(service), sprintf("it leads to %v", [port.targetPort])) if {
	some service in objects.of_kind("Service")
	some port in service.spec.ports
	not port.targetPort in {"http", 8080}
}
