"""The verb that compares answers of two endpoints, or of one with recorded answers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import click

from marline.artifact import atomic
from marline.cli.options import opened, require_build_packages, store_option
from marline.errors import MarlineError, ServeError, SourceError
from marline.rollout.replay import Endpoint, Limits, Outcome, Questions
from marline.rollout.replay.endpoint import endpoint, label

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("urls", nargs=-1, required=True, metavar="[REFERENCE] CANDIDATE")
@click.option("--golden", metavar="MODEL@VERSION/VARIANT", help="Ask the golden requests of an artifact of the store.")
@click.option("--archive", type=FILE, help="Ask the golden requests of this archive.")
@click.option("--gate", metavar="MODEL", help="Ask the gate's own items of a spec, which the build report is about.")
@click.option("--requests", type=FILE, help='Ask the requests of this file, JSON lines {"id", "request", "answer"}.')
@click.option("--model", help="Model to ask where a URL has no path and the requests name none.")
@click.option(
    "--min-agreement", type=click.FloatRange(0, 1), default=1.0, show_default=True,
    help="Smallest share of answers that agree.",
)  # fmt: skip
@click.option(
    "--max-failed", type=click.IntRange(0), default=0, show_default=True, help="Most requests that cannot be compared."
)
@click.option(
    "--max-abs",
    type=click.FloatRange(0),
    help="Tensor models: largest difference of equal answers. Default: the gate's.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests in flight at an endpoint."
)
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=30.0, show_default=True, help="Seconds to wait for an answer."
)
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent with every request; repeatable."
)
@click.option("--show", type=click.IntRange(0), default=10, show_default=True, help="Most items to print of each kind.")
@click.option("--hide-requests", is_flag=True, help="Print of an item its id and the answers only.")
@click.option("--metrics", type=FILE, help="Write the outcome here in Prometheus' text format.")
@click.option("--report", type=FILE, help="Write the outcome here as JSON, with every differing item.")
@click.option("--record", type=FILE, help="Ask CANDIDATE alone and write requests and answers here; compare nothing.")
@click.option(
    "--serve", type=click.IntRange(1, 65535), metavar="PORT",
    help="Replay at each POST to this port, such as a webhook of Flagger: status 200 is agreement, 409 is none.",
)  # fmt: skip
@store_option
@click.pass_context
def replay(
    context: click.Context, urls: tuple[str, ...], golden: str | None, archive: Path | None, gate: str | None,
    requests: Path | None, model: str | None, min_agreement: float, max_failed: int, max_abs: float | None,
    concurrency: int, timeout: float, headers: tuple[str, ...], show: int, hide_requests: bool, metrics: Path | None,
    report: Path | None, record: Path | None, serve: int | None, store_root: Path,
) -> None:  # fmt: skip
    """Send the same requests to two endpoints and compare their answers as the gate does.

    A URL is that of a Service or server, or of a prediction. With one URL its answers are compared with the
    recorded ones. Exit code 0: they agree within the limits. 1: they do not, and the items are printed.
    """
    from marline.rollout.replay.text import lines

    if len(urls) > 2:
        raise click.UsageError("give REFERENCE and CANDIDATE, or CANDIDATE alone")
    if record is not None and (len(urls) == 2 or metrics is not None or report is not None):
        raise click.UsageError("--record compares nothing: give CANDIDATE alone, and neither --metrics nor --report")
    if serve is not None and any(option is not None for option in (record, metrics, report)):
        raise click.UsageError("--serve answers with the outcome: give neither --record nor --metrics nor --report")
    if sum(source is not None for source in (golden, archive, gate, requests)) != 1:
        raise click.UsageError("give one of --golden, --archive, --gate and --requests")
    limits = Limits(min_agreement, max_failed)
    labels = [label(url) for url in urls]
    outcome = None
    try:
        require_numpy()
        asked = questions(golden, archive, gate, requests, store_root)
        sent = parsed(headers)
        ends = [endpoint(url, model or asked.model, sent, timeout) for url in urls]
        if record is not None:
            _record(ends[0], asked, concurrency, record)
            return
        if serve is not None:
            _serve(serve, lambda: _compared(ends, asked, max_abs, concurrency), limits, show, not hide_requests)
            return
        outcome = _compared(ends, asked, max_abs, concurrency)
    finally:
        # also after an error: a scrape must not find the outcome of an older run
        if metrics is not None:
            from marline.rollout.replay.metrics import write

            write(metrics, outcome, limits, labels[0] if len(urls) == 2 else "recorded", labels[-1])
    if report is not None:
        _write_report(report, outcome, limits)
    for line in lines(outcome, limits, show, not hide_requests):
        click.echo(line)
    context.exit(1 if limits.missed(outcome) else 0)


def questions(
    golden: str | None, archive: Path | None, gate: str | None, requests: Path | None, store: Path
) -> Questions:
    """What to ask, from the one source that was given."""
    from marline.rollout.replay import requests as files
    from marline.rollout.replay import sources

    if golden is not None:
        return sources.golden_of_store(opened(store), golden)
    if archive is not None:
        return sources.golden_of_archive(archive)
    if gate is not None:
        from marline.spec import load_model_spec

        require_build_packages()
        return sources.gate_items(load_model_spec(gate))
    assert requests is not None
    return files.read(requests)


def parsed(headers: tuple[str, ...]) -> dict[str, str]:
    """Headers by name.

    Raises:
        ServeError: for one that is not ``NAME: VALUE``; its value is not shown.
    """
    out = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip() or not value.strip() or any(c in header for c in "\r\n"):
            raise ServeError(f"`--header` {name.strip()[:40]!r}...: is no header; write 'NAME: VALUE'")
        out[name.strip()] = value.strip()
    return out


def require_numpy() -> None:
    """Refuse where only the base package is installed.

    Raises:
        MarlineError: naming what to install.
    """
    if importlib.util.find_spec("numpy") is None:
        raise MarlineError("numpy is not installed, which comparing needs; `pip install 'marline[serve]'`")


def _compared(ends: list[Endpoint], asked: Questions, max_abs: float | None, concurrency: int) -> Outcome:
    from marline.rollout.replay.judge import against_endpoint, against_records

    if len(ends) == 2:
        return against_endpoint(ends[0], ends[1], asked, max_abs, concurrency)
    return against_records(ends[0], asked, max_abs, concurrency)


def _record(end: Endpoint, asked: Questions, concurrency: int, path: Path) -> None:
    from marline.rollout.replay import requests as files
    from marline.rollout.replay.recording import answered

    found = answered(end, asked, concurrency)
    files.write(path, found)
    click.echo(f"{path}: {len(found)} requests with the answers of {end.address}")


def _serve(port: int, compared: Callable[[], Outcome], limits: Limits, show: int, requests: bool) -> None:
    from marline.rollout.replay.text import lines
    from marline.rollout.replay.webhook import Webhook

    def once() -> tuple[bool, list[str]]:
        outcome = compared()
        return not limits.missed(outcome), list(lines(outcome, limits, show, requests))

    with Webhook(port, once, click.echo) as server:
        click.echo(f"replays at each POST to port {server.server_port}", err=True)
        server.serve_forever()


def _write_report(path: Path, outcome: Outcome, limits: Limits) -> None:
    document = outcome.document() | {"missed": limits.missed(outcome)}
    try:
        atomic.write_json(path, document)
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that is there with `--report`"
        ) from error
