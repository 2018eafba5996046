# One owner of the number of pods, and it looks at the server alone.
package main

import data.lib.objects
import rego.v1

owners[target] contains objects.name(scaler) if {
	some kind in {"HorizontalPodAutoscaler", "ScaledObject"}
	some scaler in objects.of_kind(kind)
	target := scaler.spec.scaleTargetRef.name
}

deny contains objects.finding("one-owner", objects.name(deployment), message) if {
	some deployment in objects.of_kind("Deployment")
	object.get(deployment.spec, "replicas", null) != null
	some owner in owners[deployment.metadata.name]
	message := sprintf("spec.replicas undoes, at every upgrade, what %s decided", [owner])
}

deny contains objects.finding("one-owner", sprintf("Deployment/%s", [target]), message) if {
	some target, scalers in owners
	count(scalers) > 1
	message := sprintf("%s all scale it", [concat(" and ", scalers)])
}

deny contains objects.finding("scaled-by-the-server", objects.name(scaler), "it has to look at container server") if {
	some scaler in objects.of_kind("HorizontalPodAutoscaler")
	some metric in scaler.spec.metrics
	metric.type in {"Resource", "ContainerResource"}
	object.get(metric, ["containerResource", "container"], null) != "server"
}
