"""A real single-node Kubernetes for the tests, started from nothing but Debian packages and Go modules."""
