# Ways in from outside lead to Services of the same release, and shares are whole.
package main

import data.lib.objects
import rego.v1

deny contains objects.finding("routed-service", objects.name(route), sprintf("no Service %s with port %v", [ref.name, ref.port])) if {
	some route in objects.of_kind("HTTPRoute")
	some rule in route.spec.rules
	some ref in rule.backendRefs
	not served(ref.name, ref.port)
}

deny contains objects.finding("routed-service", objects.name(ingress), sprintf("no Service %s with port %v", [way.name, way.port.name])) if {
	some ingress in objects.of_kind("Ingress")
	some rule in ingress.spec.rules
	some path in rule.http.paths
	way := path.backend.service
	not served(way.name, way.port.name)
}

served(name, port) if {
	some service in objects.of_kind("Service")
	service.metadata.name == name
	some offered in service.spec.ports
	port in {offered.port, offered.name}
}

deny contains objects.finding("whole-shares", objects.name(route), sprintf("its weights add up to %v", [shares])) if {
	some route in objects.of_kind("HTTPRoute")
	shares := sum([ref.weight | some rule in route.spec.rules; some ref in rule.backendRefs])
	shares != 100
}

# A share for an endpoint without pods is answered 503.
deny contains objects.finding("share-has-pods", objects.name(route), sprintf("%s has weight %v and no pods", [ref.name, ref.weight])) if {
	some route in objects.of_kind("HTTPRoute")
	some rule in route.spec.rules
	some ref in rule.backendRefs
	ref.weight > 0
	some deployment in objects.of_kind("Deployment")
	deployment.metadata.name == ref.name
	deployment.spec.replicas == 0
}

deny contains objects.finding("one-way-in", objects.name(route), "an Ingress passes by its weights") if {
	some route in objects.of_kind("HTTPRoute")
	count(objects.of_kind("Ingress")) > 0
}
