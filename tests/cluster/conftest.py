"""The fixtures of every test that needs a cluster."""

from cluster.fixtures import cluster, probe_image

__all__ = ["cluster", "probe_image"]
