from __future__ import annotations

import numpy as np
import pytest

from embedding import Embedding
from handlerkit.text import Encoded


def test_the_vector_with_its_width_and_whether_the_text_was_cut():
    vector = np.array([0.6, -0.8], np.float32)
    answer = Embedding().present(Encoded([1, 2, 3], True), {"embedding": vector})
    assert answer == {"embedding": [pytest.approx(0.6), pytest.approx(-0.8)], "dimensions": 2, "tokens": 3, "truncated": True}
    assert all(type(x) is float for x in answer["embedding"])
