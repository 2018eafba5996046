# A pod serves the archive that its template names, and reads settings that no other revision can change.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("archive-digest", pod.name, "annotation marline.dev/archive-sha256 has to be 64 hexadecimal digits") if {
	some pod in objects.pods
	pod.lasting
	not regex.match(`^[0-9a-f]{64}$`, object.get(pod.metadata, ["annotations", "marline.dev/archive-sha256"], ""))
}

deny contains objects.finding("archive-digest", pod.name, "annotation and settings name different archives") if {
	some pod in objects.pods
	pod.lasting
	object.get(pod.metadata, ["annotations", "marline.dev/archive-sha256"], "") != objects.settings(pod).archive.sha256
}

deny contains objects.finding("archive-digest", item.pod.name, "the fetch looks for another digest than the server") if {
	some item in objects.containers
	item.spec.name == "fetch"
	not objects.settings(item.pod).archive.sha256 in item.spec.args
}

deny contains objects.finding("own-settings", pod.name, "the volume `settings` has to be the pod's own annotation") if {
	some pod in objects.pods
	sources := [volume.downwardAPI.items[_].fieldRef.fieldPath | some volume in pod.spec.volumes; volume.name == "settings"]
	sources != ["metadata.annotations['marline.dev/pod.yaml']"]
}

deny contains objects.finding("own-settings", pod.name, "its annotation marline.dev/pod.yaml is missing or no YAML") if {
	some pod in objects.pods
	not objects.settings(pod)
}

deny contains objects.finding("own-settings", pod.name, sprintf("volume %s changes under running pods", [volume.name])) if {
	some pod in objects.pods
	some volume in pod.spec.volumes
	volume.configMap
}
