"""Every problem is one line on standard error with exit code 1, and never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from marline.cli import main
from unit.artifact import brought


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without specs and store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MARLINE_STORE", raising=False)
    return tmp_path


def marline(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def errors(result: Result) -> list[str]:
    """The lines that name problems, after whatever progress was printed."""
    assert result.exit_code == 1, (result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit), result.exception
    lines = result.stderr.splitlines()
    found = [line for line in lines if line.startswith("error: ")]
    assert lines[-len(found) :] == found
    assert "Traceback" not in result.stderr
    return [line.removeprefix("error: ") for line in found]


SPEC_PROBLEMS = [
    ({"desciption": "x"}, "desciption: unknown key"),
    ({"serving": {"min_workers": 3, "max_workers": 2}}, "min_workers: 3 is greater than max_workers 2; allowed: min_workers <= max_workers"),
    ({"variants__onnx_int8": {"gates": {"max_abs": 9}}}, "looser than the default 2 without a reason; add `reason:`"),
    ({"source__path": "gone.onnx"}, "gone.onnx does not exist; put the model there or correct the path"),
    ({"variants__onnx_fp16": {}}, "unknown variant; allowed: eager-fp32, "),
    ({"version": "1.0"}, "version"),
]


@pytest.mark.parametrize("verb", ["check", "build"])
@pytest.mark.parametrize(("changes", "sentence"), SPEC_PROBLEMS, ids=[s[:20] for _, s in SPEC_PROBLEMS])
def test_a_problem_of_a_spec_is_one_line_with_file_and_line_number(verb: str, changes: dict[str, Any], sentence: str, elsewhere: Path):
    brought.write(elsewhere, **changes)
    [line] = errors(marline(verb, "brought.yaml" if verb == "check" else "./brought.yaml"))
    assert line.startswith(("brought.yaml:", "./brought.yaml:"))
    assert sentence in line
    assert not (elsewhere / "model_store").exists()


def test_a_key_written_twice(elsewhere: Path):
    path = brought.write(elsewhere)
    path.write_text(path.read_text() + "licence: Apache-2.0\n")
    [line] = errors(marline("check", "brought.yaml"))
    assert "licence" in line


def test_all_problems_of_all_specs_at_once(elsewhere: Path):
    brought.write(elsewhere, desciption="x", version="1")
    found = errors(marline("check", "brought.yaml", "missing.yaml"))
    assert len(found) == 3
    assert "missing.yaml: no such file" in found[-1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "sentimint"], "config/models/sentimint.yaml: no such spec; allowed: none here, run it from the project"),
        (["build", "sentimint"], "config/models/sentimint.yaml: no such spec"),
        (["train", "sentimint"], "config/models/sentimint.yaml: no such spec"),
        (["quickstart", "--once"], "config/models/sentiment.yaml: no such spec"),
        (["build", "no/such.yaml"], "no/such.yaml: no such file; give a spec file"),
        (["serve", "toy"], "model_store: no model 'toy' (there are: none); build it with `marline build toy`, or name another store with `--store`"),
        (["serve", "toy", "--version", "1.0.0"], "no model 'toy'"),
        (["serve", "toy", "--version", "1.0.0", "--variant", "onnx-int8"], "no model 'toy'"),
        (["report", "toy"], "no model 'toy'"),
        (["report", "toy", "1.0.0"], "no model 'toy'"),
        (["report", "../toy"], "no model '../toy'"),
        (["registry", "show", "toy"], "no model 'toy'"),
        (["registry", "show", "toy", "1.0.0"], "no model 'toy'"),
        (["registry", "diff", "toy", "1.0.0", "1.1.0"], "no model 'toy'"),
        (["registry", "promote", "toy", "1.0.0"], "no model 'toy'"),
        (["registry", "rollback", "toy"], "no model 'toy'"),
        (["registry", "gc", "toy", "--version", "1.0.0"], "no model 'toy'"),
        (["ask", "toy", "text", "--url", "nonsense"], "nonsense/predictions/toy is not the address of a model server"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_there_is_one_line(arguments: list[str], sentence: str, elsewhere: Path):
    [line] = errors(marline(*arguments))
    assert sentence in line
    assert list(elsewhere.rglob("*.json")) == []


def test_an_empty_store_lists_nothing():
    result = marline("registry", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_server_that_does_not_run_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        [line] = errors(marline("ask", "toy", "text", "--url", url))
    assert line.startswith(f"{url}/predictions/toy does not answer (")
    assert line.endswith("start a server with `marline serve`")


def test_a_server_that_is_none_is_one_line():
    import threading

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        [line] = errors(marline("ask", "toy", "text", "--url", f"http://127.0.0.1:{server.getsockname()[1]}"))
        thread.join()
    assert "/predictions/toy is not the address of a model server" in line


def test_a_model_file_that_is_not_the_pinned_one(elsewhere: Path):
    brought.write(elsewhere)
    (elsewhere / "m.onnx").write_bytes(b"other")
    [line] = errors(marline("build", "./brought.yaml"))
    assert "m.onnx: has sha256 " in line
    assert line.endswith("restore the file, or write the new digest and raise `version:`")


def test_a_model_file_that_is_no_model(elsewhere: Path):
    from marline.build.sources.cache import sha256_of

    path = brought.write(elsewhere)
    was = sha256_of(elsewhere / "m.onnx")
    (elsewhere / "m.onnx").write_bytes(b"no graph")
    path.write_text(path.read_text().replace(was, sha256_of(elsewhere / "m.onnx")))
    [line] = errors(marline("build", "./brought.yaml"))
    assert "is not an ONNX graph" in line


def test_a_variant_that_the_spec_lacks(elsewhere: Path):
    brought.write(elsewhere)
    assert errors(marline("build", "./brought.yaml", "--variant", "onnx-fp16")) == [
        "brought: has no variant 'onnx-fp16'; allowed: onnx-fp32, onnx-int8"
    ]


def test_measuring_one_variant_only_is_refused_and_not_ignored(elsewhere: Path):
    brought.write(elsewhere)
    result = marline("build", "./brought.yaml", "--measure", "--variant", "onnx-int8")
    assert result.exit_code == 2
    assert "--measure is about every published variant; leave --variant out" in result.stderr
