from __future__ import annotations

from marline.errors import MarlineError
from marline.rollout.canary.ends import Abort, Foreign


def test_only_what_a_person_must_see_is_an_error() -> None:
    assert issubclass(Foreign, MarlineError)
    assert not issubclass(Abort, MarlineError)
