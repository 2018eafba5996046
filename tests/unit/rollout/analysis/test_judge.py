"""Verdicts: what goes on, what waits, what is rolled back, and that a killed judge goes on as if nothing had happened."""

from __future__ import annotations

import itertools
import json

import pytest

from marline.rollout.analysis import METRICS, Judge, Limits, Step, Window

SLOW = {"latencies": {"10": 0, "25": 30, "50": 30, "+Inf": 40}}


def evidence(verdict, metric):
    return next(each for each in verdict.evidence if each.metric == metric)


def test_a_candidate_like_stable_goes_on_when_its_time_is_up(pair):
    verdict = pair().until_decided()
    assert (verdict.decision, verdict.elapsed_s) == ("go", 60)
    assert all(each.missing is None and each.e_value <= 1 for each in verdict.evidence)


@pytest.mark.parametrize(
    ("metric", "fault"),
    [
        ("errors", {"errors": 5}),
        ("slow", SLOW),
        ("agreement", {"disagreed": 10}),
        ("shift", {"yes": 100}),
        ("cpu", {"cpu_s": 6.0}),
    ],
)
def test_a_fault_is_found_by_its_metric_and_by_no_other(pair, metric, fault):
    verdict = pair(**fault).until_decided()
    assert verdict.decision == "abort"
    assert [each.metric for each in verdict.evidence if each.harmful] == [metric]
    assert verdict.reason.startswith(f"{metric} is beyond its limit (")
    assert verdict.elapsed_s < 300


@pytest.mark.parametrize("fault", [{"errors": 5}, SLOW, {"disagreed": 10}], ids=["errors", "slow", "agreement"])
def test_gross_faults_are_found_within_a_minute(pair, fault):
    assert pair(**fault).until_decided().elapsed_s <= 60


def test_a_difference_inside_the_limits_is_tolerated(pair):
    mildly = {"latencies": {"10": 28, "25": 48, "50": 18, "+Inf": 6}, "cpu_s": 2.6, "yes": 55}
    assert pair(**mildly).until_decided().decision == "go"


def test_an_abort_is_final(pair):
    arms = pair(errors=50)
    verdict = arms.until_decided()
    arms.candidate.per_window["errors"] = 0
    later = [arms.judge.observe(window) for window in itertools.islice(arms.windows(), 50)]
    assert {(each.decision, each.reason) for each in later} == {("abort", verdict.reason)}
    with pytest.raises(ValueError, match="decided"):
        arms.judge.begin(arms.at)


def without(window, what):
    """The window as it looks when something could not be seen."""
    if what == "prometheus":
        return Window(window.at, replay=window.replay)
    if what == "replay":
        return Window(window.at, window.stable, window.candidate)
    return Window(window.at, **{"stable": window.stable, "candidate": window.candidate, what: {}}, replay=window.replay)


@pytest.mark.parametrize("what", ["prometheus", "stable", "candidate", "replay"])
def test_what_is_not_seen_holds_and_is_rolled_back_at_the_deadline(pair, what):
    arms = pair()
    verdicts = []
    for window in itertools.islice(arms.windows(), 60):
        verdicts.append(arms.judge.observe(without(window, what)))
    assert {each.decision for each in verdicts[:-1]} == {"hold"}
    assert verdicts[-1].decision == "abort"
    assert verdicts[-1].elapsed_s == 300
    assert "deadline of 300 s, evidence is missing: " in verdicts[-1].reason
    assert "nothing to compare was seen" in verdicts[-1].reason


def test_prometheus_that_stops_in_a_step_holds_it_although_there_was_evidence(pair):
    arms = pair()
    windows = arms.windows()
    for window in itertools.islice(windows, 11):
        arms.judge.observe(window)
    later = [arms.judge.observe(Window(window.at)) for window in itertools.islice(windows, 49)]
    assert later[0].decision == "go"  # what was seen 5 s ago still holds
    assert {each.decision for each in later[8:-1]} == {"hold"}
    assert "s old, allowed are 30" in later[8].reason
    assert later[-1].decision == "abort"


def test_series_that_do_not_move_any_more_are_no_evidence(pair):
    arms = pair()
    windows = arms.windows()
    last = list(itertools.islice(windows, 5))[-1]
    verdict = None
    for window in itertools.islice(windows, 20):
        verdict = arms.judge.observe(Window(window.at, last.stable, last.candidate, window.replay))
    assert verdict.decision == "hold"
    assert evidence(verdict, "agreement").missing is None
    assert all(evidence(verdict, metric).windows == 0 for metric in ("errors", "slow", "shift", "cpu"))


def test_too_few_answers_of_an_arm_hold_and_say_how_many_there_are(pair):
    judge = Judge(Limits(min_answers=5000), 0.05, ["errors"], [Step(10, 60, 300)])
    arms = pair(judge)
    verdicts = [judge.observe(window) for window in itertools.islice(arms.windows(), 20)]
    assert verdicts[-1].decision == "hold"
    assert verdicts[-1].reason == "Evidence is missing: errors: the candidate has 1900 of 5000 answers."


