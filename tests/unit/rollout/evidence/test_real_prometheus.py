"""A real Prometheus scrapes pods that a test makes up, and a real front; a look reads back what they wrote."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.envoy import MANIFEST, running, settings
from agent.upstream import answers, upstream
from agent.waiting import until
from cluster.binaries import digest, module_of
from cluster.settings import cache
from marline.rollout.analysis import Metric
from marline.rollout.evidence import Look, Prometheus
from marline.rollout.evidence.asking import ask
from marline.rollout.evidence.samples import read

PROGRAM = cache() / "bin" / digest(module_of("prometheus")) / "prometheus"
pytestmark = pytest.mark.skipif(
    not PROGRAM.is_file(), reason="Prometheus, which takes minutes to build once, has not been built yet"
)
INTERVAL = "200ms"
Page = Callable[[], str | None]
FRONT: tuple[Metric, ...] = ("errors", "slow", "shift")


@dataclass
class Scraped:
    """A Prometheus and the pages that it scrapes: None where the scrape fails."""

    prometheus: Prometheus
    pages: dict[str, Page] = field(default_factory=dict)

    def look(self, metrics: tuple[Metric, ...], stable: str = "s", candidate: str = "c", /) -> Look:
        return self.prometheus.look("models", [stable], [candidate], metrics, time.time())

    def until(self, condition: Callable[[Look], object], what: str, metrics: tuple[Metric, ...] = FRONT) -> Look:
        """The first look that shows it."""
        seen: list[Look] = []
        until(lambda: seen.append(self.look(metrics)) or condition(seen[-1]), what)
        return seen[-1]


def page(
    answered: float | None, errors: float | None = None, classes: str = "", bounds: tuple[str, ...] = ("1", "50")
) -> str:
    """As Envoy writes it: only what has moved."""
    ingress = 'envoy_http_conn_manager_prefix="ingress"'
    lines = ["# TYPE envoy_server_live gauge", "envoy_server_live{} 1"]
    if answered is not None:
        lines += [
            "# TYPE envoy_http_downstream_rq_completed counter",
            f"envoy_http_downstream_rq_completed{{{ingress}}} {answered}",
        ]
        lines += ['envoy_http_downstream_rq_completed{envoy_http_conn_manager_prefix="admin"} 999']
        lines += ["# TYPE envoy_http_downstream_rq_time histogram"]
        lines += [f'envoy_http_downstream_rq_time_bucket{{{ingress},le="{le}"}} {answered}' for le in (*bounds, "+Inf")]
        lines += [
            f"envoy_http_downstream_rq_time_sum{{{ingress}}} 7",
            f"envoy_http_downstream_rq_time_count{{{ingress}}} {answered}",
        ]
    if errors is not None:
        lines += [
            "# TYPE envoy_http_downstream_rq_xx counter",
            f'envoy_http_downstream_rq_xx{{envoy_response_code_class="5",{ingress}}} {errors}',
        ]
    for each in classes.split():
        name, _, count = each.partition("=")
        lines.append(f'envoy_http_lua_answers{{class="{name}",{ingress}}} {count}')
    return "\n".join([*lines, ""])


def kubelet(at: float, **seconds: float) -> str:
    """As cAdvisor writes it: with its own time."""
    lines = ["# TYPE container_cpu_usage_seconds_total counter"]
    for pod, value in seconds.items():
        for container, of in (("server", value), ("agent", 1000.0), ("", 2000.0)):
            labels = (
                f'container="{container}",cpu="total",id="/{container}",image="",name="",namespace="models",pod="{pod}"'
            )
            lines.append(f"container_cpu_usage_seconds_total{{{labels}}} {of} {int(at * 1000)}")
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def running_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("prometheus")
    pages: dict[str, Page] = {}
    with pages_at(pages) as port:
        jobs = [
            {
                "job_name": f"front-{pod}", "metrics_path": f"/{pod}",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "models", "pod": pod}}],
            }
            for pod in ("s", "c", "envoy")
        ]  # fmt: skip
        cadvisor = {
            "job_name": "cadvisor",
            "metrics_path": "/cadvisor",
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        config = {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
            "scrape_configs": [*jobs, cadvisor],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [
            PROGRAM,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield Scraped(Prometheus(f"http://127.0.0.1:{listening(process, folder / 'log')}", timeout_s=10), pages)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def scraped(running_prometheus: Scraped) -> Iterator[Scraped]:
    """With no page; what earlier tests wrote is gone."""
    running_prometheus.pages.clear()
    running_prometheus.until(lambda look: not look.stable and not look.candidate, "an end of earlier pages")
    yield running_prometheus


@contextmanager
def pages_at(pages: dict[str, Page]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = pages.get(self.path.strip("/"), lambda: None)()
            body = (text or "").encode()
            self.send_response(503 if text is None else 200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def listening(process: subprocess.Popen[bytes], log: Path) -> int:
    found: list[str] = []

    def said() -> bool:
        assert process.poll() is None, log.read_text()
        found[:] = re.findall(r"msg=\"Listening on\".* address=127\.0\.0\.1:(\d+)", log.read_text())
        return bool(found)

    until(said, "Prometheus listens")
    return int(found[0])


def test_what_was_written_is_read(scraped: Scraped) -> None:
    scraped.pages.update(s=lambda: page(100, 2, "yes=60 no=38"), c=lambda: page(10, None, "yes=10"))
    scraped.pages["cadvisor"] = lambda: kubelet(time.time() - 5, s=12.5, c=3.5)
    found = scraped.until(
        lambda look: look.problem is None and look.candidate["c"].answers,
        "both arms",
        ("errors", "slow", "shift", "cpu"),
    )
    stable, candidate = found.stable["s"], found.candidate["c"]
    assert (stable.answers, stable.errors, stable.cpu_s) == (100, 2, 12.5)
    assert stable.buckets == {"1": 100, "50": 100, "+Inf": 100}
    assert (candidate.answers, candidate.errors, candidate.cpu_s) == (10, 0, 3.5)
    assert candidate.classes == {"no": 0, "yes": 10}


def test_an_idle_front_has_zeros_not_nothing(scraped: Scraped) -> None:
    scraped.pages.update(s=lambda: page(100, 2, "yes=98"), c=lambda: page(None))
    found = scraped.until(lambda look: look.problem is None, "both arms")
    assert (found.candidate["c"].answers, found.candidate["c"].errors) == (0, 0)
    assert found.candidate["c"].buckets == {"1": 0, "50": 0, "+Inf": 0}
    assert found.candidate["c"].classes == {"yes": 0}


def test_errors_of_a_front_that_was_restarted_are_gone_with_it(scraped: Scraped) -> None:
    """Prometheus still holds the sample of 37 errors, younger than 30 s; the newest scrape no longer had it."""
    scraped.pages.update(s=lambda: page(100), c=lambda: page(400, 37))
    scraped.until(lambda look: look.candidate and look.candidate["c"].errors == 37, "the errors")
    scraped.pages["c"] = lambda: page(5)
    found = scraped.until(lambda look: look.candidate["c"].answers == 5, "the new front")
    assert found.candidate["c"].errors == 0


def test_a_scrape_that_fails_leaves_the_arm_empty(scraped: Scraped) -> None:
    """Never zeros: they would look like a restart, and the whole past would be counted again."""
    scraped.pages.update(s=lambda: page(100), c=lambda: page(400, 37))
    scraped.until(lambda look: look.stable and look.candidate, "both arms")
    scraped.pages["c"] = lambda: None
    seen = []
    scraped.until(lambda look: seen.append(look) or not look.candidate, "an empty arm")
    assert all(look.candidate["c"].errors == 37 for look in seen[:-1])
    assert "nothing of the candidate" in (seen[-1].problem or "")


def test_cpu_of_long_ago_is_none(scraped: Scraped) -> None:
    old = time.time() - 45
    scraped.pages.update(envoy=lambda: page(100), cadvisor=lambda: kubelet(old, envoy=7.0))
    address = scraped.prometheus.address
    wanted = {"query": 'container_cpu_usage_seconds_total{pod="envoy"}'}
    until(lambda: read(ask(address, wanted, 10)), "the kubelet's old sample")
    assert read(ask(address, {**wanted, "lookback_delta": "30s"}, 10)) == []
    seen: list[Look] = []
    until(lambda: seen.append(scraped.look(("cpu",), "envoy", "envoy")) or seen[-1].stable, "the front")
    assert (seen[-1].stable["envoy"].answers, seen[-1].stable["envoy"].cpu_s) == (100, None)
    assert "no container_cpu_usage_seconds_total" in (seen[-1].problem or "")


def test_a_real_front_is_read(scraped: Scraped) -> None:
    classifier = replace(MANIFEST, labels=("negative", "positive"))
    with upstream() as server, running(server, settings(), classifier) as front:
        server.answer = answers(200, {"content-type": "application/json"}, b'{"label": "positive"}')
        scraped.pages["envoy"] = lambda: front.admin("/stats/prometheus?usedonly").decode()
        for _ in range(5):
            assert front.ask().status == 200
        server.answer = answers(503, {"x-marline-error": "1"})
        assert front.ask().status == 503
        seen: list[Look] = []

        def measured() -> bool:
            seen.append(scraped.look(FRONT, "envoy", "envoy"))
            return bool(seen[-1].stable) and seen[-1].stable["envoy"].buckets.get("+Inf") == 6

        # a front shows its latencies a few seconds after the answers
        until(measured, "its latencies")
        del scraped.pages["envoy"]
    found = seen[-1].stable["envoy"]
    assert (found.answers, found.errors) == (6, 1)
    assert found.classes == {"positive": 5}
    assert seen[-1].problem is None
