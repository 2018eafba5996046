from __future__ import annotations

import math

import numpy as np
import pytest

from marline.build.gate.compare import compare

CLASSES = "text-classification"


def test_identical_outputs_have_no_difference():
    rows = np.array([[1.0, -2.0], [0.5, 3.0]])
    found = compare(rows, rows.copy(), CLASSES, 0.1)
    assert (found.max_abs, found.sqnr_db, found.agreement, found.disagreeing) == (0.0, 200.0, 1.0, ())
    assert found.cosine == pytest.approx(1.0)


def test_known_difference_by_hand():
    found = compare(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]]), CLASSES, 0.1)
    assert found.max_abs == pytest.approx(0.5)
    assert found.sqnr_db == pytest.approx(10 * math.log10(25 / 0.25))
    assert found.cosine == pytest.approx((9 + 18) / (5 * math.hypot(3, 4.5)))


def test_a_flipped_sign_flips_every_answer_and_the_direction():
    rows = np.array([[1.0, -2.0], [0.5, 3.0]])
    found = compare(rows, -rows, CLASSES, 0.1)
    assert found.cosine == pytest.approx(-1.0)
    assert (found.agreement, found.disagreeing) == (0.0, (0, 1))
    assert found.sqnr_db == pytest.approx(10 * math.log10(0.25))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_infinitely_far(bad: float):
    found = compare(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, bad], [3.0, 4.0]]), CLASSES, 0.1)
    assert found.max_abs == math.inf
    assert found.sqnr_db == -200.0


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 3\), the reference's \(1, 2\)"):
        compare(np.zeros((1, 2)), np.zeros((1, 3)), CLASSES, 0.1)


def test_nothing_but_zeros():
    zeros = np.zeros((2, 2))
    assert compare(zeros, zeros, CLASSES, 0.1).cosine == 1.0
    assert compare(zeros, zeros + 1, CLASSES, 0.1).cosine == 0.0


def test_an_embedding_has_the_same_answer_if_its_nearest_neighbour_is_the_same():
    reference = np.array([[1.0, 0.0], [0.98, 0.2], [0.0, 1.0]])
    stretched = reference * 3
    assert compare(reference, stretched, "embedding", 0.1).agreement == 1.0
    turned = np.array([[1.0, 0.0], [0.2, 0.98], [0.0, 1.0]])
    # the middle row has moved to the last one: the first row's neighbour stays, the middle row's changes
    assert compare(reference, turned, "embedding", 10.0).disagreeing == (1,)


def test_a_tensor_has_the_same_answer_if_no_number_is_further_than_the_limit():
    reference = np.zeros((3, 2))
    found = np.array([[0.1, 0.0], [0.0, -0.100001], [0.0, 0.05]])
    assert compare(reference, found, "tensor", 0.1).disagreeing == (1,)


def test_a_class_has_the_same_answer_if_the_largest_is_the_same():
    found = compare(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[9.0, 9.1], [9.1, 9.0]]), CLASSES, 0.1)
    assert found.disagreeing == (1,)
