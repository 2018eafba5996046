"""A cluster with one release of two versions, small enough to be rolled out in a moment.

Pods are what Deployments say; blue answers at 127.0.0.1, green at 127.0.0.2, each as a front and as an agent. Users' traffic is
counted when Prometheus is asked, shared out by the weights that the HTTPRoute has at that moment; beside it stands some that
does not depend on weights.
"""

from __future__ import annotations

import copy
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from handlerkit import manifest as manifests
from marline.rollout.analysis import Step
from marline.rollout.canary import record as records
from marline.rollout.canary.plan import Arm, Plan
from marline.rollout.canary.session import Session
from marline.rollout.canary.state import State
from marline.rollout.canary.store import Held
from marline.rollout.helm.upgrade import HelmRefused
from marline.rollout.kube import Kube, Object
from unit.agent.pod import MANIFEST
from unit.rollout import helm_program
from unit.rollout.api_server import Api, kube, served, serving

RELEASE, NAME = "toy", "toy-marline-rollout"
ADDRESSES = {"blue": "127.0.0.1", "green": "127.0.0.2"}
VERSIONS = {"blue": "1.0.0", "green": "1.1.0"}
IMAGE = {"repository": "registry.example.com/marline", "tag": "1.0.0"}
BEFORE: dict[str, Any] = {
    "image": IMAGE,
    "primary": "blue",
    "variants": {"blue": {"model": "toy", "version": "1.0.0", "variant": "onnx-int8", "weight": 100, "replicas": 2}},
}
GOAL: dict[str, Any] = {
    "image": IMAGE,
    "primary": "green",
    "variants": {
        "blue": {"model": "toy", "version": "1.0.0", "variant": "onnx-int8", "weight": 0, "replicas": 0},
        "green": {"model": "toy", "version": "1.1.0", "variant": "onnx-int8", "weight": 100, "replicas": 2},
    },
}
LIMITS = {"min_answers": 20, "min_compared": 3, "min_windows": 2, "window_s": 0.0, "stale_after_s": 30.0}


def plan(**changes: Any) -> Plan:
    """From blue to green in two steps, judged by errors that Prometheus knows."""
    base = Plan(
        id="20261121-193300", release=RELEASE, namespace="models", by="ada@laptop", created=time.time(),
        stable=Arm.of("blue", BEFORE["variants"]["blue"]), candidate=Arm.of("green", GOAL["variants"]["green"]),
        steps=(Step(10, 0.0, 5.0), Step(100, 0.0, 5.0)), ready_s=5.0, interval_s=0.01, alpha=0.05,
        metrics=("errors",), limits=LIMITS, prometheus=None, rate=0.0, requests=(), base=1,
        before=copy.deepcopy(BEFORE), goal=copy.deepcopy(GOAL),
    )  # fmt: skip
    return replace(base, **changes)


