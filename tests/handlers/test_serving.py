"""The handlers as TorchServe calls them, on a small real ONNX model."""

from __future__ import annotations

import json
import logging

import pytest

from handlerkit.errors import LoadError
from handlerkit.manifest import FILE_NAME, Golden
from handlerkit.serving import LOAD_ERROR_MARK
from text_classification import TextClassification

from .conftest import FakeContext, manifest, unpack


def ask(handler, *bodies):
    context = FakeContext()
    answers = handler.handle([b if isinstance(b, dict) and "body" in b else {"body": b} for b in bodies], context)
    assert len(answers) == len(bodies)
    assert all(context.headers[i]["content-type"] == "application/json" for i in range(len(bodies)))
    return [(context.code(i), json.loads(a)) for i, a in enumerate(answers)], context


def test_an_answer_says_what_it_is_and_who_gave_it(classifier):
    ((code, answer),), _ = ask(classifier, {"text": "good film"})
    assert code == 200
    assert answer.pop("latency_ms") >= 0
    assert answer == {
        "label": "positive", "confidence": 0.893309, "scores": {"negative": 0.106691, "positive": 0.893309},
        "tokens": 2, "truncated": False, "model": "tiny", "model_version": "1.0.0", "variant": "onnx-fp32",
    }


def test_lists_and_instances_answer_in_their_own_shape(classifier):
    answers, _ = ask(classifier, ["good", {"text": "bad"}], {"instances": ["bad"]}, b"good film")
    assert [a["label"] for a in answers[0][1]] == ["positive", "negative"]
    assert [a["label"] for a in answers[1][1]["predictions"]] == ["negative"]
    assert answers[2][1]["label"] == "positive"


def test_truncation_is_reported(classifier):
    answers, _ = ask(classifier, b"good " * 8, b"good " * 9)
    assert [(a["tokens"], a["truncated"]) for _, a in answers] == [(8, False), (8, True)]


def test_a_batch_of_16_with_3_poisoned_items_gives_13_right_answers(classifier):
    words = ["good", "bad"] * 8
    bodies = [{"body": {"text": f"{word} film" + " film" * (i % 5)}} for i, word in enumerate(words)]
    bodies[2], bodies[7], bodies[15] = {"body": {"text": None}}, {"body": bytearray(b"\xff")}, {"body": {"text": "x" * 201}}
    answers, context = ask(classifier, *bodies)
    assert [i for i, (code, _) in enumerate(answers) if code != 200] == [2, 7, 15]
    assert [answers[i][0] for i in (2, 7, 15)] == [400, 400, 413]
    assert all(answers[i][1]["code"] == answers[i][0] and answers[i][1]["error"].endswith(".") for i in (2, 7, 15))
    assert all(context.headers[i]["x-marline-error"] == "request" for i in (2, 7, 15))
    for i, word in enumerate(words):
        if i not in (2, 7, 15):
            assert answers[i][1]["label"] == {"good": "positive", "bad": "negative"}[word]
            alone = ask(classifier, bodies[i])[0][0][1]
            assert answers[i][1]["scores"] == alone["scores"]


def test_a_bad_item_of_a_list_is_named_and_fails_only_its_request(classifier):
    answers, _ = ask(classifier, ["good", 7], "bad")
    assert answers[0][0] == 400
    assert answers[0][1]["error"].startswith("Item 1: The text is of type int")
    assert answers[1][1]["label"] == "negative"


@pytest.mark.parametrize("text", ["a\ud800", "\ud800" * 3])
def test_half_a_surrogate_pair_is_a_400_and_its_neighbours_live(classifier, text):
    answers, _ = ask(classifier, {"text": text}, {"text": "good"})
    assert [code for code, _ in answers] == [400, 200]


def test_text_without_tokens_is_a_400(classifier):
    class NoTokens:
        def encode(self, texts):
            return [type(e)([], False) for e in tokenizer.encode(texts)]

    tokenizer, classifier.tokenizer = classifier.tokenizer, NoTokens()
    ((code, answer),), _ = ask(classifier, b"good")
    assert (code, answer["error"]) == (400, "The text has no tokens; send words.")


