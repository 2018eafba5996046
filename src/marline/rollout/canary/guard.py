"""What ends a step without statistics: pods that cannot serve."""

from __future__ import annotations

from collections.abc import Mapping

from marline.rollout.canary.pods import Pods

# of one pod in one step: a worker's death is mended inside the pod, a container's is not
MOST_RESTARTS = 2


def harm(pods: Pods, restarts: Mapping[str, int], before: Pods | None) -> str | None:
    """Why a candidate with traffic must not have it any longer.

    Args:
        pods: the candidate's, now.
        restarts: of each pod when the step began.
        before: the look before this one, None at the first; one look alone may fall between two pods.

    Returns:
        One sentence, None where there is no such reason.
    """
    for name, count in pods.restarts.items():
        if count - restarts.get(name, 0) >= MOST_RESTARTS:
            why = f": {pods.hindrance}" if pods.hindrance else ""
            return (
                f"Containers of {name} have been started again {count - restarts.get(name, 0)} times in this step{why}."
            )
    if pods.wanted and not pods.ready and before is not None and not before.ready:
        why = f": {pods.hindrance}" if pods.hindrance else ""
        return f"None of the candidate's {pods.wanted} pods is ready{why}."
    return None
