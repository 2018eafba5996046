from __future__ import annotations

import pytest

from .test_serving import ask

X = [[1.0, 2.0], [3.0, 4.0]]


def inputs(**changes):
    return {"inputs": {"x": X, "gain": 2, **changes}}


def test_nested_lists_in_nested_lists_out(scaler):
    ((code, answer),), _ = ask(scaler, inputs())
    assert (code, answer["outputs"], answer["variant"]) == (200, {"y": [[2.0, 4.0], [6.0, 8.0]]}, "onnx-fp32")


def test_lists_of_items(scaler):
    answers, _ = ask(scaler, [inputs(), inputs(gain=0)], {"instances": [inputs(x=[[1], [1]])]})
    assert [a["outputs"]["y"][0] for a in answers[0][1]] == [[2.0, 4.0], [0.0, 0.0]]
    assert answers[1][1]["predictions"][0]["outputs"] == {"y": [[2.0], [2.0]]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"inputs": {"x": X}}, "\"inputs\" must be an object with exactly ['gain', 'x']; found 'x'."),
        ({"inputs": [1]}, "found list."),
        ({"input": 1}, 'The body has no "inputs"'),
        (b"words", "found str."),
        (inputs(x=[[1.0], [2.0, 3.0]]), "Input 'x' is not a rectangular array."),
        (inputs(x=[[1.0, 2.0]]), "Input 'x' has shape [1, 2]; allowed: [2, 1..4]."),
        (inputs(x=[[1.0] * 5] * 2), "Input 'x' has shape [2, 5]; allowed: [2, 1..4]."),
        (inputs(x=[[], []]), "Input 'x' has shape [2, 0]; allowed: [2, 1..4]."),
        (inputs(x=1.0), "Input 'x' has shape []; allowed: [2, 1..4]."),
        (inputs(x=[["1", "2"], ["3", "4"]]), "Input 'x' holds values that are not of type float32."),
        (inputs(x=[[None, 1], [1, 1]]), "not of type float32"),
        (inputs(x=[[{}, 1], [1, 1]]), "not of type float32"),
        (inputs(x=[[True], [False]]), "not of type float32"),
        (inputs(x=[[float("nan")], [1]]), "not finite or too large"),
        (inputs(x=[[1e300], [1]]), "not finite or too large"),
        (inputs(gain=1.5), "Input 'gain' holds values that are not of type int64."),
        (inputs(gain=2**63), "Input 'gain' holds a value outside the range of int64."),
        (inputs(gain=2**70), "not of type int64"),
        (inputs(gain="2"), "not of type int64"),
    ],
)
def test_a_wrong_tensor_is_a_400_of_its_request_alone(scaler, body, message):
    answers, _ = ask(scaler, body, inputs())
    assert answers[0][0] == 400
    assert message in answers[0][1]["error"]
    assert answers[1][0] == 200


def test_whole_numbers_are_good_for_floats(scaler):
    ((code, answer),), _ = ask(scaler, inputs(x=[[1], [2]]))
    assert (code, answer["outputs"]["y"]) == (200, [[2.0], [4.0]])


def test_a_failing_model_is_a_500_of_its_item(scaler):
    class Broken:
        def run(self, values):
            if values["gain"] == 0:
                raise RuntimeError("division")
            return {"y": values["x"]}

    scaler.backend = Broken()
    answers, _ = ask(scaler, inputs(gain=0), inputs())
    assert [code for code, _ in answers] == [500, 200]
