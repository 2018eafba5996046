"""The front's configuration (Envoy), derived from the pod's settings and the archive's manifest.

Only inference passes.  A retry happens for one reason alone: the answer is one that TorchServe itself
gives when a worker dies (500 or 507 without the header that every error of our handlers carries).  It
goes through a listener of its own whose cluster has a single connection, so that retried requests are
computed one at a time: a request that kills its worker a second time takes no other retried one along.
"""

from __future__ import annotations

import re
from typing import Any

from handlerkit.deadline import HEADER as DEADLINE
from handlerkit.manifest import Manifest
from marline.agent import classes, latency
from marline.agent.addresses import has_ipv6
from marline.agent.overload import overload_manager, replies
from marline.agent.places import Places
from marline.agent.settings import AGENT_PORT, FRONT_PORT, INFERENCE_PORT, PodSettings

_TYPE = "type.googleapis.com/envoy."
DIED = "x-marline-worker-died"
# seen by no client: marks the answers after which the front may ask again, in how many seconds
MARK_DEATHS = f"""
function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  headers:remove("{DIED}")
  if (status == "500" or status == "507") and headers:get("x-marline-error") == nil then
    headers:add("{DIED}", "1")
  end
end
"""
ON_ANSWER = """
function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  if status == "503" and headers:get("retry-after") == nil then
    headers:add("retry-after", "1")
  end
  if status == "200" and count_classes then
    count_classes(handle)
  end
end
"""
# nobody but the front says when an answer comes too late; a client may ask for less time
ON_REQUEST = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local most = {most}
  local given = headers:get("x-request-timeout-ms")
  local wanted = given and tonumber(given)
  if wanted and wanted > 0 and wanted < most then
    most = wanted
  end
  headers:replace("{deadline}", string.format("%.0f", handle:timestamp() + most))
end
"""
# all headers together; TorchServe takes 8 KiB, with those that the front adds
HEADERS_KB = 7
HEADERS = 100
FULL = "The queue is full; ask again after the seconds that Retry-After names."


def configuration(settings: PodSettings, manifest: Manifest, places: Places) -> dict[str, Any]:
    """Envoy's bootstrap document.

    Args:
        settings: the pod's.
        manifest: of the archive that is served.
        places: unix sockets of the administration and of retries.
    """
    return {
        "node": {"id": settings.endpoint, "cluster": manifest.model},
        "admin": {"address": _pipe(str(places.admin))},
        "stats_flush_interval": latency.FLUSH,
        "stats_config": {
            "stats_tags": classes.stats_tags(),
            "histogram_bucket_settings": latency.histogram_buckets(),
        },
        "static_resources": {
            "listeners": [_ingress(settings, manifest), _retries(settings, str(places.retries))],
            "clusters": [_server(settings, str(places.retries)), _alone(settings), _agent()],
        },
        "overload_manager": overload_manager(settings.front),
    }


def _ingress(settings: PodSettings, manifest: Manifest) -> dict[str, Any]:
    front = settings.front
    on_request = ON_REQUEST.format(most=1000 * _longest(settings), deadline=DEADLINE)
    script = classes.script(manifest.labels) + on_request + ON_ANSWER
    filters = [
        # the whole body first: a slow client holds no worker, and a retry has something to send
        _filter("buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=front.max_body_bytes),
        _filter("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": script}),
        _filter("router", "filters.http.router.v3.Router"),
    ]
    manager = {
        "stat_prefix": "ingress",
        "codec_type": "AUTO",
        "server_name": "marline",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "request_headers_timeout": _seconds(front.headers_timeout_s),
        "request_timeout": _seconds(front.request_timeout_s),
        "stream_idle_timeout": _seconds(_longest(settings)),
        "max_request_headers_kb": HEADERS_KB,
        "common_http_protocol_options": {
            "idle_timeout": _seconds(front.idle_timeout_s),
            # a Service spreads connections, not requests: one kept for ever never meets a pod that came later
            "max_connection_duration": _seconds(front.max_connection_s),
            "max_headers_count": HEADERS,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        # closed with an answer's header, never under a request
        "http1_safe_max_connection_duration": True,
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "local_reply_config": _local_replies(),
        "access_log": [_access_log(settings.endpoint)],
        # outcomes are joined by it: whoever sent no id learns the one in the log, and not the server's own
        "always_set_request_id_in_response": True,
        "http_filters": filters,
        "route_config": {
            "name": "ingress",
            "request_headers_to_remove": [DIED],
            "response_headers_to_remove": [DIED],
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(settings, manifest)}],
        },
    }
    return {
        "name": "ingress",
        "address": _everywhere(FRONT_PORT),
        # read ahead of what is accepted: times the connections it has to fit in the memory
        "per_connection_buffer_limit_bytes": 1 << 15,
        "filter_chains": [{"filters": [_manager(manager)]}],
    }


def _retries(settings: PodSettings, path: str) -> dict[str, Any]:
    """The listener on which retries come back in, on their way to one connection."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "alone", "timeout": _seconds(_longest(settings))}}
    manager = {
        "stat_prefix": "retries",
        "stream_idle_timeout": _seconds(_longest(settings)),
        # room for the headers that the front has added to the client's
        "common_http_protocol_options": {"max_headers_count": 2 * HEADERS},
        "http_filters": [_filter("router", "filters.http.router.v3.Router")],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {
        "name": "retries",
        "address": _pipe(path),
        # with every place taken by clients, their requests are still asked again
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [_manager(manager)]}],
    }


