"""The agent's own metrics, with the names that TorchServe's lack."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from handlerkit.manifest import Manifest
from marline.agent.watch import Watch

# not "endpoint": a PodMonitor gives every sample that label, with the name of the port
LABELS = ("model", "version", "variant", "marline_endpoint")


def labels(manifest: Manifest, endpoint: str) -> tuple[str, ...]:
    """Values of :data:`LABELS`."""
    return (manifest.model, manifest.version, manifest.variant, endpoint)


class _Observed(Collector):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> list[Metric]:
        """What was seen last; nothing is asked for a scrape."""
        watch, truth = self._watch, self._watch.truth
        unready = truth.unready(watch.clock())
        values = labels(watch.manifest, watch.settings.endpoint)
        gauges = {
            "marline_ready": ("Whether requests are answered rightly (0 or 1).", 0 if unready else 1),
            "marline_ready_workers": ("Workers that have answered their golden requests.", len(truth.ready)),
            "marline_declared_workers": ("Workers that the settings ask for.", truth.workers),
            "marline_pending_requests": ("Requests that wait in the server's queue.", truth.pending),
            "marline_queue_capacity": ("Requests that the server's queue holds at most.", truth.capacity),
            "marline_inflight_requests": ("Requests between front and server, waiting ones included.", watch.in_flight),
            "marline_draining": ("Whether the pod is about to end (0 or 1).", int(truth.draining)),
        }
        out: list[Metric] = []
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(name, text, labels=LABELS)
            gauge.add_metric(values, value)
            out.append(gauge)
        restarts = CounterMetricFamily("marline_worker_restarts", "Workers that replaced another one.", labels=LABELS)
        restarts.add_metric(values, truth.restarts)
        return [*out, restarts]


def registry(watch: Watch) -> CollectorRegistry:
    """A registry of what one watch observes."""
    own = CollectorRegistry()
    own.register(_Observed(watch))
    return own


def text(own: CollectorRegistry) -> bytes:
    """Prometheus text format."""
    return generate_latest(own)