@dataclass
class World:
    """What is there, and how it behaves.

    Attributes:
        api: the API server.
        kube: its client.
        helm: the program.
        ready: whether pods of an endpoint are ready.
        restarts: of the server's container of an endpoint's pods.
        wrong: endpoints that answer other than recorded.
        failing: share of an endpoint's answers that are errors.
        prometheus: its address.
        down: whether Prometheus answers.
        looks: how often Prometheus was asked.
        weights: of the HTTPRoute after every write.
        at: called with the number of the look.
    """

    api: Api
    kube: Kube
    helm: Path = Path("helm")
    ready: dict[str, bool] = field(default_factory=lambda: {"blue": True, "green": True})
    restarts: dict[str, int] = field(default_factory=lambda: {"blue": 0, "green": 0})
    wrong: set[str] = field(default_factory=set)
    failing: dict[str, float] = field(default_factory=dict)
    prometheus: str = ""
    down: bool = False
    looks: int = 0
    answered: dict[str, list[float]] = field(default_factory=lambda: {"blue": [0.0, 0.0], "green": [0.0, 0.0]})
    weights: list[dict[str, int]] = field(default_factory=list)
    port: int = 0
    at: Callable[[int], None] = lambda look: None
    said: list[str] = field(default_factory=list)

    @property
    def session(self) -> Session:
        return Session(self.kube, RELEASE, NAME)

    def begin(self, plan: Plan) -> Plan:
        """Install the release, write the plan down."""
        ask = partial(_direct, self.api)
        helm_program.install(ask, RELEASE, plan.before)
        self.session.begin(plan)
        return plan

    def drive(self) -> Held:
        return self.session.drive(self.helm, self.said.append)

    def route(self) -> dict[str, int]:
        """What the HTTPRoute gives whom."""
        (found,) = self.api.there("httproutes").values()
        (rule,) = [r for r in found["spec"]["rules"] if "headers" not in r["matches"][0]]
        return {backend["name"].removeprefix(f"{RELEASE}-"): backend["weight"] for backend in rule["backendRefs"]}

    def revisions(self) -> list[dict[str, Any]]:
        found = [s for s in self.api.there("secrets").values() if s.get("type") == "helm.sh/release.v1"]
        return sorted(map(helm_program.held, found), key=lambda revision: revision["version"])

    def deployed(self) -> dict[str, Any]:
        (found,) = [r for r in self.revisions() if r["labels"]["status"] == "deployed"]
        return found

    def as_released(self) -> bool:
        """Whether the cluster has what the revision in force says, no more and no less."""
        wanted = helm_program.objects(RELEASE, self.deployed()["config"])
        there = {("Service", n) for n in self.api.all("services")} | {("Deployment", n) for n in self.api.all("deployments")}
        names = {(item["kind"], item["metadata"]["name"]) for item in wanted if item["kind"] != "HTTPRoute"}
        weights = {e: own.get("weight", 100) for e, own in self.deployed()["config"]["variants"].items()}
        return there == names and self.route() == weights and not any(r["labels"]["status"].startswith("pending") for r in self.revisions())

    def settle(self, resource: str) -> None:
        """What controllers do after a write."""
        if resource == "httproutes":
            self.weights.append(self.route())
        if resource == "services":
            for (of, _), found in self.api.objects.items():
                if of == "services":
                    endpoint = found["metadata"]["labels"][helm_program.ENDPOINT]
                    found["spec"] |= {"clusterIP": ADDRESSES[endpoint], "ports": [{"port": self.port}]}
        if resource == "deployments":
            self.pods()

    def pods(self) -> None:
        """Make Deployments' pods what they should be."""
        with self.api.lock:
            for key in [key for key in self.api.objects if key[0] == "pods"]:
                del self.api.objects[key]
            for (of, name), found in list(self.api.objects.items()):
                if of != "deployments":
                    continue
                count, generation = found["spec"]["replicas"], found["metadata"]["generation"]
                found["status"] = {"observedGeneration": generation, "replicas": count, "updatedReplicas": count}
                for number in range(count):
                    pod = self._pod(f"{name}-{number}", found["metadata"]["labels"])
                    self.api.objects["pods", pod["metadata"]["name"]] = pod

    def _pod(self, name: str, labels: dict[str, str]) -> Object:
        endpoint = labels[helm_program.ENDPOINT]
        ready = self.ready[endpoint]
        state: Object = {"running": {}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}}
        container = {"name": "server", "ready": ready, "restartCount": self.restarts[endpoint], "state": state}
        return {
            "metadata": {"name": name, "labels": {**labels, "app.kubernetes.io/component": "server"}, "resourceVersion": "1"},
            "spec": {},
            "status": {
                "podIP": ADDRESSES[endpoint],
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                "initContainerStatuses": [container],
                "containerStatuses": [{"name": "front", "ready": True, "restartCount": 0, "state": {"running": {}}}],
            },
        }

    def counted(self) -> dict[str, list[float]]:
        """Answers and errors by pod, after some more of users."""
        self.looks += 1
        self.at(self.looks)
        for endpoint, weight in self.route().items():
            answers = weight + 20.0
            self.answered[endpoint][0] += answers
            self.answered[endpoint][1] += answers * self.failing.get(endpoint, 0.0)
        found: dict[str, list[float]] = {}
        for name, pod in self.api.there("pods").items():
            count = self.answered[pod["metadata"]["labels"][helm_program.ENDPOINT]]
            found[name] = count
        return found


    def helm_here(self, command: list[str], given: str, env: dict[str, str], ask: helm_program.Ask | None = None) -> str:
        """What a process of Helm does, without the process."""
        try:
            code, said, wrong = helm_program.upgrade(ask or partial(_direct, self.api), command[1:], json.loads(given))
        except helm_program.Dies:
            code, said, wrong = -9, "", ""
        if code:
            raise HelmRefused(f"helm {command[1]}: {' '.join(wrong.split()).removeprefix('Error: ')}")
        return said


