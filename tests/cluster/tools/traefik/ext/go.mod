// Stands in for a module that Traefik's own go.mod takes from a folder which its published module does not contain.
module github.com/traefik/traefik/dynamic/ext

go 1.26
