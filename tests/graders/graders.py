"""The graders: each reads a folder of rendered scenarios (``NAME.yaml``) and says what is wrong with them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.binaries import module_of, version
from graders.findings import Finding, Graded

POLICIES = Path(__file__).parent / "policies"
# Contradict themselves where a container may use idle CPU or disk: with them every request would be its limit.
NOT_ASKED = (
    "container-resource-requests-equal-limits",
    "container-cpu-requests-equal-limits",
    "container-ephemeral-storage-request-equals-limit",
)
ACCEPTABLE = 7  # kube-score: below it, 5 warns and 1 is critical
VERDICT = re.compile(
    r"^(?P<level>INFO|WARN|ERROR) \S+ (?:"
    r"passed for resource (?P<passed>\S+) against version \S+|"
    r"did not validate for resource (?P<failed>\S+) against version [^:]+: (?P<text>.*)|"
    r"Couldn't find schema for kind (?P<unknown>\S+) .*)$"
)


class Broken(Exception):
    """A grader did not do its work; the text is what it said."""


def kubernetes() -> str:
    """The version of Kubernetes that the tests run, such as ``1.36``."""
    return ".".join(version(module_of("kubectl"), "k8s.io/kubernetes").removeprefix("v").split(".")[:2])


def said(*command: str | Path, codes: tuple[int, ...] = (0, 1)) -> str:
    """What a program printed; its exit code says only whether it found something."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode not in codes or not done.stdout.strip():
        raise Broken(f"{Path(command[0]).name}: exit code {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def answered(*command: str | Path) -> Any:
    """The same, read as JSON."""
    text = said(*command)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise Broken(f"{Path(command[0]).name}: no JSON: {text[-2000:]}") from None


def kube_score(program: Path, folder: Path) -> Graded:
    """kube-score, with those of its optional checks that are meant for this chart."""
    graded = Graded()
    listed = [line.split(",") for line in said(program, "list").splitlines()]
    optional = [line[0] for line in listed if line[-1] == "optional" and line[0] not in NOT_ASKED]
    flags = [flag for check in optional for flag in ("--enable-optional-test", check)]
    for path in sorted(folder.glob("*.yaml")):
        options = ["--kubernetes-version", f"v{kubernetes()}", "--output-format", "json", *flags]
        for item in answered(program, "score", *options, path):
            subject = f"{item['type_meta']['kind']}/{item['object_meta']['name']}"
            graded.seen.add((path.stem, subject))
            for check in item["checks"]:
                if not check["skipped"] and check["grade"] < ACCEPTABLE:
                    texts = {f"{c['path']} {c['summary']}".strip() for c in check["comments"] or []}
                    text = "; ".join(sorted(texts)) or check["check"]["name"]
                    graded.findings.append(Finding("kube-score", check["check"]["id"], path.stem, subject, text))
    return graded


def checkov(program: Path, folder: Path) -> Graded:
    """checkov's checks for Kubernetes, without a look at any network."""
    report = answered(program, "-d", folder, "--framework", "kubernetes", "--skip-download", "--compact", "-o", "json")
    if "results" not in report or report["results"]["parsing_errors"]:
        raise Broken(f"checkov: {report.get('results', {}).get('parsing_errors', report)}")
    graded = Graded()
    for verdict in ("passed_checks", "failed_checks"):
        for check in report["results"][verdict]:
            scenario = Path(check["file_path"]).stem
            kind, _, name = check["resource"].split(".", 2)
            graded.seen.add((scenario, f"{kind}/{name}"))
            if verdict == "failed_checks":
                text = check["check_name"]
                graded.findings.append(Finding("checkov", check["check_id"], scenario, f"{kind}/{name}", text))
    return graded


def kubernetes_validate(program: Path, folder: Path) -> Graded:
    """The schemas of Kubernetes, strict: no unknown field."""
    graded = Graded()
    for path in sorted(folder.glob("*.yaml")):
        lines = said(program, "-k", kubernetes(), "--strict", path).splitlines()
        for line in lines:
            if not (verdict := VERDICT.match(line)):
                raise Broken(f"kubernetes-validate: {line}")
            subject = verdict["passed"] or verdict["failed"] or f"{verdict['unknown'].lower()}/"
            graded.seen.add((path.stem, subject))
            check = {"INFO": None, "WARN": "no-schema", "ERROR": "schema"}[verdict["level"]]
            if check:
                text = verdict["text"] or line
                graded.findings.append(Finding("kubernetes-validate", check, path.stem, subject, text))
    return graded


def conftest(program: Path, folder: Path) -> Graded:
    """The policies of this folder."""
    graded = Graded()
    for path in sorted(folder.glob("*.yaml")):
        options = ["--combine", "--policy", POLICIES, "--output", "json"]
        for result in answered(program, "test", *options, path):
            if result.get("successes", 0) + len(result.get("failures", [])) == 0:
                raise Broken(f"conftest: no policy looked at {path.name}")
            for failure in [*result.get("failures", []), *result.get("warnings", [])]:
                check, subject = failure["metadata"]["check"], failure["metadata"]["object"]
                graded.findings.append(Finding("conftest", check, path.stem, subject, failure["msg"]))
    return graded


@dataclass(frozen=True)
class Grader:
    """A grader by name.

    Attributes:
        grade: looks at a folder.
        built: its program is built by tests/cluster; otherwise it is installed from requirements/graders.lock.
    """

    grade: Callable[[Path, Path], Graded]
    built: bool


GRADERS = {
    "checkov": Grader(checkov, built=False),
    "conftest": Grader(conftest, built=True),
    "kube-score": Grader(kube_score, built=True),
    "kubernetes-validate": Grader(kubernetes_validate, built=False),
}