def test_a_model_failure_on_one_item_fails_only_that_item(classifier, caplog):
    with caplog.at_level(logging.ERROR):
        answers, context = ask(classifier, "good film", "boom film", "bad film")
    assert [code for code, _ in answers] == [200, 500, 200]
    assert answers[1][1]["error"].startswith("The model failed on this item: ")
    assert context.headers[1]["x-marline-error"] == "model"
    assert [answers[i][1]["label"] for i in (0, 2)] == ["positive", "negative"]
    assert "the model failed on one item" in caplog.text


def test_an_output_that_is_not_finite_is_a_500_of_its_item(classifier):
    answers, _ = ask(classifier, "inf film", "good film")
    assert answers[0] == (500, {"code": 500, "error": "The model's output for this item is not finite."})
    assert answers[1][0] == 200


def test_a_batch_in_which_nothing_can_be_read_does_not_call_the_model(classifier):
    classifier.backend = None
    answers, _ = ask(classifier, b"", {"text": 1})
    assert [code for code, _ in answers] == [400, 400]


RIGHT = Golden({"text": "good film"}, "positive", {"logits": [-0.875, 1.25]})


@pytest.mark.parametrize(
    ("golden", "reason"),
    [
        (Golden({"text": "good film"}, "negative", {}), "golden request 1 answered wrongly: label 'positive' instead of 'negative'"),
        (Golden("good film", "positive", {"logits": [-0.875, 1.35]}), "output 'logits' differs by 0.1, allowed 0.01"),
        (Golden("good", "positive", {"logits": [1.0]}), "has shape (2,) instead of (1,)"),
        (Golden("good", "positive", {"scores": [1.0]}), "no output 'scores', only ['logits']"),
        (Golden("inf", None, {"logits": [0.0, 0.0]}), "differs by inf, allowed 0.01"),
        (Golden("boom", None, {}), "golden request refused: The model failed on this item"),
        (Golden({"text": 1}, None, {}), "golden request refused: The text is of type int"),
        (Golden({"wrong": 1}, None, {}), "golden request refused: The body has no \"text\""),
    ],
)
def test_an_archive_that_answers_a_golden_request_wrongly_does_not_load(tmp_path, caplog, golden, reason):
    unpack(tmp_path, manifest(golden=(RIGHT, golden)))
    with caplog.at_level(logging.ERROR), pytest.raises(LoadError) as caught:
        TextClassification().initialize(FakeContext(tmp_path))
    assert reason in str(caught.value)
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith(LOAD_ERROR_MARK)]
    assert reason in line
    assert "\n" not in line


def test_anything_that_goes_wrong_while_loading_becomes_the_error_torchserve_answers_with(tmp_path):
    unpack(tmp_path, manifest(inference_parameters={}))
    with pytest.raises(LoadError, match="KeyError: 'max_length'"):
        TextClassification().initialize(FakeContext(tmp_path))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda d: (d / FILE_NAME).unlink(), "the archive is incomplete"),
        (lambda d: (d / FILE_NAME).write_text("{"), "not JSON"),
        (lambda d: (d / "model.onnx").write_bytes(b"\x00broken"), "model.onnx cannot be loaded by onnxruntime"),
        (lambda d: (d / "model.onnx").unlink(), "model.onnx cannot be loaded by onnxruntime"),
        (lambda d: unpack(d, manifest(handler_contract=2)), "handler contract 2 is not supported (allowed: 1)"),
        (lambda d: unpack(d, manifest(format="tflite")), "format 'tflite' is unknown (allowed: eager, compile, torchscript, pt2, onnx)"),
        (lambda d: unpack(d, manifest(files=())), "expected one file ending in '.onnx', found 0"),
        (lambda d: unpack(d, manifest(inputs=manifest().inputs[:1])), "has an input 'attention_mask' that the manifest lacks"),
        (lambda d: unpack(d, manifest(outputs=manifest("tensor").outputs)), "has no output 'y' that the manifest names"),
    ],
)
def test_a_damaged_archive_does_not_load_and_says_why(tmp_path, damage, reason):
    damage(unpack(tmp_path, manifest()))
    with pytest.raises(LoadError) as caught:
        TextClassification().initialize(FakeContext(tmp_path))
    assert reason in str(caught.value)
