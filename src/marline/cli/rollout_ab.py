"""The verb that judges a rollout by what became of its requests."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marline.cli.options import store_option
from marline.cli.rollout import carried_out, environment, helm_option, session_named

if TYPE_CHECKING:
    from marline.rollout.canary.session import Session
    from marline.rollout.outcomes import Judgement

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("ab")
@environment
@store_option
@helm_option
@click.option("--exposures", type=FILE, required=True, help="Access logs of both versions' fronts, JSON lines.")
@click.option("--outcomes", type=FILE, help='JSON lines {"request_id", "value"}, value 0 to 1.')
@click.option("--outcomes-command", help="A command that writes such lines to its standard output.")
@click.option("--margin", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
              help="How much less the candidate's mean may be to count as not worse.")  # fmt: skip
@click.option("--alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True,
              help="Probability of a wrong verdict, over all looks.")  # fmt: skip
@click.option("--order", is_flag=True, help="Promote the running rollout when that is proven, abort it when worse.")
@click.option("--every", type=click.FloatRange(1), help="Look again after so many seconds until there is a verdict.")
@click.option("--for", "seconds", type=click.FloatRange(1), default=3600.0, show_default=True,
              help="With --every: seconds after which it stays undecided.")  # fmt: skip
def ab(
    environment: str, store_root: Path, helm: Path, exposures: Path, outcomes: Path | None, outcomes_command: str | None,
    margin: float, alpha: float, order: bool, every: float | None, seconds: float,
) -> None:  # fmt: skip
    """Compare both versions of the last rollout by outcomes; exit code 0 when better or not worse, else 1."""
    from marline.rollout.outcomes import Terms, compare, lines

    if (outcomes is None) == (outcomes_command is None):
        raise click.UsageError("give one of --outcomes and --outcomes-command")
    source = outcomes if outcomes is not None else shlex.split(outcomes_command or "")
    session = session_named(environment)
    plan, terms = session.held().plan, Terms(margin, alpha)
    end = time.monotonic() + seconds
    while True:
        found = compare(exposures, source, plan.stable.endpoint, plan.candidate.endpoint, terms)
        if found.decision != "undecided" or every is None or time.monotonic() + every > end:
            break
        click.echo(list(lines(found))[-1], err=True)
        time.sleep(every)
    for line in lines(found):
        click.echo(line)
    if order:
        _order(session, plan.id, helm, found)
    if not found.promotes:
        raise SystemExit(1)


def _order(session: Session, rollout: str, helm: Path, found: Judgement) -> None:
    """What follows from the verdict, for the rollout that was judged."""
    if found.decision == "undecided":
        return
    session.order("promote" if found.promotes else "abort", rollout, driven=found.promotes)
    carried_out(session, None if found.promotes else helm)
    state = session.held().state
    click.echo(f"{state.outcome}: {state.reason}")
