"""What follows from observations: when a pod is ready, and when only a restart helps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marline.agent.truth import ABANDONED_S, SILENCE_S, WEDGED_S, Truth

ONE, TWO = frozenset({11}), frozenset({11, 12})
START = 100.0


def fresh(workers: int = 2) -> Truth:
    return Truth("toy 1.0.0", workers, START)


def loaded(now: float = START, ready: frozenset[int] = TWO) -> Truth:
    """Two workers, and their golden answer was right."""
    truth = fresh()
    truth.described(now, ready, 0, 100)
    truth.golden(now, ready, "")
    return truth


def watched(truth: Truth, since: float, seconds: float) -> float:
    """Somebody looks all the time; when it ends."""
    for tenth in range(1, round(seconds * 10) + 1):
        truth.look(since + tenth / 10)
    return since + seconds


class TestReady:
    def test_nothing_is_ready_before_anything_was_seen(self) -> None:
        assert fresh().unready(START) == "toy 1.0.0 has no worker ready: the server has not started yet"

    def test_a_worker_alone_is_not_enough(self) -> None:
        truth = fresh()
        truth.described(START, TWO, 0, 100)
        assert truth.unready(START) == "toy 1.0.0 has not answered its golden request yet"
        truth.golden(START, TWO, "")
        assert truth.unready(START) == ""

    def test_an_answer_of_a_client_is_no_golden_answer(self) -> None:
        truth = fresh()
        truth.described(START, TWO, 0, 100)
        truth.answered(START)
        assert truth.unready(START) != ""

    def test_one_of_two_workers_is_enough_to_answer(self) -> None:
        truth = loaded()
        truth.described(START, ONE, 0, 100)
        assert truth.unready(START) == ""

    def test_no_worker_is_not(self) -> None:
        truth = loaded()
        truth.described(START, frozenset(), 0, 100)
        truth.not_loaded("ImportError: x")
        assert truth.unready(START) == "toy 1.0.0 has no worker ready: ImportError: x"

    def test_workers_that_came_back_after_none_were_left_are_ready_at_once(self) -> None:
        truth = loaded()
        truth.described(START, frozenset(), 0, 100)
        truth.described(START + 1, frozenset({13}), 0, 100)
        assert truth.unready(START + 1) == ""
        assert truth.unchecked

    def test_a_version_that_is_not_registered_is_not(self) -> None:
        truth = loaded()
        truth.unregistered(START + 1)
        assert truth.unready(START + 1) == "toy 1.0.0 has no worker ready: the server did not register it"

    def test_after_a_restart_of_the_server_its_golden_answer_counts_anew(self) -> None:
        truth = loaded()
        truth.gone()
        assert truth.unready(START) == "toy 1.0.0 has no worker ready: the server does not run"
        truth.described(START + 1, frozenset({21}), 0, 100)
        assert truth.unready(START + 1) == "toy 1.0.0 has not answered its golden request yet"

    def test_a_wrong_answer_takes_it_out_until_a_right_one(self) -> None:
        truth = loaded()
        truth.golden(START, TWO, "label 'a' instead of 'b'")
        assert truth.unready(START) == "toy 1.0.0 answers wrongly: label 'a' instead of 'b'"
        truth.described(START, TWO, 0, 100)
        truth.answered(START)
        assert truth.unready(START) != ""
        truth.golden(START, TWO, "")
        assert truth.unready(START) == ""


class TestUnchecked:
    def test_without_workers_nobody_is_asked(self) -> None:
        assert not fresh().unchecked

    def test_each_new_worker_is(self) -> None:
        truth = fresh()
        truth.described(START, ONE, 0, 100)
        assert truth.unchecked
        truth.golden(START, ONE, "")
        assert not truth.unchecked
        truth.described(START, TWO, 0, 100)
        assert truth.unchecked

    def test_a_worker_that_left_asks_for_nothing(self) -> None:
        truth = loaded()
        truth.described(START, ONE, 0, 100)
        assert not truth.unchecked

    def test_a_wrong_answer_is_asked_for_again(self) -> None:
        truth = loaded()
        truth.golden(START, TWO, "wrong")
        assert truth.unchecked


class TestSilence:
    def test_it_may_last_so_long_and_no_longer(self) -> None:
        truth = loaded()
        assert truth.unready(watched(truth, START, SILENCE_S - 0.1)) == ""
        now = watched(truth, START + SILENCE_S - 0.1, 0.6)
        assert truth.unready(now) == "toy 1.0.0 has said nothing for 2.0 s: neither Describe nor an answer"

    def test_between_two_looks_it_goes_on(self) -> None:
        truth = loaded()
        now = watched(truth, START, SILENCE_S)
        assert truth.unready(now + 0.1) != ""

    @pytest.mark.parametrize("stall", [2.0, 60.0])
    def test_a_pause_of_the_observer_is_not_the_servers_silence(self, stall: float) -> None:
        truth = loaded()
        now = watched(truth, START, 1.0) + stall
        assert truth.unready(now) == ""
        truth.look(now)
        assert truth.unready(now) == ""
        # the server is asked again, and what it does from now on counts as before
        assert truth.unready(watched(truth, now, 1.0)) != ""

    @pytest.mark.parametrize("heard", ["described", "answered"])
    def test_either_sign_of_life_ends_it(self, heard: str) -> None:
        truth = loaded()
        later = watched(truth, START, 60)
        assert truth.unready(later) != ""
        if heard == "described":
            truth.described(later, TWO, 0, 100)
        else:
            truth.answered(later)
        assert truth.unready(later) == ""

    @given(
        st.lists(
            st.tuples(st.booleans(), st.floats(0, 1.4), st.integers(0, 1000), st.sampled_from([ONE, TWO, frozenset({7})])),
            min_size=1, max_size=50,
        )
    )  # fmt: skip
    def test_no_load_makes_a_ready_pod_unready(self, signs: list[tuple[bool, float, int, frozenset[int]]]) -> None:
        truth, now = loaded(0.0), 0.0
        for describes, pause, pending, ready in signs:
            now = watched(truth, now, pause)
            assert truth.unready(now) == ""
            if describes:  # a queue that is full included
                truth.described(now, ready, pending, max(0, 100 - pending))
            else:
                truth.answered(now)
            assert truth.unready(now) == ""
            assert truth.dead(now) == ""


class TestDead:
    def test_a_server_that_starts_has_time(self) -> None:
        assert fresh().dead(START + WEDGED_S) == ""

    def test_a_long_silence_is_no_load(self) -> None:
        truth = loaded(START + 50)
        assert truth.dead(START + 50 + WEDGED_S) == ""
        assert truth.dead(START + 51 + WEDGED_S) == "the server has said nothing for 11 s"

    def test_what_nobody_hears_is_no_sign_of_life(self) -> None:
        truth = loaded()
        truth.gone()
        assert truth.dead(START + WEDGED_S + 1) != ""

    @pytest.mark.parametrize("heard", ["described", "answered", "unregistered"])
    def test_any_sign_of_life_is(self, heard: str) -> None:
        truth, later = loaded(), START + 60
        if heard == "described":
            truth.described(later, frozenset(), 0, 100)
        else:
            getattr(truth, heard)(later)
        assert truth.dead(later + WEDGED_S) == ""

    def test_wrong_answers_are_no_reason_for_a_restart(self) -> None:
        truth = loaded()
        truth.golden(START, TWO, "wrong")
        assert truth.dead(START) == ""

    def test_workers_that_the_server_has_given_up_are(self) -> None:
        truth = loaded()
        for second in range(1, int(ABANDONED_S) + 2):
            truth.described(START + second, frozenset(), 0, 100)
        assert truth.dead(START + ABANDONED_S) == ""
        assert truth.dead(START + ABANDONED_S + 1) == "toy 1.0.0 has had no worker ready for 331 s"
        truth.described(START + ABANDONED_S + 2, ONE, 0, 100)
        assert truth.dead(START + ABANDONED_S + 2) == ""


class TestCounts:
    def test_the_queue_is_what_waits_and_what_is_free(self) -> None:
        truth = fresh()
        truth.described(START, TWO, 30, 70)
        assert (truth.pending, truth.capacity) == (30, 100)

    def test_restarts_are_workers_beyond_the_first_ones(self) -> None:
        truth = fresh()
        for ready, restarts in ((ONE, 0), (TWO, 0), (frozenset({12}), 0), (frozenset({12, 13}), 1), (frozenset({13, 14}), 2)):
            truth.described(START, ready, 0, 100)
            assert truth.restarts == restarts
