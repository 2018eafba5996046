# What runs is what was released.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("fixed-image", item.pod.name, message) if {
	some item in objects.containers
	not fixed(item.spec.image)
	message := sprintf("container %s: %s may be another image tomorrow; name a digest, or a tag", [item.spec.name, item.spec.image])
}

fixed(image) if regex.match(`@sha256:[0-9a-f]{64}$`, image)

fixed(image) if {
	regex.match(`:[A-Za-z0-9_][A-Za-z0-9_.-]*$`, image)
	not endswith(image, ":latest")
}
