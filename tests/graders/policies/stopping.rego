# No request is lost to a rollout: what was accepted is answered before the pod ends.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("grace", pod.name, message) if {
	some pod in objects.pods
	pod.lasting
	given := object.get(pod.spec, "terminationGracePeriodSeconds", 30)
	needed := objects.settings(pod).drain.seconds + objects.settings(pod).server.response_timeout_s
	given < needed
	message := sprintf("grace of %d s; drain and response timeout take %d s", [given, needed])
}

deny contains objects.finding("drain", pod.name, "its main container has to drain before it stops (lifecycle.preStop)") if {
	some pod in objects.pods
	pod.lasting
	not drains(pod.spec.containers[0])
}

drains(container) if container.lifecycle.preStop.exec.command[2] == "drain"

drains(container) if container.lifecycle.preStop.sleep.seconds > 0

deny contains objects.finding("no-gap", objects.name(deployment), "a pod has to stay until its successor answers (maxUnavailable 0)") if {
	some deployment in objects.of_kind("Deployment")
	object.get(deployment.spec, ["strategy", "rollingUpdate", "maxUnavailable"], "25%") != 0
}