def _direct(api: Api, method: str, path: str, kind: str, body: Any) -> tuple[int, Any]:
    status, document = api.handle(method, path, kind, copy.deepcopy(body))
    return status, json.loads(document)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """The cluster, all of it over HTTP."""
    api = Api()
    with ExitStack() as stack:
        url = stack.enter_context(served(api))
        made = World(api, kube(url), helm_program.program(folder))
        api.written = made.settle
        made.port = _pods(made, stack)
        made.prometheus = stack.enter_context(serving(_prometheus(made)))
        yield made


def _pods(made: World, stack: ExitStack) -> int:
    class Handler(BaseHTTPRequestHandler):
        def _endpoint(self) -> str:
            here = self.connection.getsockname()[0]
            return next(endpoint for endpoint, address in ADDRESSES.items() if address == here)

        def do_GET(self) -> None:
            found = replace(MANIFEST, version=VERSIONS[self._endpoint()])
            _send(self, 200 if self.path == "/manifest" else 404, manifests.dumps(found))

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            endpoint = self._endpoint()
            outputs = {"y": [2.0 * x + 100 * (endpoint in made.wrong) for x in document["inputs"]["x"]]}
            answer = {"model": "toy", "model_version": VERSIONS[endpoint], "variant": "onnx-int8", "outputs": outputs}
            _send(self, 200, json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    for _ in range(20):
        with ExitStack() as tried:
            url = tried.enter_context(serving(Handler))
            port = urllib.parse.urlsplit(url).port
            assert port is not None
            try:
                tried.enter_context(serving(Handler, (ADDRESSES["green"], port)))
            except OSError:
                continue  # somebody else has this port there
            stack.push(tried.pop_all())
            return port
    raise AssertionError("no port is free on both addresses")


def _prometheus(made: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
            at, ranged = float(form["time"]), form["query"].endswith("[30s]")
            if made.down:
                _send(self, 503, b"no")
                return
            samples: list[tuple[dict[str, str], float]] = []
            pods = made.counted() if not ranged else {pod: [0.0, 0.0] for pod in made.api.all("pods")}
            for pod, (answers, errors) in pods.items():
                samples.append(({"__name__": "envoy_server_live", "pod": pod}, 1.0))
                if not ranged:
                    ingress = {"pod": pod, "envoy_http_conn_manager_prefix": "ingress"}
                    samples.append(({"__name__": "envoy_http_downstream_rq_completed", **ingress}, answers))
                    bad = {"__name__": "envoy_http_downstream_rq_xx", "envoy_response_code_class": "5", **ingress}
                    samples.append((bad, errors))
            result = [
                {"metric": labels, **({"values": [[at, str(value)]]} if ranged else {"value": [at, str(value)]})}
                for labels, value in samples
            ]
            kind = "matrix" if ranged else "vector"
            _send(self, 200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes | str) -> None:
    sent = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    handler.send_header("content-length", str(len(sent)))
    handler.end_headers()
    handler.wfile.write(sent)


def held(found: Plan, **state: Any) -> Held:
    """A rollout that is that far."""
    return Held(found, State(entered=found.created, **state), records.begin(found), None)


def always_whole(small: World) -> None:
    """Whoever looks at the HTTPRoute at any moment sees all of the traffic shared out."""
    assert {sum(weights.values()) for weights in small.weights} == {100}


def as_before(small: World) -> None:
    assert small.deployed()["config"] == BEFORE
    assert small.as_released()
    always_whole(small)


def once(small: World, look: int, what: Any) -> None:
    """Do something when Prometheus is asked for that time."""
    small.at = lambda number: what() if number == look else None
