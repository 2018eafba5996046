"""Log lines to the reason of a failure."""

from __future__ import annotations

from marline.serve.torchserve.reasons import last_words, load_failure, refusals

WHO = "sentiment_1.0.0-onnx-int8"


def log(*lines: str, who: str = WHO, port: int = 9000, stream: str = "stdout") -> str:
    return "".join(f"2026-11-21T10:56:41,253 W-{port}-{who}-{stream} - {line}\n" for line in lines)


STARTED = "Torch worker started."
CHAIN = (
    "Backend worker process died.",
    "Traceback (most recent call last):",
    '  File "model_loader.py", line 1, in load',
    "    module, function_name = self._load_handler_file(handler)",
    "ImportError: cannot import name 'x' from 'y': it says: no",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    "ModuleNotFoundError: No module named 'ts.torch_handler.tensor'",
)


def test_a_healthy_start_has_no_failure() -> None:
    assert load_failure("", WHO) is None
    assert load_failure(log("[PID]1", STARTED, "model_name: sentiment, batchSize: 8"), WHO) is None


def test_the_handlers_own_sentence_comes_first() -> None:
    text = log(STARTED, "marline load error: it must not serve: here", *CHAIN)
    assert load_failure(text, WHO) == "it must not serve: here"


def test_the_first_exception_of_a_chain() -> None:
    assert load_failure(log(STARTED, *CHAIN), WHO) == "ImportError: cannot import name 'x' from 'y': it says: no"


def test_a_traceback_that_is_not_written_to_its_end_is_waited_for() -> None:
    assert load_failure(log(STARTED, *CHAIN[:4]), WHO) is None
    assert load_failure(log(STARTED, *CHAIN[:5])[:-9], WHO) is None


def test_a_traceback_alone_is_no_failure() -> None:
    assert load_failure(log(STARTED, *CHAIN[1:5]), WHO) is None


def test_another_workers_failure_is_not_this_ones() -> None:
    assert load_failure(log(STARTED, *CHAIN, who="sentiment_1.0.0-onnx-int8-vnni"), WHO) is None
    assert load_failure(log(STARTED, *CHAIN, port=9000) + log(STARTED, port=9001), WHO) is not None


def test_lines_of_two_workers_may_mix() -> None:
    mixed = "".join(log(line, port=9000) + log("noise", port=9001) for line in (STARTED, *CHAIN))
    assert load_failure(mixed, WHO) == "ImportError: cannot import name 'x' from 'y': it says: no"


def test_a_worker_that_starts_again_died_unheard() -> None:
    assert load_failure(log(STARTED, STARTED), WHO) == (
        "its worker was killed while it loaded; it may need more memory than there is"
    )
    crash = log(STARTED) + log("Fatal Python error: Segmentation fault", stream="stderr") + log(STARTED)
    assert load_failure(crash, WHO) == "Fatal Python error: Segmentation fault"
    assert load_failure(log(STARTED, port=9000) + log(STARTED, port=9001), WHO) is None


def test_refused_archives_and_why() -> None:
    text = (
        "2026 WARN ModelServer - Failed to load model: archive1.mar\n"
        "org.pytorch.serve.archive.model.InvalidModelException: Runtime is not defined or invalid.\n\tat x.Y\n"
    )
    assert refusals(text) == {
        "archive1.mar": "org.pytorch.serve.archive.model.InvalidModelException: Runtime is not defined or invalid."
    }
    assert refusals("2026 WARN x - fine\n") == {}


def test_the_frontends_last_words() -> None:
    noise = "WARNING: sun.misc.Unsafe has been called\n"
    assert last_words(f"{noise}java.io.IOException: Failed to bind to address: http://x:1\n\tat a.B\n") == (
        "java.io.IOException: Failed to bind to address: http://x:1"
    )
    assert last_words(f"{noise}Error: Could not find the main class\n") == "Error: Could not find the main class"
    assert last_words(noise) == noise.strip()
    assert last_words("") == "it said nothing"
