"""Verb on speed: bench."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handlerkit.errors import LoadError
from marline.artifact.store import Store
from marline.cli.options import opened, progress, store_option
from marline.errors import BenchError, MarlineError

if TYPE_CHECKING:
    from marline.bench.contenders import Contender

STOCK = Path("benchmarks/stock/handler.py")
PEERS = Path("benchmarks/peers")
OURS = ("marline", "marline-fastapi", "stock")


@click.command()
@click.argument("model")
@click.option("--version", help="Default: the newest.")
@click.option("--variant", help="What is served; default: the version's default variant.")
@click.option("--contender", "contenders", multiple=True, help="Only these beside marline; default: all.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Turns of each contender.")
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(1), help="Of load in a turn.")
@click.option("--warm", default=20.0, show_default=True, type=click.FloatRange(1), help="Seconds of load before the first round.")
@click.option("--connections", default=16, show_default=True, type=click.IntRange(2, 256), help="Of the closed loop.")
@click.option("--load-rounds", default=5, show_default=True, type=click.IntRange(0, 100), help="Of open-loop load; 0: none.")
@click.option("--start-rounds", default=5, show_default=True, type=click.IntRange(0, 100), help="Cold starts; 0: none.")
@click.option("--peers", default=PEERS, show_default=True, type=click.Path(path_type=Path), help="Folder of the peers.")
@click.option("--out", default=Path("bench"), show_default=True, type=click.Path(path_type=Path), help="Folder of the report.")
@store_option
def bench(
    model: str, version: str | None, variant: str | None, contenders: tuple[str, ...], rounds: int, seconds: float,
    warm: float, connections: int, load_rounds: int, start_rounds: int, peers: Path, out: Path, store_root: Path,
) -> None:  # fmt: skip
    """Compare what is served with the bare loop of the same session, and with other servers, in one interleaved run."""
    from marline.bench.report import write
    from marline.bench.rounds import Plan
    from marline.bench.run import Request, run
    from marline.spec import load_model_spec

    store, say, spec = opened(store_root), progress(), load_model_spec(model)
    version = version or store.known_versions(model)[-1]
    variant = variant or _default(store, model, version)
    command = shlex.join(["marline", *sys.argv[1:]])
    plan = Plan(rounds, seconds, warm, (connections,))
    with tempfile.TemporaryDirectory(prefix="mlb-") as work, store.unpacked(model, version, variant) as archive:
        entered, unready = _contenders(store, model, version, variant, archive, contenders, peers, Path(work))
        # SIGTERM as Ctrl-C: what was started is ended in order
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            report = run(Request(spec, archive, entered, plan, load_rounds, start_rounds, Path(work), command), say)
        except LoadError as error:
            raise BenchError(str(error)) from error
        except KeyboardInterrupt:
            raise BenchError("the benchmark was interrupted, and nothing was written; run it again") from None
    report["absent"] |= unready
    paths = write(report, out)
    for name, reason in report["absent"].items():
        click.echo(f"not measured: {name}: {reason}")
    for line in report["lines"]:
        click.echo(line)
    click.echo(f"written: {', '.join(str(path) for path in paths)}")
    if report["missing"] or report["absent"]:
        raise BenchError("not everything could be measured, see above; the report holds what could")


def _default(store: Store, model: str, version: str) -> str:
    report = store.report(model, version) or {}
    return report.get("default_variant") or store.variants(model, version)[0]


def _contenders(
    store: Store, model: str, version: str, variant: str, archive: Path, names: tuple[str, ...], peers: Path, work: Path
) -> tuple[list[Contender], dict[str, str]]:
    from marline.bench import own, stock
    from marline.bench import peers as others
    from marline.bench.asking import questions_of
    from marline.spec import load_model_spec

    settings, mar = load_model_spec(model).serving, store.archive(model, version, variant)
    known = [*OURS, *others.names(peers)]
    if unknown := sorted(set(names) - set(known)):
        raise BenchError(f"{unknown[0]}: is no contender (allowed: {', '.join(known)})")
    wanted = [name for name in known if name in names or not names]
    out, unready = [own.marline(mar, settings)], {}
    for name in wanted:
        try:
            if name == "marline-fastapi":
                out.append(own.engine(store, model, version, variant))
            elif name == "stock":
                eager = work / "eager"
                with store.unpacked(model, version, "eager-fp32") as found:
                    shutil.copytree(found, eager)
                out.append(stock.stock(STOCK.resolve(), eager, questions_of(load_model_spec(model), eager)))
            elif name != "marline":
                out.append(others.peer(peers.resolve(), name, archive))
        except (MarlineError, LoadError, OSError) as error:
            unready[name] = " ".join(str(error).split())
    return out, unready

