"""A release's rollouts, as the command line deals with them: start, drive, order, look."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from marline.errors import MarlineError
from marline.rollout.canary import job
from marline.rollout.canary import record as records
from marline.rollout.canary.driver import Driver, Tools
from marline.rollout.canary.lease import DURATION_S, Lease
from marline.rollout.canary.plan import Plan
from marline.rollout.canary.rights import rules
from marline.rollout.canary.start import make, who
from marline.rollout.canary.state import PHASES, State
from marline.rollout.canary.status import mended
from marline.rollout.canary.store import Gone, Held, Store
from marline.rollout.helm.releases import Absent, Revision, deployed
from marline.rollout.helm.routes import live_weights, route_of
from marline.rollout.helm.upgrade import tried
from marline.rollout.kube import Kube, Object
from marline.rollout.plan import Plan as ReleasePlan
from marline.spec.release_image import Image

# a Helm that outlives its driver, which was killed alone, ends well within this
ORPHAN_S = 15.0
MOST_CHARACTERS = 39


@dataclass(frozen=True)
class Session:
    """One release in one namespace.

    Attributes:
        kube: its namespace.
        release: its name.
        name: of its ConfigMap, its Lease and its Job's account.
    """

    kube: Kube
    release: str
    name: str

    @classmethod
    def open(cls, namespace: str, release: str) -> Session:
        """Look for the release.

        Raises:
            MarlineError: where it is not installed, or has no weights.
        """
        kube = Kube.connect(namespace)
        route = route_of(deployed(kube, release))["metadata"]["name"]
        return cls(kube, release, f"{_short(route)}-rollout")

    @classmethod
    def of_job(cls, namespace: str, release: str) -> Session:
        """The same for a Job, which outlives what it was made for.

        Raises:
            Gone: where the release is not deployed any more, or has no weights any more.
        """
        kube = Kube.connect(namespace)
        try:
            there = bool(deployed(kube, release).objects("HTTPRoute"))
        except Absent:
            there = False
        if not there:
            raise Gone(
                f"release {release} in namespace {namespace}: is deployed no longer, or without `routes`, so there is nothing "
                "left to drive"
            )
        return cls.open(namespace, release)

    @property
    def store(self) -> Store:
        """Where its rollouts are."""
        return Store(self.kube, self.name, self.release)

    def held(self) -> Held:
        """The last rollout.

        Raises:
            MarlineError: where there was none.
        """
        found = self.store.load()
        if found is None:
            raise MarlineError(
                f"release {self.release} in namespace {self.kube.namespace}: had no rollout yet; begin one with "
                "`marline rollout start`"
            )
        return found

    def plan(self, release: ReleasePlan, helm: Path) -> tuple[Plan, list[Object]]:
        """What a rollout would do, tried with Helm; and the rules of the account that may do it.

        Raises:
            SpecError: where there is no way from what is deployed to the release file.
            MarlineError: where the chart refuses a part of the way, or the cluster's weights are not the release's.
        """
        revision = deployed(self.kube, self.release)
        plan = make(release, revision)
        self._settled(plan, revision)
        later = [item for values in (plan.values(0), plan.goal) for item in tried(helm, self.kube, revision, values)]
        return plan, rules(self.name, revision.objects(), later)

    def begin(self, plan: Plan) -> None:
        """Write the plan down, so that a driver finds it.

        Raises:
            MarlineError: while another rollout is not over, with who holds it and since when.
        """
        other = self.store.begin(plan, State(entered=plan.created), records.begin(plan))
        if other is not None:
            raise MarlineError(
                f"release {self.release}: rollout {other.plan.id} is not over ({PHASES[other.state.phase]}), started by "
                f"{other.plan.by} at {moment(other.plan.created)} and held by {self._holder()}; wait for its end, or end "
                "it with `marline rollout abort`"
            )

    def in_cluster(self, plan: Plan, found: list[Object], image: Image) -> str:
        """Have the cluster do it; the Job's name."""
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        metadata = {"name": self.name, "labels": job.labels(self.release)}
        if self.kube.get("leases", self.name) is None:
            # the account may write this one, and make no other
            self.kube.create(
                "leases", {**lease, "metadata": metadata, "spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
            )
        try:
            return job.start(self.kube, self.name, plan, found, image)
        except MarlineError as error:
            # without a driver it would stand in the way of the next one
            state = State(plan.created, "done", outcome="stopped", reason=f"Its Job could not be created: {error}")
            record = records.begin(plan)
            records.end(record, state, plan.created)
            self.store.save(plan, state, record)
            raise

    def drive(self, helm: Path, say: Callable[[str], None], rollout: str | None = None) -> Held:
        """Do it here, or go on with it; returns when it is over.

        Args:
            helm: the program.
            say: gets a sentence for everything that happens.
            rollout: the only one that may be driven; any if absent.

        Raises:
            Gone: when the ConfigMap does not hold that one, or no longer.
            MarlineError: where another driver is at it.
        """
        # before the Lease: whoever drives another rollout has it for long
        self._only(rollout)
        pod = os.environ.get("MARLINE_HOLDER")
        lease = Lease(self.kube, self.name, pod or f"{who()} process {os.getpid()}", labels=job.labels(self.release))
        if other := lease.wait(2 * DURATION_S if pod else DURATION_S + 1):
            raise MarlineError(
                f"leases/{self.name}: {other} drives this rollout; see `marline rollout status`, or wait {DURATION_S} s "
                "after its end"
            )
        try:
            held = self._only(rollout)
            if not held.state.over:
                # in its own pod nothing has outlived the last driver
                tools = Tools(self.kube, helm, self.store, lease, 0.0 if pod else ORPHAN_S, say)
                with lease.kept():
                    Driver(tools, held).run()
            return self.held()
        finally:
            lease.release()

    def _only(self, rollout: str | None) -> Held:
        if rollout is None:
            return self.held()
        found = self.store.load()
        if found is None or found.plan.id != rollout:
            now = f"holds rollout {found.plan.id}" if found else "is gone"
            raise Gone(f"configmaps/{self.name}: {now}, so there is nothing left to drive of rollout {rollout}")
        return found

    def order(self, verb: str, rollout: str | None = None, *, driven: bool = False) -> Held:
        """Order something of the driver.

        Args:
            verb: abort, promote or step.
            rollout: the only one that may be meant; whichever is the last if absent.
            driven: whether a driver has to be alive to hear it.

        Raises:
            MarlineError: when the rollout is over already, is another one or has no driver; nothing is ordered then.
        """
        held = self.held()
        if rollout not in (None, held.plan.id):
            raise MarlineError(
                f"release {self.release}: rollout {held.plan.id} has taken the place of rollout {rollout}, which was meant; "
                f"look at that one before you {verb} it"
            )
        if held.state.over:
            raise MarlineError(
                f"release {self.release}: rollout {held.plan.id} is over ({held.state.outcome} at "
                f"{moment(held.state.entered)}), so there is nothing to {verb}; see `marline rollout history`"
            )
        if driven and self.watcher().holder() is None:
            raise MarlineError(
                f"release {self.release}: no driver of rollout {held.plan.id} is alive to {verb} it; "
                f"`kubectl --namespace {self.kube.namespace} describe job/{job.name(self.name, held.plan)}` says why its Job "
                "starts none, and `marline rollout abort` ends it without one"
            )
        self.store.order({"verb": verb, "by": who(), "at": time.time(), "rollout": held.plan.id})
        return held

    def watcher(self) -> Lease:
        """Sees whether a driver is alive: the same one has to look again and again, for clocks differ."""
        return Lease(self.kube, self.name, "nobody")

    def _holder(self) -> str:
        return self.watcher().holder() or "no driver at the moment (its Job starts it again)"

    def _settled(self, plan: Plan, revision: Revision) -> None:
        live = live_weights(self.kube, revision)
        if any(live.get(endpoint) != weight for endpoint, weight in plan.weights(0).items() if endpoint in live):
            shown = ", ".join(f"{endpoint} {weight}" for endpoint, weight in live.items())
            raise MarlineError(
                f"httproutes in namespace {self.kube.namespace}: has the weights {shown}, which are not those of revision "
                f"{revision.number} of release {self.release}; {mended(revision)}"
            )


def _short(name: str) -> str:
    """A name that leaves place for the Job's: at most 63 with a rollout's id; a cut one ends with a digest of the whole."""
    if len(name) <= MOST_CHARACTERS:
        return name
    return f"{name[: MOST_CHARACTERS - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def moment(seconds: float) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
