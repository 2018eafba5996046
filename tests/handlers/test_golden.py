from __future__ import annotations

import numpy as np
import pytest

from handlerkit import golden
from handlerkit.errors import LoadError
from handlerkit.manifest import Golden

from .conftest import manifest

RECORD = Golden("q", "yes", {"logits": [1.0, -1.0]})


@pytest.mark.parametrize(
    ("label", "outputs", "difference"),
    [
        ("yes", {"logits": [1.0, -1.0]}, ""),
        ("yes", {"logits": [1.0625, -1.0625]}, ""),
        ("no", {"logits": [1.0, -1.0]}, "label 'no' instead of 'yes'"),
        (None, {"logits": [1.0, -1.0]}, "label None instead of 'yes'"),
        ("yes", {"logits": [1.5, -1.0]}, "output 'logits' differs by 0.5, allowed 0.0625"),
        ("yes", {"logits": [float("nan"), -1.0]}, "output 'logits' differs by nan, allowed 0.0625"),
        ("yes", {"logits": [float("inf"), -1.0]}, "output 'logits' differs by inf, allowed 0.0625"),
        ("yes", {"logits": [[1.0, -1.0]]}, "output 'logits' has shape (1, 2) instead of (2,)"),
        ("yes", {"other": [1.0]}, "no output 'logits', only ['other']"),
    ],
)
def test_compare(label, outputs, difference):
    assert golden.compare(RECORD, label, {k: np.array(v) for k, v in outputs.items()}, 0.0625) == difference


def test_a_record_without_label_does_not_ask_for_one():
    assert golden.compare(Golden("q", None, {}), "yes", {}, 0.1) == ""


def test_check_counts_and_stops_at_the_first_wrong_answer():
    asked = []

    def answer(request):
        asked.append(request)
        return request, {}

    records = (Golden("a", "a", {}), Golden("b", "x", {}), Golden("c", "c", {}))
    with pytest.raises(LoadError, match=r"tiny 1\.0\.0-onnx-fp32: golden request 1 answered wrongly: label 'b' instead of 'x'"):
        golden.check(manifest(golden=records), answer)
    assert asked == ["a", "b"]
    assert golden.check(manifest(golden=records[::2]), answer) == 2
