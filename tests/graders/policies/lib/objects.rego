# What the policies talk about. The input is a whole rendered scenario (`conftest test --combine`).
package lib.objects

import rego.v1

all contains entry.contents if some entry in input

of_kind(kind) := {object | some object in all; object.kind == kind}

name(object) := sprintf("%s/%s", [object.kind, object.metadata.name])

# Pods of Deployments, and pods by themselves. `lasting`: it serves a model until it is told to stop; the replay that
# Flagger calls does not.
pods contains {
	"name": name(object),
	"metadata": object.spec.template.metadata,
	"spec": object.spec.template.spec,
	"lasting": labels(object)["app.kubernetes.io/component"] != "replay",
} if some object in of_kind("Deployment")

pods contains {"name": name(object), "metadata": object.metadata, "spec": object.spec, "lasting": false} if {
	some object in of_kind("Pod")
}

labels(deployment) := object.get(deployment.spec.template.metadata, "labels", {"app.kubernetes.io/component": ""})

# `role`: init (runs to its end before the others), sidecar or main.
containers contains {"pod": pod, "role": role, "spec": container} if {
	some pod in pods
	some container in object.get(pod.spec, "initContainers", [])
	role := {true: "sidecar", false: "init"}[object.get(container, "restartPolicy", "") == "Always"]
}

containers contains {"pod": pod, "role": "main", "spec": container} if {
	some pod in pods
	some container in pod.spec.containers
}

# The pod.yaml that a pod mounts.
settings(pod) := yaml.unmarshal(pod.metadata.annotations["marline.dev/pod.yaml"])

finding(check, subject, message) := {"check": check, "object": subject, "msg": sprintf("%s: %s", [subject, message])}
