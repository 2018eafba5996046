"""What the front does when its memory ends: refuse requests with 503 rather than be killed with all of them.

The front holds whole bodies, those in the queue for a second attempt as well; their number times their
largest size is far more than any container has.
"""

from __future__ import annotations

from typing import Any

from marline.agent.settings import FrontSettings

_TYPE = "type.googleapis.com/envoy."
_HEAP = "envoy.resource_monitors.fixed_heap"
# code, stacks, sockets and what arrives between two looks: memory beyond the heap
OUTSIDE_MB = 48
# of the heap: from here on no new request is accepted ...
REFUSE_AT = 0.6
# ... and from here on those whose bodies still arrive are given up
GIVE_UP_AT = 0.7
# 10 Gbit/s are 60 MB in this time
REFRESH = "0.05s"
BUSY = "The front's memory is full; ask again after the seconds that Retry-After names."


def heap_bytes(memory_mb: int) -> int:
    """The front's heap within a container's limit, at least half of it."""
    return max(memory_mb - OUTSIDE_MB, memory_mb // 2) << 20


def overload_manager(front: FrontSettings) -> dict[str, Any]:
    """Envoy's overload manager: memory and connections."""
    gradually = {"scaled": {"scaling_threshold": GIVE_UP_AT, "saturation_threshold": 1.0}}
    connections = "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "refresh_interval": REFRESH,
        # bodies of HTTP/2 are counted by stream, so that the largest ones are given up first
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 16},
        "resource_monitors": [
            _monitor(
                _HEAP,
                "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=heap_bytes(front.memory_mb),
            ),
            _monitor(
                "envoy.resource_monitors.global_downstream_max_connections",
                connections,
                max_active_downstream_connections=front.max_connections,
            ),
        ],
        "actions": [
            _at("envoy.overload_actions.shrink_heap", threshold={"value": 0.5}),
            _at("envoy.overload_actions.stop_accepting_requests", threshold={"value": REFUSE_AT}),
            _at("envoy.overload_actions.reset_high_memory_stream", **gradually),
        ],
        # a body of HTTP/1 belongs to no account: each time bytes arrive, the chance to be given up grows with the need
        "loadshed_points": [_at("envoy.load_shed_points.http1_server_abort_dispatch", **gradually)],
    }


def replies() -> list[dict[str, Any]]:
    """Mappers of the front's own answers that make both refusals a 503 with the time to come back."""
    later = {"header": {"key": "retry-after", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    busy = {"body": {"inline_string": BUSY}, "status_code": 503, "headers_to_add": [later]}
    # any flag: the server's fault, told as it is; the first mapper that fits is the one taken
    return [
        {"filter": _status(500), **busy},  # nothing else lets the front itself answer 500
        {"filter": {"response_flag_filter": {}}},
        {"filter": _status(503), **busy},
    ]


def _status(code: int) -> dict[str, Any]:
    value = {"default_value": code, "runtime_key": f"marline.status_{code}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _monitor(name: str, kind: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": _TYPE + kind, **options}}


def _at(name: str, **trigger: Any) -> dict[str, Any]:
    return {"name": name, "triggers": [{"name": _HEAP, **trigger}]}
