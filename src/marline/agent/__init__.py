"""Beside the server in its pod: readiness that tells the truth, metrics, drain, fetch, the front's configuration."""
