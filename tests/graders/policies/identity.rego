# Nothing in a pod talks to the Kubernetes API, so nothing in it may be able to.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("no-token", pod.name, "automountServiceAccountToken has to be false") if {
	some pod in objects.pods
	object.get(pod.spec, "automountServiceAccountToken", true) != false
}

deny contains objects.finding("no-token", objects.name(account), "automountServiceAccountToken has to be false") if {
	some account in objects.of_kind("ServiceAccount")
	object.get(account, "automountServiceAccountToken", true) != false
}

deny contains objects.finding("no-token", pod.name, sprintf("volume %s projects a token", [volume.name])) if {
	some pod in objects.pods
	some volume in pod.spec.volumes
	some source in volume.projected.sources
	source.serviceAccountToken
}

deny contains objects.finding("own-account", pod.name, "it has to run under an account of its own") if {
	some pod in objects.pods
	object.get(pod.spec, "serviceAccountName", "default") == "default"
}

deny contains objects.finding("no-rights", objects.name(given), "the account of the pods gets no rights") if {
	some kind in {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
	some given in objects.of_kind(kind)
}