def _routes(settings: PodSettings, manifest: Manifest) -> list[dict[str, Any]]:
    """Paths that pass; everything else is answered 404."""
    model, version = re.escape(manifest.model), re.escape(manifest.served_version)
    names = "|".join(sorted({re.escape(settings.endpoint), re.escape(manifest.variant)}))
    full = f"/predictions/{manifest.model}/{manifest.served_version}"
    action = _to_server(settings)
    own = [
        {"match": {"path": "/ping"}, "route": {"cluster": "agent", "prefix_rewrite": "/ready", "timeout": "2s"}},
        _route({"safe_regex": {"regex": f"/variants/(?:{names})/predictions/{model}"}}, {**action, **_whole(full)}),
        _route({"safe_regex": {"regex": f"/variants/(?:{names})/invocations"}}, {**action, **_whole(full)}),
        _route({"safe_regex": {"regex": f"/invocations/{model}/(?:{names})"}}, {**action, **_whole(full)}),
        _route({"safe_regex": {"regex": f"/predictions/{model}(?:/{version})?"}}, action),
        _route({"path": "/invocations"}, action),
        _route({"path": f"/v1/models/{manifest.model}:predict"}, action),
        _route({"path": f"/v2/models/{manifest.model}/infer"}, action),
    ]
    missing = {
        "direct_response": {"status": 404, "body": {"inline_string": "No such path."}},
        # nobody waits for a body that nobody reads
        "typed_per_filter_config": {
            "envoy.filters.http.buffer": {
                "@type": _TYPE + "extensions.filters.http.buffer.v3.BufferPerRoute", "disabled": True
            }
        },
    }  # fmt: skip
    return [*own, {"match": {"prefix": "/"}, **missing}, {"match": {"connect_matcher": {}}, **missing}]


