"""The verbs of a rollout: start, status, step, promote, abort, history."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marline.artifact import atomic
from marline.cli.options import opened, store_option
from marline.errors import MarlineError, SpecError

if TYPE_CHECKING:
    from marline.rollout.canary.session import Session
    from marline.rollout.plan import Plan

environment = click.argument("environment")
helm_option = click.option(
    "--helm", type=click.Path(path_type=Path), default="helm", show_default=True, help="The program, Helm 3 or 4."
)
PATIENCE_S = 60.0
# pulling the image on a slow network is over by then
SILENT_S = 120.0
PAUSE_S = 0.5
# the keys of a release file that say which release it is
KEYS = {"release": "Helm release", "namespace": "namespace that it is in"}


class _Verbs(click.Group):
    """The verb ``ab`` has a module of its own, which is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs."""
        return [*super().list_commands(ctx), "ab"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One verb."""
        if cmd_name == "ab":
            from marline.cli.rollout_ab import ab

            return ab
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Verbs)
def rollout() -> None:
    """Move traffic to a new version step by step, judged on evidence, and back by itself."""


def command(name: str, **options: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A verb of the group."""
    return rollout.command(name, **options)


@command("start")
@environment
@store_option
@helm_option
@click.option("--plan", "only_plan", is_flag=True, help="Print what would happen, and change nothing.")
@click.option("--local", is_flag=True, help="Drive it in this terminal instead of in a Job of the cluster.")
@click.option("--wait", is_flag=True, help="Stay until it is over; exit code 1 unless it was promoted.")
def start(environment: str, store_root: Path, helm: Path, only_plan: bool, local: bool, wait: bool) -> None:
    """Begin to move the traffic of a release to what its file in config/releases says."""
    from marline.rollout.canary import text

    release = release_of(environment, store_root)
    image = release.release.rollout.image
    if image is None and not (local or only_plan):
        raise MarlineError(
            f"{release.path}: rollout.image is missing, which the Job in the cluster needs; build it with "
            "`make image ARGS='--target rollout --tag NAME'`, or drive the rollout here with `--local`"
        )
    session = session_of(release)
    plan, rules = session.plan(release, helm)
    click.echo(text.plan(plan), nl=False)
    if only_plan:
        return
    session.begin(plan)
    if local:
        _drive(session, helm)
    else:
        assert image is not None, "looked at above"
        job = session.in_cluster(plan, rules, image)
        click.echo(f"job/{job} drives rollout {plan.id}; `marline rollout status {environment}` says how far it is")
        if wait:
            _until_over(session, job)


@command("run", hidden=True)
@click.argument("release")
@click.option("--namespace", required=True)
@click.option("--rollout", "wanted", required=True)
@helm_option
def run(release: str, namespace: str, wanted: str, helm: Path) -> None:
    """Drive the rollout that was begun: what the Job does, again and again until this exits with 0.

    A rollout that was rolled back is no failure of its driver, and neither is one that there is no more.
    """
    from marline.rollout.canary.session import Session
    from marline.rollout.canary.store import Gone

    try:
        held = Session.of_job(namespace, release).drive(helm, _say, wanted)
    except Gone as error:
        click.echo(str(error))
        return
    click.echo(f"{held.state.outcome}: {held.state.reason}")


@command("status")
@environment
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print the record instead.")
def status(environment: str, store_root: Path, as_json: bool) -> None:
    """Say how far the rollout is, and where weights of cluster, Helm and file differ (exit code 1)."""
    from marline.rollout.canary import text
    from marline.rollout.canary.plan import weights_of
    from marline.rollout.canary.status import status as look

    release = release_of(environment, store_root)
    session = session_of(release)
    held = session.store.load()
    if as_json:
        click.echo(json.dumps(held.record if held else None))
        return
    found = look(session.kube, session.release, weights_of(release.values), held)
    click.echo(text.status(found, time.time(), session.watcher().holder()), nl=False)
    if not found.agrees:
        raise SystemExit(1)


@command("abort")
@environment
@store_option
@helm_option
def abort(environment: str, store_root: Path, helm: Path) -> None:
    """Roll back now; returns when stable has all of its traffic again."""
    session = session_named(environment)
    session.order("abort")
    carried_out(session, helm)
    held = session.held()
    if held.state.outcome not in ("rolled-back", "stopped"):
        raise MarlineError(
            f"release {session.release}: rollout {held.plan.id} was over before the order came ({held.state.outcome}); "
            "a rollout with the weights exchanged leads back"
        )
    click.echo(f"{held.state.outcome}: {held.state.reason}")


@command("step")
@environment
@store_option
@helm_option
def step(environment: str, store_root: Path, helm: Path) -> None:
    """Go on to the next step now, whatever the evidence; pods still have to be ready and right."""
    held = session_named(environment).order("step", driven=True)
    click.echo(f"rollout {held.plan.id}: ordered, and carried out as soon as the step's pods are ready")


@command("promote")
@environment
@store_option
@helm_option
def promote(environment: str, store_root: Path, helm: Path) -> None:
    """Go to the end now, whatever the evidence; pods still have to be ready and right."""
    session = session_named(environment)
    session.order("promote", driven=True)
    carried_out(session, None)
    held = session.held()
    click.echo(f"{held.state.outcome}: {held.state.reason}")
    if held.state.outcome != "promoted":
        raise SystemExit(1)


@command("history")
@environment
@store_option
@click.option("--id", "wanted", help="One rollout; the last one if absent with --json or --html.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a page with plots.")
def history(environment: str, store_root: Path, wanted: str | None, as_json: bool, html: Path | None) -> None:
    """List the rollouts of a release, or show one with its evidence."""
    from marline.cli.rollout_history import show

    session = session_named(environment)
    records = session.store.history()
    if not records:
        session.held()
    if html is not None:
        from marline.rollout.history import page, validate

        try:
            atomic.write_text(html, page(validate(_one(records, wanted))))
        except OSError as error:
            raise MarlineError(
                f"{html}: cannot be written ({error.strerror}); name a file in a folder that is there"
            ) from error
        click.echo(html)
    elif as_json:
        click.echo(json.dumps(_one(records, wanted), indent=2))
    else:
        show(records if wanted is None else [_one(records, wanted)])


def _one(records: list[dict[str, Any]], wanted: str | None) -> dict[str, Any]:
    if wanted is None:
        return records[-1]
    for record in records:
        if record["id"] == wanted:
            return record
    raise MarlineError(f"--id {wanted}: no such rollout is kept; allowed: {', '.join(r['id'] for r in records)}")


def release_of(environment: str, store_root: Path) -> Plan:
    """The release file, derived."""
    from marline.rollout.plan import plan

    found = plan(environment, opened(store_root))
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    return found


def session_of(release: Plan) -> Session:
    """The release in its cluster."""
    from marline.rollout.canary.session import Session

    return Session.open(release.release.namespace, release.release.release)


def session_named(environment: str) -> Session:
    """The same for verbs that need no more of the file than which release it is, whatever else is wrong with it.

    Raises:
        SpecError: where it does not say so.
    """
    from marline.rollout.canary.session import Session
    from marline.spec.release import resolve_release_path
    from marline.spec.yaml import read_yaml

    document = read_yaml(resolve_release_path(environment))
    for key, what in KEYS.items():
        if not (isinstance(found := document.data.get(key), str) and found):
            raise SpecError([f"{document.where(key)}: must be text; name the {what}"])
    return Session.open(document.data["namespace"], document.data["release"])


def _say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}")


def _drive(session: Session, helm: Path) -> None:
    held = session.drive(helm, _say)
    if held.state.outcome != "promoted":
        raise MarlineError(f"rollout {held.plan.id}: {held.state.outcome}: {held.state.reason}")


def _until_over(session: Session, job: str) -> None:
    """Show what happens until it is over."""
    shown, watcher, place = 0, session.watcher(), None
    alive = time.monotonic()
    while True:
        held = session.held()
        for event in held.record["events"][shown:]:
            _say(event["text"])
        shown = len(held.record["events"])
        if held.state.over:
            break
        if watcher.holder() is not None or place != (held.state.phase, held.state.step):
            alive, place = time.monotonic(), (held.state.phase, held.state.step)
        elif time.monotonic() - alive > SILENT_S:
            raise MarlineError(
                f"job/{job}: has had no driver for {SILENT_S:g} s; `kubectl --namespace {session.kube.namespace} describe "
                f"job/{job}`, or `describe pods --selector job-name={job}`, says why, and `marline rollout abort` ends the "
                "rollout"
            )
        time.sleep(PAUSE_S)
    if held.state.outcome != "promoted":
        raise MarlineError(f"rollout {held.plan.id}: {held.state.outcome}: {held.state.reason}")


def carried_out(session: Session, helm: Path | None) -> None:
    """Wait until the driver has done what was ordered.

    Args:
        session: with the rollout.
        helm: the program with which this terminal takes over where no driver is alive: back, for which it needs the API
            server alone; None leaves that to the Job.

    Raises:
        MarlineError: when it takes a minute.
    """
    end, watcher = time.monotonic() + PATIENCE_S, session.watcher()
    while not session.held().state.over:
        if helm is not None and watcher.holder() is None:
            click.echo("no driver is alive: this terminal goes on with it", err=True)
            session.drive(helm, _say)
            return
        if time.monotonic() > end:
            raise MarlineError(
                f"release {session.release}: the driver has not carried it out within {PATIENCE_S:g} s; see "
                "`marline rollout status` and the log of its Job"
            )
        time.sleep(PAUSE_S)
