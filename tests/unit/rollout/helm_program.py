"""What stands for Helm: revisions in Secrets and objects in the API server, as the real one writes them.

It is a program of its own, and for tests that run it very often a function. How it is to behave it asks the API server:
``ok``; ``refuse`` (nothing is written); ``fail`` (all objects but the HTTPRoute are written, the revision is failed);
``die`` (likewise, and the revision stays pending).
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMESPACE = "models"
ENDPOINT = "marline.dev/endpoint"
PLACES = {
    "Deployment": "/apis/apps/v1/namespaces/models/deployments",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/models/httproutes",
    "Service": "/api/v1/namespaces/models/services",
}
SECRETS = "/api/v1/namespaces/models/secrets"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
Ask = Callable[[str, str, str, Any], tuple[int, Any]]
CHART = {
    "metadata": {"name": "marline", "version": "1.0.0", "apiVersion": "v2"},
    "values": {"primary": ""},
    "schema": base64.b64encode(b'{"type": "object"}').decode(),
    "templates": [{"name": "templates/service.yaml", "data": base64.b64encode(b"kind: Service\n").decode()}],
    "files": [{"name": "docs/README.md", "data": base64.b64encode(b"read me\n").decode()}],
}


class Dies(BaseException):
    """The program is killed."""


def objects(release: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """What the chart makes of values, of that what a rollout reads."""
    out: list[dict[str, Any]] = []
    for endpoint, own in values["variants"].items():
        labels = {"app.kubernetes.io/instance": release, ENDPOINT: endpoint}
        metadata = {"name": f"{release}-{endpoint}", "labels": labels}
        scaling = own.get("autoscaling") or {}
        replicas = scaling.get("minReplicas", own.get("replicas", 1))
        pod = {"image": own.get("image", values["image"]), "version": own["version"]}
        out.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels}})
        out.append(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {"replicas": replicas, "template": pod},
            }
        )
    shares = [(f"{release}-{endpoint}", own.get("weight", 100)) for endpoint, own in values["variants"].items()]
    model = next(iter(values["variants"].values()))["model"]
    backends = [{"name": name, "port": 8080, "weight": weight} for name, weight in shares]
    rules = [
        {
            "matches": [
                {
                    "path": {"type": "PathPrefix", "value": "/"},
                    "headers": [{"name": "x-marline-variant", "value": name}],
                }
            ],
            "backendRefs": [{"name": name, "port": 8080}],
        }
        for name, _ in shares
    ]
    rules.append({"matches": [{"path": {"type": "Exact", "value": f"/predictions/{model}"}}], "backendRefs": backends})
    route = {
        "name": f"{release}-marline",
        "labels": {"app.kubernetes.io/instance": release},
        "annotations": {"note": "kept"},
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    return [*out, {**kind, "metadata": route, "spec": {"parentRefs": [{"name": "public"}], "rules": rules}}]


def manifest(found: list[dict[str, Any]]) -> str:
    return "".join(f"---\n{json.dumps(item)}\n" for item in found)


def secret(
    release: str, number: int, status: str, values: dict[str, Any], labels: dict[str, str], method: str = "ssa"
) -> dict[str, Any]:
    """A revision as Helm keeps it."""
    document = {
        "name": release,
        "version": number,
        "info": {"status": status},
        "config": values,
        "chart": CHART,
        "manifest": manifest(objects(release, values)),
        "apply_method": method,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(document).encode(), mtime=0))
    known = {"owner": "helm", "name": release, "status": status, "version": str(number)}
    return {
        "metadata": {"name": f"sh.helm.release.v1.{release}.v{number}", "labels": {**labels, **known}},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }


def held(found: dict[str, Any]) -> dict[str, Any]:
    packed = base64.b64decode(base64.b64decode(found["data"]["release"]))
    return {
        **json.loads(gzip.decompress(packed)),
        "labels": found["metadata"]["labels"],
        "secret": found["metadata"]["name"],
    }


def install(ask: Ask, release: str, values: dict[str, Any], **options: str) -> None:
    """The first revision."""
    for item in objects(release, values):
        ask("POST", PLACES[item["kind"]], "application/json", item)
    ask("POST", SECRETS, "application/json", secret(release, 1, "deployed", values, {}, **options))


def upgrade(ask: Ask, arguments: list[str], values: dict[str, Any]) -> tuple[int, str, str]:
    """``helm upgrade``: exit code, standard output, standard error."""
    verb, release, chart, *rest = arguments
    options = dict(zip(rest, [*rest[1:], ""], strict=True))
    assert verb == "upgrade"
    assert options["--namespace"] == NAMESPACE
    assert {"--reset-values", "--values"} <= set(rest)
    assert (Path(chart) / "Chart.yaml").is_file()
    order = ask("POST", "/helm", "application/json", values)[1]["order"]
    if order == "refuse":
        return 1, "", "Error: UPGRADE FAILED: values don't meet\nthe specifications of the schema\n"
    wanted = objects(release, values)
    if "--dry-run=client" in rest:
        return 0, json.dumps({"manifest": manifest(wanted)}), ""
    labels = dict([options["--labels"].split("=")]) if "--labels" in options else {}
    _, listed = ask("GET", f"{SECRETS}?labelSelector=owner%3Dhelm%2Cname%3D{release}", "", None)
    revisions = sorted(map(held, listed["items"]), key=lambda found: found["version"])
    if revisions[-1]["labels"]["status"].startswith("pending"):
        return 1, "", "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"
    known = ("deployed", "superseded")
    current = next(found for status in known for found in reversed(revisions) if found["labels"]["status"] == status)
    # Helm gives a revision the labels of the last one, and lays its own over them
    inherited = {k: v for k, v in revisions[-1]["labels"].items() if k not in ("name", "owner", "status", "version")}
    labels = {**inherited, **labels}
    number = revisions[-1]["version"] + 1
    status, said = ask("POST", SECRETS, "application/json", secret(release, number, "pending-upgrade", values, labels))
    if status != 201:
        return 1, "", f"Error: UPGRADE FAILED: {said['message']}\n"
    before = [json.loads(text) for text in current["manifest"].split("---\n") if text]
    last = len(wanted) - 1
    for place, item in enumerate(wanted):
        if place == last and order == "die":
            raise Dies
        if place == last and order == "fail":
            if "--cleanup-on-fail" in rest:
                known = {(each["kind"], each["metadata"]["name"]) for each in before}
                for each in wanted[:last]:
                    if (each["kind"], each["metadata"]["name"]) not in known:
                        ask("DELETE", f"{PLACES[each['kind']]}/{each['metadata']['name']}", "", None)
            ask(
                "PUT",
                f"{SECRETS}/sh.helm.release.v1.{release}.v{number}",
                "",
                secret(release, number, "failed", values, labels),
            )
            return 1, "", "Error: UPGRADE FAILED: admission webhook denied the request\n"
        url = f"{PLACES[item['kind']]}/{item['metadata']['name']}?fieldManager=helm&force=true"
        ask("PATCH", url, APPLY, item)
    names = {(item["kind"], item["metadata"]["name"]) for item in wanted}
    for item in before:
        if (item["kind"], item["metadata"]["name"]) not in names:
            ask("DELETE", f"{PLACES[item['kind']]}/{item['metadata']['name']}", "", None)
    for found in (f for f in revisions if f["labels"]["status"] == "deployed"):
        old = secret(release, found["version"], "superseded", found["config"], found["labels"], found["apply_method"])
        old["metadata"]["labels"] = {**found["labels"], "status": "superseded"}
        ask("PUT", f"{SECRETS}/{found['secret']}", "", old)
    new = secret(release, number, "deployed", values, labels)
    ask("PUT", f"{SECRETS}/{new['metadata']['name']}", "", new)
    return 0, f'Release "{release}" has been upgraded.\n', ""


def over_http(url: str) -> Ask:
    """Calls of a program."""
    import urllib.error
    import urllib.request

    def ask(method: str, path: str, kind: str, body: Any) -> tuple[int, Any]:
        sent = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url + path, sent, {"content-type": kind or "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return ask


def main() -> int:
    values = json.load(sys.stdin)
    try:
        code, said, wrong = upgrade(over_http(os.environ["MARLINE_TEST_API"]), sys.argv[1:], values)
    except Dies:
        os.kill(os.getpid(), signal.SIGKILL)
        raise
    sys.stdout.write(said)
    sys.stderr.write(wrong)
    return code


def program(folder: Path) -> Path:
    """Write the program."""
    path = folder / "helm"
    tests = Path(__file__).parents[2]
    lines = [f"#!{sys.executable} -IS", "import sys", f"sys.path.insert(0, {str(tests)!r})"]
    path.write_text("\n".join([*lines, "from unit.rollout.helm_program import main", "sys.exit(main())", ""]))
    path.chmod(0o755)
    return path


def install_again(host: str, folder: Path, values: dict[str, Any], *more: str) -> None:
    """What a person's own ``helm upgrade`` does."""
    chart = folder / "their-chart"
    chart.mkdir()
    (chart / "Chart.yaml").touch()
    given = ["upgrade", "toy", str(chart), "--namespace", NAMESPACE, "--reset-values", "--values", "-", *more]
    upgrade(over_http(host), given, values)