def _route(match: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    return {"match": match, "route": action}


def _whole(path: str) -> dict[str, Any]:
    return {"regex_rewrite": {"pattern": {"regex": "^.*$"}, "substitution": path}}


def _to_server(settings: PodSettings) -> dict[str, Any]:
    return {
        "cluster": "server",
        "timeout": _seconds(_longest(settings)),
        "retry_policy": {
            "retry_on": "retriable-headers",
            "num_retries": 1,
            "retriable_headers": [{"name": DIED, "present_match": True}],
            # what ended one worker may have ended the others a moment later: give the server time to notice
            "rate_limited_retry_back_off": {
                "reset_headers": [{"name": DIED, "format": "SECONDS"}],
                "max_interval": "2s",
            },
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.1s"},
            "retry_priority": {
                "name": "envoy.retry_priorities.previous_priorities",
                "typed_config": {
                    "@type": _TYPE + "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                    "update_frequency": 1,
                },
            },
        },
    }


def _server(settings: PodSettings, retries: str) -> dict[str, Any]:
    """The server, and as the place for second attempts the listener of retries."""
    places = [(_socket("127.0.0.1", INFERENCE_PORT), 0), (_pipe(retries), 1)]
    accepted = settings.server.queue_size + settings.server.in_flight
    mark = _filter("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": MARK_DEATHS})
    codec = _filter("upstream_codec", "filters.http.upstream_codec.v3.UpstreamCodec")
    limits = {
        # one request more than the server can hold is refused here, at once and by its right name; connections
        # of earlier retries stay open, and take no place from the others
        "max_connections": accepted + 1 + 2 * settings.server.in_flight,
        "max_pending_requests": accepted,
        "max_requests": accepted,
        # all that the death of every worker can lose, twice
        "max_retries": 2 * settings.server.in_flight,
    }
    return {
        "name": "server",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": "server",
            "endpoints": [
                {"priority": priority, "lb_endpoints": [{"endpoint": {"address": address}}]}
                for address, priority in places
            ],
        },
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": _http1(http_filters=[mark, codec]),
    }


def _alone(settings: PodSettings) -> dict[str, Any]:
    """The server again, one request at a time; the others wait for the connection."""
    cluster = _cluster("alone", _socket("127.0.0.1", INFERENCE_PORT))
    limits = {"max_connections": 1, "max_pending_requests": 2 * settings.server.in_flight}
    return {**cluster, "circuit_breakers": {"thresholds": [limits]}, "typed_extension_protocol_options": _http1()}


def _agent() -> dict[str, Any]:
    return _cluster("agent", _socket("127.0.0.1", AGENT_PORT))


def _cluster(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }


def _http1(**more: Any) -> dict[str, Any]:
    options = {"@type": _TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions"}
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            **options, "explicit_http_config": {"http_protocol_options": {}}, **more
        }
    }  # fmt: skip


def _local_replies() -> dict[str, Any]:
    """The front's own refusals as JSON, like all others."""
    full = {
        "filter": {"response_flag_filter": {"flags": ["UO"]}},
        "body": {"inline_string": FULL},
    }
    return {
        "mappers": [full, *replies()],
        "body_format": {"json_format": {"code": "%RESPONSE_CODE%", "error": "%LOCAL_REPLY_BODY%"}},
    }


def _access_log(endpoint: str) -> dict[str, Any]:
    fields = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        # of itself a line of the log does not say which pod wrote it
        "endpoint": endpoint,
    }
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": _TYPE + "extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": fields},
        },
    }


def _manager(options: dict[str, Any]) -> dict[str, Any]:
    kind = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {"@type": _TYPE + kind, **options},
    }


def _filter(name: str, kind: str, **options: Any) -> dict[str, Any]:
    config = {"@type": f"{_TYPE}extensions.{kind}", **options}
    return {"name": f"envoy.filters.http.{name}", "typed_config": config}


def _longest(settings: PodSettings) -> int:
    """Seconds that an answer may take: a wait in the queue, a computation, and both again after a death."""
    return 2 * (settings.server.response_timeout_s + 15)


def _seconds(value: int) -> str:
    return f"{value}s"


def _pipe(path: str) -> dict[str, Any]:
    return {"pipe": {"path": path}}


def _everywhere(port: int) -> dict[str, Any]:
    """All addresses of the pod in which this is written: where it has IPv6, of both kinds."""
    if not has_ipv6():
        return _socket("0.0.0.0", port)
    return {"socket_address": {"address": "::", "port_value": port, "ipv4_compat": True}}


def _socket(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}
