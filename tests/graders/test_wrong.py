"""Each grader objects to what is wrong, and each of our own policies has been seen to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from chart.rendering import Chart
from graders import environment
from graders.findings import Allowed, Finding, Graded, stale, unexplained
from graders.graders import GRADERS, POLICIES, Broken
from graders.wrong import WRONG, Wrong

Grade = Callable[[str, Path], Graded]
RULE = re.compile(r'^deny contains objects\.finding\("([a-z-]+)"', re.MULTILINE)


@pytest.fixture(scope="session")
def seeded(grade: Grade, chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Finding]]:
    """What a grader says about everything that is wrong for it, each change a scenario of its own; it is asked once."""
    known: dict[str, list[Finding]] = {}

    def called(name: str) -> list[Finding]:
        if name not in known:
            folder = tmp_path_factory.mktemp("wrong")
            for number, wrong in enumerate(WRONG):
                if wrong.grader == name:
                    text = yaml.safe_dump_all(wrong.applied(chart.objects(wrong.scenario)))
                    (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
            known[name] = grade(name, folder).findings
        return known[name]

    return called


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.grader}:{wrong.check}")
def test_what_is_wrong_is_found(
    seeded: Callable[[str], list[Finding]], graded: Callable[[str], Graded], wrong: Wrong
) -> None:
    found = [one for one in seeded(wrong.grader) if one.scenario == str(WRONG.index(wrong))]
    before = {replace(one, scenario="") for one in graded(wrong.grader).findings if one.scenario == wrong.scenario}
    new = {replace(one, scenario="") for one in found} - before
    assert [one for one in new if one.check == wrong.check and wrong.text in one.text], found


def test_every_rule_of_every_policy_has_a_manifest_that_breaks_it() -> None:
    rules = Counter(check for path in POLICIES.glob("*.rego") for check in RULE.findall(path.read_text("utf-8")))
    assert rules == Counter(wrong.check for wrong in WRONG if wrong.grader == "conftest")


def test_every_grader_has_a_manifest_that_it_refuses() -> None:
    assert {wrong.grader for wrong in WRONG} == set(GRADERS)


class TestExceptions:
    FOUND = Finding("checkov", "CKV_K8S_8", "minimal", "Pod/test-a", "no probe")

    def test_what_is_covered_is_explained(self) -> None:
        assert unexplained([self.FOUND], [Allowed("checkov", "CKV_K8S_8", ("Pod/test-*",), "why")]) == []

    @pytest.mark.parametrize(
        "other",
        [
            Allowed("kube-score", "CKV_K8S_8", ("Pod/*",), "why"),
            Allowed("checkov", "CKV_K8S_9", ("Pod/*",), "why"),
            Allowed("checkov", "CKV_K8S_8", ("Deployment/*",), "why"),
        ],
    )
    def test_what_is_not_is_a_finding_and_the_exception_stale(self, other: Allowed) -> None:
        assert unexplained([self.FOUND], [other]) == [self.FOUND]
        assert stale([self.FOUND], [other]) == [f"{other.grader} {other.check} on {other.objects[0]}"]

    def test_each_pattern_has_to_cover_something(self) -> None:
        known = Allowed("checkov", "CKV_K8S_8", ("Pod/*", "Deployment/*"), "why")
        assert stale([self.FOUND], [known]) == ["checkov CKV_K8S_8 on Deployment/*"]


def test_a_grader_that_cannot_read_its_input_is_no_success(grade: Grade, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("apiVersion: [", encoding="utf-8")
    for name in GRADERS:
        with pytest.raises(Broken):
            grade(name, tmp_path)


class TestEnvironment:
    def test_an_installation_that_fails_is_said_and_leaves_no_complete_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MARLINE_CACHE", str(tmp_path))
        lock = tmp_path / "x.lock"
        lock.write_text("nothing==1.0 --hash=sha256:1\n", encoding="utf-8")
        with pytest.raises(environment.Unavailable, match=r"`pip install -r requirements/x.lock` failed"):
            environment.program("nothing", lock)
        assert not list(tmp_path.glob(f"graders/*/{environment.STAMP}"))

    def test_another_lock_is_another_environment(self, tmp_path: Path) -> None:
        lock = tmp_path / "x.lock"
        lock.write_text("a==1\n", encoding="utf-8")
        before = environment.digest(lock)
        lock.write_text("a==2\n", encoding="utf-8")
        assert environment.digest(lock) != before