def test_a_restart_of_every_pod_is_no_evidence_of_anything(pair):
    arms = pair()
    verdict = None
    for number, window in enumerate(itertools.islice(arms.windows(), 12)):
        verdict = arms.judge.observe(window)
        if number == 5:
            arms.stable.restart()
            arms.candidate.restart()
    assert verdict.decision == "go"


def test_a_burst_of_errors_alone_does_not_end_a_rollout(pair):
    arms = pair()
    verdict = None
    for number, window in enumerate(arms.windows()):
        arms.candidate.per_window["errors"] = 60 if number in (3, 4, 5) else 0
        verdict = arms.judge.observe(window)
        if verdict.decision != "hold":
            break
    assert verdict.decision == "go"


def test_an_outage_of_both_arms_does_not_end_a_rollout(pair):
    arms = pair(errors=40)
    arms.stable.per_window["errors"] = 40
    assert arms.until_decided().decision == "go"


def test_scrapes_that_come_thick_and_fast_are_added_up(pair):
    arms = pair(Judge(Limits(), 0.05, ["errors"], [Step(10, 60, 300)]), every_s=0.5)
    verdicts = [arms.judge.observe(window) for window in itertools.islice(arms.windows(), 21)]
    assert evidence(verdicts[-1], "errors").windows == 5


def test_alpha_is_split_over_all_metrics_and_steps():
    steps = [Step(10, 60, 300), Step(50, 60, 300)]
    assert Judge(Limits(), 0.05, METRICS, steps).threshold == pytest.approx(5 * 2 / 0.05)
    assert Judge(Limits(), 0.01, ["errors"], steps[:1]).threshold == pytest.approx(100)


def test_each_step_is_judged_on_its_own_evidence(pair):
    arms = pair(Judge(Limits(), 0.05, METRICS, [Step(10, 60, 300), Step(50, 60, 300)]))
    assert arms.until_decided().step == 0
    assert arms.judge.begin(arms.at) == 1
    verdict = arms.judge.observe(next(arms.windows()))
    assert (verdict.step, verdict.elapsed_s, verdict.decision) == (1, 5, "hold")
    assert all(each.windows == 0 for each in verdict.evidence if each.metric != "agreement")
    assert arms.until_decided().decision == "go"
    with pytest.raises(ValueError, match="no step can begin"):
        arms.judge.begin(arms.at)


def test_a_judge_that_was_killed_after_any_window_goes_on_exactly(pair):
    steps = [Step(10, 20, 300), Step(50, 20, 300)]
    fault = {"cpu_s": 2.0 / 3, "yes": 57}
    whole, killed = (pair(Judge(Limits(), 0.05, METRICS, steps), **fault) for _ in range(2))
    for mine, theirs in itertools.islice(zip(whole.windows(), killed.windows(), strict=False), 60):
        document = json.dumps(killed.judge.to_json(), allow_nan=False)
        killed.judge = Judge.from_json(json.loads(document))
        assert killed.judge.to_json() == json.loads(document)
        verdicts = whole.judge.observe(mine), killed.judge.observe(theirs)
        assert verdicts[0] == verdicts[1]
        if verdicts[0].decision == "go" and whole.judge.step == 0:
            whole.judge.begin(whole.at)
            killed.judge.begin(killed.at)
    assert killed.judge.step == 1


def test_the_state_is_a_copy(pair):
    arms = pair()
    windows = arms.windows()
    arms.judge.observe(next(windows))
    state = arms.judge.to_json()
    before = json.dumps(state)
    arms.judge.observe(next(windows))
    resumed = Judge.from_json(state)
    resumed.observe(next(windows))
    assert json.dumps(state) == before


@pytest.mark.parametrize("change", [{"version": 2}, {"trials": [{}]}, {"seen": {}}, {"alpha": None}, {"limits": {"new": 1}}])
def test_a_state_that_cannot_be_read_is_refused_in_one_sentence(pair, change):
    with pytest.raises(ValueError, match=r"^state: .+; abort the rollout and start it again$"):
        Judge.from_json({**pair().judge.to_json(), **change})


def test_a_verdict_is_json(pair):
    verdict = pair(errors=5).until_decided()
    document = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert document["decision"] == "abort"
    assert document["method"].startswith("betting on windows")
    assert document["evidence"][0] | {"metric": "errors", "candidate": 0.05, "missing": None} == document["evidence"][0]


@pytest.mark.parametrize(
    "arguments",
    [(1.5, ["errors"], [Step(10, 1, 2)]), (0.05, [], [Step(10, 1, 2)]), (0.05, ["errors", "errors"], [Step(10, 1, 2)]), (0.05, ["speed"], [Step(10, 1, 2)]), (0.05, ["errors"], [])],
)
def test_a_judge_without_a_question_is_refused(arguments):
    with pytest.raises(ValueError, match=r"^(alpha|metrics|steps): "):
        Judge(Limits(), *arguments)


def test_nothing_is_judged_before_a_step_began():
    with pytest.raises(ValueError, match="no step has begun"):
        Judge(Limits(), 0.05, METRICS, [Step(10, 60, 300)]).observe(Window(0))
