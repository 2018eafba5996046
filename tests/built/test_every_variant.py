"""The real model in a real TorchServe, every variant asked over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from built.asking import ask
from marline.serve import TorchServer
from marline.spec import ModelSpec

GOOD = "A warm, funny and beautifully acted film that I would happily watch again."
BAD = "Dull, lifeless and far too long; I wanted my money back."


def test_every_served_version_answers_with_its_own_name(server: TorchServer, spec: ModelSpec) -> None:
    for served in server.served:
        url = f"{server.url}/predictions/{spec.name}/{served.manifest.served_version}"
        for text, label in ((GOOD, "positive"), (BAD, "negative")):
            status, answer = ask(url, {"text": text})
            assert (status, answer["label"]) == (200, label)
            assert (answer["variant"], answer["model_version"]) == (served.manifest.variant, spec.version)
            assert answer["scores"][label] == answer["confidence"] > 0.5
            assert answer["latency_ms"] > 0


def test_the_default_path_and_invocations_ask_the_default_variant(
    server: TorchServer, spec: ModelSpec, report: dict[str, Any]
) -> None:
    for path in (f"/predictions/{spec.name}", "/invocations", f"/invocations?model_name={spec.name}"):
        status, answer = ask(server.url + path, {"text": GOOD})
        assert (status, answer["variant"]) == (200, report["default_variant"]), path


def test_a_batch_of_16_with_3_poisoned_items(server: TorchServer, spec: ModelSpec) -> None:
    bodies: list[Any] = [{"text": GOOD if i % 2 else BAD} for i in range(16)]
    poisoned = {3: b"\xff\xfe broken", 7: {"text": 12}, 12: b'{"text": "never closed'}
    for index, body in poisoned.items():
        bodies[index] = body
    url = f"{server.url}/predictions/{spec.name}"
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: ask(url, body), bodies))
    for index, (status, answer) in enumerate(answers):
        if index in poisoned:
            assert status == 400 and answer["error"], (index, answer)
        else:
            assert (status, answer["label"]) == (200, "positive" if index % 2 else "negative"), (index, answer)


def test_a_text_longer_than_the_model_reads_is_cut_and_says_so(server: TorchServer, spec: ModelSpec) -> None:
    status, answer = ask(f"{server.url}/predictions/{spec.name}", {"text": f"{GOOD} " * 40})
    limit = spec.inference_parameters.max_length
    assert (status, answer["truncated"], answer["tokens"]) == (200, True, limit)


def test_a_bare_curl_body_arrives_as_it_was_sent(server: TorchServer, spec: ModelSpec) -> None:
    # curl -d labels any body so; a stock TorchServe decodes it as a form and loses it
    form = "application/x-www-form-urlencoded"
    url = f"{server.url}/predictions/{spec.name}"
    text = "100% fun & joy = a + b; %41 stays"
    status, plain = ask(url, {"text": text})
    for body in ({"text": text}, text):
        status, answer = ask(url, body, form)
        assert (status, answer["tokens"], answer["scores"]) == (200, plain["tokens"], plain["scores"])
    status, answer = ask(url, "text=a+warm+film%21", form)
    assert (status, answer["tokens"]) == (200, ask(url, {"text": "a warm film!"})[1]["tokens"])
