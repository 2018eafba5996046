"""What agrees, what differs and what cannot be compared, over real HTTP."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlerkit.manifest import Golden
from marline.build.gate.compare import compare
from marline.errors import ServeError, SourceError
from marline.rollout.replay import Item, Limits, Outcome, Questions
from marline.rollout.replay.endpoint import endpoint as at
from marline.rollout.replay.judge import against_endpoint, against_records
from marline.rollout.replay.recording import answered
from unit.artifact import samples
from unit.rollout.replay_endpoints import Answer, classified, embedded, endpoint, outputs


def asked(*requests: Any, **given: Any) -> Questions:
    items = tuple(Item(str(i), request) for i, request in enumerate(requests))
    return Questions("test requests", items, "sentiment", **given)


def replayed(reference: Answer, candidate: Answer, questions: Questions, max_abs: float | None = None) -> Outcome:
    with endpoint(reference) as a, endpoint(candidate) as b:
        ends = [at(served.url, "sentiment", {}, 10) for served in (a, b)]
        return against_endpoint(ends[0], ends[1], questions, max_abs, 4)


def scored(variant: str = "onnx-fp32") -> Answer:
    return lambda request: (200, classified(request, variant))


def test_the_differing_item_is_named_with_both_answers() -> None:
    found = replayed(
        scored(), lambda r: (200, classified(0.4 if r == 0.6 else r, "onnx-int8")), asked(0.9, 0.6, 0.1, 0.2)
    )
    assert (found.asked, found.compared, found.agreement) == (4, 4, 0.75)
    (differing,) = found.differing
    assert (differing.id, differing.request) == ("1", 0.6)
    assert differing.reason == "negative 0.6000 instead of positive 0.6000"
    assert found.max_abs == pytest.approx(0.2)
    assert (found.reference_identity, found.candidate_identity) == (
        "sentiment 1.0.0 onnx-fp32",
        "sentiment 1.0.0 onnx-int8",
    )
    assert Limits(0.75).missed(found) == []
    assert Limits(0.76).missed(found) == ["agreement 0.750000, allowed at least 0.76"]


def test_the_order_in_which_scores_are_written_does_not_matter() -> None:
    def turned(request: Any) -> tuple[int, Any]:
        answer = classified(request)
        return 200, answer | {"scores": dict(reversed(answer["scores"].items()))}

    assert replayed(scored(), turned, asked(0.9, 0.1)).agreement == 1.0


def test_of_scores_that_rounding_made_equal_the_label_decides() -> None:
    tied = {"scores": {"negative": 0.5, "positive": 0.5}}
    found = replayed(
        lambda _: (200, classified(0.5, **tied, label="positive")),
        lambda _: (200, classified(0.5, **tied, label="negative")),
        asked(1, 2),
    )
    assert found.agreement == 0.0


def test_embeddings_agree_as_the_gate_says() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(12, 4))
    other = one + rng.normal(size=one.shape) * 0.4
    expected = compare(one, other, "embedding", 0.0)
    found = replayed(
        lambda i: (200, embedded(one[i].tolist())), lambda i: (200, embedded(other[i].tolist())), asked(*range(12))
    )
    assert 0 < expected.agreement < 1
    assert found.agreement == expected.agreement
    assert tuple(int(d.id) for d in found.differing) == expected.disagreeing


def test_two_embeddings_have_no_other_neighbour_and_are_refused() -> None:
    with pytest.raises(SourceError, match="at least 3 are needed"):
        replayed(lambda _: (200, embedded([1.0, 0.0])), lambda _: (200, embedded([0.0, 1.0])), asked(1, 2))


@pytest.mark.parametrize(("limit", "agreement"), [(None, 0.5), (0.2, 0.5), (1.5, 1.0)])
def test_tensors_agree_within_the_limit_which_is_the_gates_for_the_variant(
    limit: float | None, agreement: float
) -> None:
    questions = asked(0.0, 1.0, max_abs={"onnx-int8": 0.5, "onnx-fp32": 9.0})
    found = replayed(
        lambda r: (200, outputs(y=[r, r], z=1)),
        lambda r: (200, outputs("onnx-int8", z=1, y=[r, 2 * r])),
        questions,
        limit,
    )
    assert found.agreement == agreement
    assert found.max_abs == 1.0


def test_tensors_of_different_lengths_are_compared_item_by_item() -> None:
    found = replayed(*[lambda n: (200, outputs(y=[1.0] * n))] * 2, asked(1, 3))
    assert found.agreement == 1.0


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (503, {"code": 503}, 'the candidate gave status 503: {"code": 503}'),
        (302, b"", "the candidate gave status 302: "),
        (200, b"<html>", "the candidate gave no JSON document: <html>"),
        (200, b'{"scores": {"negative": NaN}}', "no JSON document"),
        (200, {"predictions": []}, "the candidate gave an empty list of answers"),
        (200, [classified(0.9)] * 2, "the candidate gave 2 answers instead of 1"),
        (200, {"result": 1}, "an object without scores, embedding or outputs: 'result'"),
        (200, "text", "the candidate gave a str instead of an answer"),
        (200, embedded([1.0]), "an answer of a embedding model instead of a text-classification model"),
        (200, classified(0.9, scores={"good": 1}, label="good"), "names good instead of negative, positive"),
        (200, classified(0.9, label="negative"), "label 'negative', whose score is not the largest"),
        (200, classified(0.9, label=["positive"]), "which has no score"),
        (200, classified(0.9, scores={"positive": "much"}), "'positive' is no array of numbers"),
        (0, None, "the candidate gave no answer (Remote end closed connection without response)"),
    ],
)
def test_what_cannot_be_compared_is_a_failure_with_its_reason(status: int, answer: Any, reason: str) -> None:
    broken = lambda r: (status, answer) if r == 0.8 else scored("onnx-int8")(r)  # noqa: E731
    found = replayed(scored(), broken, asked(0.9, 0.8))
    assert reason in found.failed[0].reason
    assert (found.failed[0].id, found.compared, found.agreement) == ("1", 1, 1.0)
    assert Limits().missed(found) == ["1 requests failed, allowed 0"]
    assert Limits(max_failed=1).missed(found) == []


def test_outputs_of_another_shape_are_a_failure() -> None:
    found = replayed(lambda _: (200, outputs(y=[1.0])), lambda _: (200, outputs(y=[[1.0]])), asked(1))
    assert found.failed[0].reason == "the candidate gave 'y' has shape [1, 1] instead of [1]"


def test_a_request_that_both_refuse_is_counted_apart() -> None:
    def refusing(request: Any) -> tuple[int, Any]:
        return (400, {"error": "empty"}) if request == "" else (200, classified(0.9))

    found = replayed(refusing, refusing, asked("good", ""))
    assert (found.asked, found.compared, found.refused, found.failed) == (2, 1, 1, ())
    assert replayed(refusing, lambda _: (200, classified(0.9)), asked("good", "")).failed[0].id == "1"


def test_nothing_compared_never_agrees() -> None:
    found = replayed(*[lambda _: (404, {})] * 2, asked(1, 2))
    assert found.agreement is None
    assert Limits(0.0, max_failed=2).missed(found) == ["no answers could be compared"]


def test_every_answer_of_a_batch_is_compared() -> None:
    def batch(turn: float) -> Answer:
        return lambda r: (
            (200, {"predictions": [classified(0.9), classified(turn)]})
            if isinstance(r, dict)
            else (200, [classified(0.9)])
        )

    found = replayed(batch(0.8), batch(0.3), asked({"instances": ["a", "b"]}, ["c"]))
    assert (found.asked, found.compared, [d.id for d in found.differing]) == (2, 3, ["0[1]"])


def test_two_variants_behind_one_address_are_refused() -> None:
    turning = lambda r: (200, classified(0.9, "onnx-fp32" if r else "onnx-int8"))  # noqa: E731
    with pytest.raises(ServeError, match="2 variants answered .*onnx-fp32, sentiment 1.0.0 onnx-int8.*one variant"):
        replayed(scored(), turning, asked(0, 1))


def test_nobody_listening_is_one_sentence_and_one_request() -> None:
    with endpoint(scored()) as a, endpoint(scored()) as gone:
        dead = gone.url
    with endpoint(scored()) as a:
        with pytest.raises(
            ServeError, match=r"/predictions/sentiment: gave no answer to the first request \(.*refused.*\)"
        ):
            against_endpoint(at(a.url, "sentiment", {}, 5), at(dead, "sentiment", {}, 5), asked(*[0.9] * 50), None, 4)
        assert len(a.requests) == 1


def test_an_endpoint_that_falls_silent_ends_the_replay() -> None:
    silent = lambda r: (0, None) if r != 0.9 else scored()(r)  # noqa: E731
    with endpoint(silent) as a:
        with pytest.raises(ServeError, match="gave no answer to 10 requests"):
            against_records(
                at(a.url, "sentiment", {}, 5),
                Questions("t", tuple(Item(str(i), 0.9 if i == 0 else 0.1, classified(0.9)) for i in range(500))),
                None,
                4,
            )
        assert len(a.requests) < 40, "the rest was not asked"


def test_each_request_is_sent_once_with_its_headers_at_most_so_many_at_once() -> None:
    three, fourth = threading.Barrier(3), threading.Event()

    def together(request: Any) -> tuple[int, Any]:
        if a.at_once > 3:
            fourth.set()
        if request:  # the first one is asked alone
            three.wait(timeout=20)
            if request < 4:
                fourth.wait(0.3)  # long enough for one more to arrive, if it were sent
        return 200, classified(0.9)

    with endpoint(together) as a:
        end = at(a.url, "sentiment", {"x-tenant": "blue"}, 30)
        answered(end, asked(*range(13)), 3)
        assert sorted(document for _, _, document in a.requests) == list(range(13))
        assert {(path, headers["x-tenant"]) for path, headers, _ in a.requests} == {("/predictions/sentiment", "blue")}
        assert a.most_at_once == 3


def test_recorded_answers_are_compared_with_those_of_one_endpoint() -> None:
    with endpoint(scored()) as a:
        recorded = answered(at(a.url, "sentiment", {}, 5), asked(0.9, 0.2), 2)
    with endpoint(lambda r: (200, classified(0.7, "onnx-int8"))) as b:
        found = against_records(at(b.url, "sentiment", {}, 5), Questions("t", tuple(recorded)), None, 2)
    assert (found.reference, found.reference_identity, found.agreement) == (
        "recorded answers",
        "sentiment 1.0.0 onnx-fp32",
        0.5,
    )


def test_an_item_without_a_recorded_answer_needs_a_second_endpoint() -> None:
    with pytest.raises(SourceError, match="test requests: item 1 has no recorded answer"):
        questions = Questions("test requests", (Item("0", 1, classified(0.9)), Item("1", 1)))
        against_records(at("http://127.0.0.1:1", "m", {}, 5), questions, None, 1)


def test_golden_answers_hold_within_the_archives_tolerance_and_from_that_archive(tmp_path: Path) -> None:
    manifest = replace(samples.stage(tmp_path), golden_atol=0.5)
    golden = Golden({"inputs": {}}, None, {"y": [1.0]})
    questions = Questions("golden", tuple(Item(str(i), i, golden=golden) for i in range(4)), manifest=manifest)
    right = {"model": "scaler", "model_version": "1.0.0", "variant": "onnx-fp32"}
    answers = [right | {"outputs": {"y": [y]}} for y in (1.4, 1.6, 1.0)]
    answers[2]["variant"] = "other"
    with endpoint(lambda i: (200, answers[i]) if i < 3 else (503, {})) as a:
        found = against_records(at(a.url, "scaler", {}, 5), questions, None, 1)
    assert [d.id for d in found.differing] == ["1", "2"]
    assert found.agreement == pytest.approx(1 / 3)
    assert found.differing[0].reason == "output 'y' differs by 0.6, allowed 0.5"
    assert found.differing[1].reason == "variant 'other' instead of 'onnx-fp32'"
    assert found.failed[0].reason == "the candidate gave status 503: {}"
    assert (found.reference_identity, found.candidate_identity) == (
        "scaler 1.0.0 onnx-fp32", "scaler 1.0.0 onnx-fp32 and scaler 1.0.0 other",
    )  # fmt: skip
