// Package ext holds the types that Traefik's dynamic configuration embeds for products built on it; they are empty.
package ext

// HTTP extends the HTTP configuration.
type HTTP struct{}

// Router extends a router.
type Router struct{}
