"""What happened between two scrapes, whatever happened to the scrapes."""

from __future__ import annotations

from marline.rollout.analysis import Series
from marline.rollout.analysis.counters import MOST_PODS, advance


def answers(total, errors=0.0, **more):
    return Series(answers=total, errors=errors, **more)


def test_a_pod_counts_from_where_it_was_first_seen():
    seen = {}
    assert advance(seen, {"a": answers(1000, 7)}, 0) == {}
    assert advance(seen, {"a": answers(1010, 8)}, 5) == {"answers": {"all": 10, "errors": 1}}


def test_a_counter_that_fell_counts_from_zero_and_so_does_its_family():
    seen = {}
    advance(seen, {"a": answers(100, 1)}, 0)
    # three errors since the restart: more than before it, so only the answers show that there was one
    assert advance(seen, {"a": answers(40, 3)}, 5) == {"answers": {"all": 40, "errors": 3}}


def test_another_familys_counters_are_another_processs():
    seen = {}
    advance(seen, {"a": answers(100, 0, classes={"yes": 90.0})}, 0)
    found = advance(seen, {"a": answers(110, 0, classes={"yes": 5.0})}, 5)
    assert found == {"answers": {"all": 10, "errors": 0}, "classes": {"yes": 5}}


def test_a_missing_scrape_is_made_up_for_and_a_stale_one_adds_nothing():
    seen = {}
    advance(seen, {"a": answers(100)}, 0)
    assert advance(seen, {}, 5) == {}
    assert advance(seen, {"a": answers(100)}, 10) == {"answers": {"all": 0, "errors": 0}}
    assert advance(seen, {"a": answers(130)}, 15) == {"answers": {"all": 30, "errors": 0}}


def test_a_family_that_was_not_scraped_keeps_its_last_value():
    seen = {}
    advance(seen, {"a": answers(0, cpu_s=10.0)}, 0)
    advance(seen, {"a": answers(5)}, 5)
    found = advance(seen, {"a": answers(9, cpu_s=12.5)}, 10)
    assert found["cpu"] == {"seconds": 2.5, "pod_s": 10}


def test_pods_are_added_up_and_a_new_one_sets_its_own_start():
    seen = {}
    advance(seen, {"a": answers(10), "b": answers(20)}, 0)
    assert advance(seen, {"a": answers(11), "b": answers(22), "c": answers(999)}, 5)["answers"]["all"] == 3


def test_a_class_that_was_never_predicted_before_counts_from_zero():
    seen = {}
    advance(seen, {"a": Series(classes={"yes": 4.0})}, 0)
    assert advance(seen, {"a": Series(classes={"yes": 5.0, "no": 2.0})}, 5) == {"classes": {"yes": 1, "no": 2}}


def test_pods_that_are_gone_are_forgotten_before_the_state_outgrows_its_place():
    seen = {}
    for number in range(3 * MOST_PODS):
        advance(seen, {f"pod-{number}": answers(1), "steady": answers(number)}, number)
    assert len(seen) <= MOST_PODS + 1
    assert "steady" in seen
