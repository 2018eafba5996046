"""The handler that an archive carries, as TorchServe would call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlerkit.errors import LoadError
from marline.errors import ServeError
from marline.serve import read_archive
from marline.serve.fastapi.archives import Asked, answer, load_handler, unpack
from server import tiny_archives as tiny


def unpacked(archive: Path, target: Path) -> Path:
    unpack(read_archive(archive), target)
    return target


def test_archives_in_one_process_answer_with_their_own_handlers(tmp_path: Path) -> None:
    plain = tiny.classifier(tmp_path / "plain.mar")
    # a handler of the same file name and class, but with an answer of its own
    marked = tiny.rewritten(
        plain, tmp_path / "marked.mar", {"text_classification.py": lambda code: code.replace(b'"tokens":', b'"words":')}
    )
    handlers = [
        load_handler(unpacked(archive, tmp_path / str(number)))
        for number, archive in enumerate([marked, plain, tiny.doubler(tmp_path / "doubler.mar")])
    ]
    texts = [json.loads(answer(h, [Asked({"body": b"good bad"})])[0].body) for h in handlers[:2]]
    assert [(t.get("words"), t.get("tokens")) for t in texts] == [(2, None), (None, 2)]
    (doubled,) = answer(handlers[2], [Asked({"body": b'{"inputs": {"x": [1, 2.5]}}'})])
    assert json.loads(doubled.body)["outputs"] == {"y": [2.0, 5.0]}


def test_each_request_of_a_batch_has_its_own_status_and_headers(tmp_path: Path) -> None:
    handler = load_handler(unpacked(tiny.classifier(tmp_path / "plain.mar"), tmp_path / "0"))
    found = answer(handler, [Asked({"body": b"good"}), Asked({"body": b'{"text": 7}'}), Asked({}), Asked({"body": b"a" * 501})])
    assert [a.status for a in found] == [200, 400, 400, 413]
    assert [a.headers.get("x-marline-error") for a in found] == [None, "request", "request", "request"]
    assert {a.headers["content-type"] for a in found} == {"application/json"}
    assert [json.loads(a.body).get("code", 200) for a in found] == [a.status for a in found]


def test_a_handler_reads_the_headers_of_its_requests(tmp_path: Path) -> None:
    told = b"""
_plain = TextClassification.handle


def _told(self, data, context):
    bodies = _plain(self, data, context)
    for index in range(len(data)):
        context.set_response_header(index, "X-Told", str(context.get_request_header(index, "X-Ask")))
    return bodies


TextClassification.handle = _told
"""
    archive = tiny.rewritten(
        tiny.classifier(tmp_path / "plain.mar"), tmp_path / "told.mar", {"text_classification.py": lambda code: code + told}
    )
    handler = load_handler(unpacked(archive, tmp_path / "0"))
    found = answer(handler, [Asked({"body": b"good"}, {"x-ask": "1"}), Asked({"body": b"bad"})])
    assert [a.headers["x-told"] for a in found] == ["1", "None"]


def test_a_wrong_golden_answer_does_not_load(tmp_path: Path) -> None:
    directory = unpacked(tiny.classifier(tmp_path / "w.mar", golden={"logits": [-1.0, 1.0]}), tmp_path / "0")
    with pytest.raises(LoadError, match="golden request 0 answered wrongly: output 'logits' differs by 8, allowed 0.0001"):
        load_handler(directory)


@pytest.mark.parametrize(
    ("code", "found"),
    [(b"", "holds 0 classes, not one handler"), (b"class A: pass", "holds 1 classes, not one handler"), (b"\nclass A: pass\nclass B: pass", "holds 2 classes")],
)
def test_a_file_that_is_no_handler_is_refused(tmp_path: Path, code: bytes, found: str) -> None:
    archive = tiny.rewritten(
        tiny.classifier(tmp_path / "plain.mar"), tmp_path / "other.mar", {"text_classification.py": lambda _: code}
    )
    with pytest.raises(LoadError, match=found):
        load_handler(unpacked(archive, tmp_path / "0"))


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    served = read_archive(tiny.doubler(tmp_path / "doubler.mar"))
    (tmp_path / "file").write_text("")
    with pytest.raises(ServeError, match=f"^{served.path}: cannot be unpacked into .*; make room there$"):
        unpack(served, tmp_path / "file" / "0")
