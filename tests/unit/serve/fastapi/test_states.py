"""A state is believed while the process that said it lives, and no longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from marline.serve.fastapi import states
from marline.serve.fastapi.states import State

SAYING = """
import sys
from pathlib import Path
from marline.serve.fastapi import states
file = states.say(Path(sys.argv[1]), 1, states.State())
print("said", flush=True)
sys.stdin.read()
"""


def test_nothing_is_ready_before_anybody_spoke(tmp_path: Path) -> None:
    assert states.read(tmp_path, 0) is None
    assert states.ready(tmp_path, 2) == 0
    assert states.missing(tmp_path, 2) == "0 of 2 processes are ready"


def test_ready_is_when_all_have_said_so(tmp_path: Path) -> None:
    with states.say(tmp_path, 0, State()):
        assert states.missing(tmp_path, 2) == "1 of 2 processes are ready"
        with states.say(tmp_path, 1, State()):
            assert states.missing(tmp_path, 2) == ""
            assert states.ready(tmp_path, 2) == 2
    assert states.missing(tmp_path, 2) == "0 of 2 processes are ready"


def test_a_failure_is_the_reason(tmp_path: Path) -> None:
    with states.say(tmp_path, 0, State()), states.say(tmp_path, 1, State("golden request 0 answered wrongly", 1)):
        assert states.missing(tmp_path, 2) == "golden request 0 answered wrongly"
        assert states.read(tmp_path, 1) == State("golden request 0 answered wrongly", 1)
        assert states.ready(tmp_path, 2) == 1


def test_what_a_killed_process_said_is_not_believed(tmp_path: Path) -> None:
    with (
        states.say(tmp_path, 0, State()),
        subprocess.Popen([sys.executable, "-c", SAYING, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"said\n"
        assert states.missing(tmp_path, 2) == ""
        process.kill()
        process.wait()
        assert states.missing(tmp_path, 2) == "1 of 2 processes are ready"
    assert states.forget(tmp_path, 1)
    assert not states.forget(tmp_path, 1)


def test_a_new_process_can_say_it_again_at_once(tmp_path: Path) -> None:
    with states.say(tmp_path, 0, State("no memory")), states.say(tmp_path, 0, State()):
        assert states.missing(tmp_path, 1) == ""
