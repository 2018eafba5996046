from __future__ import annotations

import json
from typing import get_args

from marline.rollout.canary.state import PHASES, Phase, State


def test_a_state_is_the_same_after_it_was_written_down() -> None:
    state = State(1.5, "watch", 1, 2.5, judge={"version": 1}, restarts={"a": 2}, answers={"counts": {}}, pods=3, skip="step")
    assert State.from_json(json.loads(json.dumps(state.to_json(), allow_nan=False))) == state


def test_what_an_older_driver_wrote_is_read() -> None:
    assert State.from_json({"entered": 1.0, "phase": "shift"}) == State(1.0, "shift")


def test_every_phase_has_words_and_one_is_the_end() -> None:
    assert set(PHASES) == set(get_args(Phase))
    state = State(0.0)
    assert (state.phase, state.over) == ("prepare", False)
    state.enter("done", 9.0)
    assert (state.over, state.entered) == (True, 9.0)
