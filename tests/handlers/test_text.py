from __future__ import annotations

import json

import numpy as np
import pytest

from handlerkit.text import Tokenizer

from .conftest import save_tokenizer


@pytest.fixture
def path(tmp_path):
    save_tokenizer(tmp_path / "tokenizer.json")
    return tmp_path / "tokenizer.json"


def test_truncation_is_reported_and_only_where_it_happened(path):
    short, exact, long = Tokenizer(path, 3).encode(["good film", "good good film", "good good good film"])
    assert (short.ids, short.truncated) == ([2, 4], False)
    assert (exact.ids, exact.truncated) == ([2, 2, 4], False)
    assert (long.ids, long.truncated) == ([2, 2, 2], True)


def test_padding_is_ours_and_masked(path):
    padded = Tokenizer(path, 8).pad([[2], [3, 4]])
    assert padded["input_ids"].tolist() == [[2, 0], [3, 4]]
    assert padded["attention_mask"].tolist() == [[1, 0], [1, 1]]
    assert {v.dtype for v in padded.values()} == {np.dtype(np.int64)}
    assert Tokenizer(path, 8).pad([[2]], length=4)["input_ids"].shape == (1, 4)


def test_the_tokenizer_s_own_padding_and_truncation_do_not_apply(path):
    document = json.loads(path.read_text())
    document["padding"] = {
        "strategy": {"Fixed": 6}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0, "pad_token": "[UNK]",
    }
    document["truncation"] = {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Left"}
    path.write_text(json.dumps(document))
    tokenizer = Tokenizer(path, 8)
    assert tokenizer.encode(["good film"])[0].ids == [2, 4]
    assert tokenizer.pad([[2], [2, 4]])["input_ids"].tolist() == [[2, 1], [2, 4]]
