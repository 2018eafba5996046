# Each process that lasts is asked whether it lives; the order of start hangs on startup probes; one readiness counts.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("liveness", item.pod.name, message) if {
	some item in lasting
	not item.spec.livenessProbe
	message := sprintf("container %s: livenessProbe is missing", [item.spec.name])
}

deny contains objects.finding("order-of-start", item.pod.name, message) if {
	some item in lasting
	item.role == "sidecar"
	not item.spec.startupProbe
	message := sprintf("container %s: without a startupProbe the next one starts too early", [item.spec.name])
}

# The agent knows: TorchServe's own health says ready before it can answer.
deny contains objects.finding("readiness", item.pod.name, message) if {
	some item in lasting
	item.role == "main"
	asked := object.get(item.spec, ["readinessProbe", "httpGet"], {})
	[object.get(asked, "path", null), object.get(asked, "port", null)] != ["/ready", 8083]
	message := sprintf("container %s: readinessProbe has to ask the agent, :8083/ready", [item.spec.name])
}

lasting contains item if {
	some item in objects.containers
	item.pod.lasting
	item.role != "init"
}
