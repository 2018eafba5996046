from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marline.build.gate.exam import Exam
from marline.build.gate.quality import Answers
from marline.build.gate.speed import Speed
from marline.build.gate.verdict import Miss, accuracy_on_test, judge_quality, judge_speed, misses
from marline.spec.gates import LIMITS, Gates, default_gates

N = 400
LABELS = [i % 2 for i in range(N)]
RIGHT = np.array([[4.0, -4.0] if label == 0 else [-4.0, 4.0] for label in LABELS])
EXAM = Exam(gate=[], test=[], gate_labels=LABELS, test_labels=[0, 1])
SPEED_LIMITS = {"max_p50_ratio_to_eager", "max_rss_mb", "max_load_seconds"}


def answers(gate: np.ndarray, batched: np.ndarray | None = None) -> Answers:
    return Answers(gate, gate[None] if batched is None else np.reshape(batched, (-1, *gate.shape)), gate[:2], 1, 1.0)


def judged(gate: np.ndarray, batched: np.ndarray | None = None, grouped: bool = True, exam: Exam = EXAM) -> Any:
    return judge_quality(answers(gate, batched), answers(RIGHT), exam, "text-classification", Gates(), grouped)


def missed(quality: Any) -> set[str]:
    return {miss.limit for miss in quality.misses}


def flipped(rows: np.ndarray, count: int) -> np.ndarray:
    out = rows.copy()
    out[:count] = -out[:count]
    return out


def test_the_reference_itself_passes_with_everything_reported():
    quality = judged(RIGHT)
    assert quality.misses == ()
    assert (quality.accuracy, quality.reference_accuracy, quality.drop_points) == (1.0, 1.0, 0.0)
    assert 0 < quality.bound_points < 1.5


def test_drop_bound_and_agreement_are_missed_by_name():
    assert missed(judged(flipped(RIGHT, 1))) == {"max_abs"}
    assert missed(judged(flipped(RIGHT, 20))) == {
        "max_drop_points", "max_bound_points", "min_agreement", "max_abs", "min_cosine", "min_sqnr_db",
    }  # fmt: skip


def test_a_drop_within_its_limit_whose_bound_is_beyond_is_a_miss():
    found = RIGHT.copy()
    found[:5] = -found[:5]
    reference = RIGHT.copy()
    reference[5:9] = -reference[5:9]  # five lost and four won: a quarter of a point, but of few items
    quality = judge_quality(answers(found), answers(reference), EXAM, "text-classification", Gates(), True)
    assert quality.drop_points == pytest.approx(0.25)
    assert "max_bound_points" in missed(quality)
    assert "max_drop_points" not in missed(quality)


def test_each_distance_is_missed_alone():
    far = RIGHT.copy()
    far[0, 0] += 2.5  # one number, the same answer
    assert missed(judged(far)) == {"max_abs"}
    rng = np.random.default_rng(0)
    # agreeing answers, half the size: direction kept, power lost
    assert missed(judged(RIGHT * 0.52)) == {"min_sqnr_db"}
    noisy = RIGHT + np.where(rng.random(RIGHT.shape) < 0.5, 1.9, -1.9)
    assert missed(judged(noisy)) == {"min_cosine", "min_sqnr_db"}


def test_flips_and_drift_among_strangers_are_missed_by_name():
    assert missed(judged(RIGHT, RIGHT + 0.9)) == set()
    assert missed(judged(RIGHT, RIGHT + 1.1)) == {"max_batch_drift"}
    quality = judged(RIGHT, flipped(RIGHT, 5))
    assert missed(quality) == {"max_flip_share", "max_batch_drift"}
    assert (quality.flips_solo_vs_batch, quality.flip_share) == (5, pytest.approx(5 / N))


def test_an_item_that_flips_in_any_round_counts_once_and_the_largest_drift_counts():
    second = RIGHT.copy()
    second[3:7] = -second[3:7]
    quality = judged(RIGHT, np.stack([flipped(RIGHT, 5), second, RIGHT + 0.5]))
    assert (quality.flips_solo_vs_batch, quality.flip_share, quality.batch_drift) == (7, 7 / N, 8.0)


def test_static_int8_may_not_flip_a_single_answer():
    for variant in ("onnx-int8-static", "torch-int8-static"):
        gates = Gates.model_validate(default_gates(variant).model_dump() | {"max_batch_drift": 100.0})
        for count, expected in ((0, ()), (1, (Miss("max_flip_share", 0.0, 1 / N),))):
            found = judge_quality(
                answers(RIGHT, flipped(RIGHT, count)), answers(RIGHT), EXAM, "text-classification", gates, True
            )
            assert found.misses == expected


def test_a_variant_served_alone_reports_flips_but_need_not_avoid_them():
    quality = judged(RIGHT, flipped(RIGHT, 200), grouped=False)
    assert quality.flips_solo_vs_batch == 200
    assert quality.misses == ()


def test_without_labels_there_is_no_accuracy_and_no_limit_on_it():
    quality = judged(flipped(RIGHT, 20), exam=Exam(gate=[], test=[]))
    assert quality.accuracy is None
    assert quality.drop_points is None
    assert {"max_drop_points", "max_bound_points"} & missed(quality) == set()
    assert accuracy_on_test(answers(RIGHT), Exam(gate=[], test=[])) is None


def test_accuracy_on_test():
    assert accuracy_on_test(answers(RIGHT), EXAM) == 1.0
    assert accuracy_on_test(answers(-RIGHT), EXAM) == 0.0


def test_speed_limits_are_missed_by_name():
    gates = Gates(max_p50_ratio_to_eager=1.25, max_rss_mb=1500, max_load_seconds=30)
    speed = Speed(1, 1, 1 / 1.26, 1, 1, 1, 1, ())
    assert {m.limit for m in judge_speed(speed, 1_600_000_000, 31.0, gates)} == SPEED_LIMITS
    assert judge_speed(Speed(1, 1, 1 / 1.24, 1, 1, 1, 1, ()), 1_400_000_000, 29.0, gates) == ()


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_itself_is_kept_and_what_is_no_number_is_not(name: str):
    allowed = float(getattr(Gates(), name))
    worse = allowed - 0.01 if name.startswith("min_") else allowed + 0.01
    assert misses({name: allowed}, Gates()) == ()
    assert misses({name: worse}, Gates()) == (Miss(name, allowed, worse),)
    assert [m.limit for m in misses({name: float("nan")}, Gates())] == [name]


def test_a_miss_reads_as_limit_found_and_allowed():
    assert str(Miss("max_abs", 2.0, 2.51234)) == "max_abs: 2.512, allowed 2"
