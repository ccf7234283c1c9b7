"""Envoy's configuration documents as plain functions of what the router is to do. No I/O.

Two documents: `cds.json` (clusters: one for each slot that has a backend) and `rds.json` (routes: which slot gets which
share), read again whenever they are replaced by a rename. The bootstrap: deployments/router/bootstrap.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from host.ports import Endpoint, Endpoints

Document = dict[str, Any]

PREVIEW_HEADER = "x-slipway-preview"
SLOT_HEADER = "x-slipway-slot"
ROUTES = "main"
STAT_PREFIX = "edge"
# sockaddr_un.sun_path holds 108 bytes with its terminating zero (Linux, unix(7)).
LONGEST_SOCKET_PATH = 107
NOTHING_LIVE = "503: no version of this service is live here\n"

# Envoy's defaults (1024 connections and requests, 3 retries at a time) would answer 503 to the 1025th open stream
# and to the fourth request at a time that meets a closing connection.
CIRCUIT_BREAKERS = {
    "max_connections": 20_000,
    "max_pending_requests": 20_000,
    "max_requests": 20_000,
    "max_retries": 1_000,
}
# Where the app reads who asks. One address, the believed one: what a client says of itself is overwritten.
CLIENT = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
CLIENT_HEADERS = [
    {"header": {"key": "x-forwarded-for", "value": CLIENT}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
    {"header": {"key": "x-real-ip", "value": CLIENT}, "append_action": "OVERWRITE_IF_EXISTS"},
]


def typed(message: str, /, **fields: Any) -> Document:
    """Return one of Envoy's messages with its type, as JSON wants it."""
    return {"@type": f"type.googleapis.com/{message}", **fields}


def cluster(slot: str, endpoints: Endpoints, idle_timeout_s: float) -> Document:
    """Return one slot's cluster: its backends, whose idle connections we close before they do."""
    protocol = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": f"{idle_timeout_s:g}s"},
        explicit_http_config={"http_protocol_options": {}},
    )
    backends = [
        {"endpoint": {"address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}}}
        for endpoint in endpoints
    ]
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=slot,
        type="STATIC",
        connect_timeout="1s",
        circuit_breakers={"thresholds": [CIRCUIT_BREAKERS]},
        typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
        load_assignment={
            "cluster_name": slot,
            "endpoints": [{"lb_endpoints": backends}],
        },
    )


def clusters(version: str, backends: Mapping[str, Endpoints], idle_timeout_s: float) -> Document:
    """Return `cds.json`: a cluster for each slot in `backends`."""
    resources = [cluster(slot, endpoints, idle_timeout_s) for slot, endpoints in sorted(backends.items())]
    return {"version_info": version, "resources": resources}


def routes(version: str, weights: Mapping[str, int], preview_slot: str | None, preview_secret: str) -> Document:
    """Return `rds.json`: the preview route if there is one, then the public route or the router's own 503.

    The preview header is removed from every request, so that no app sees the secret. The client's address stands in
    X-Forwarded-For, alone.
    """
    preview = [] if preview_slot is None else [_preview_route(preview_slot, preview_secret)]
    host = {"name": "all", "domains": ["*"], "routes": [*preview, _public_route(weights)]}
    resource = typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=ROUTES,
        validate_clusters=True,
        request_headers_to_add=CLIENT_HEADERS,
        request_headers_to_remove=[PREVIEW_HEADER, "forwarded"],
        virtual_hosts=[host],
    )
    return {"version_info": version, "resources": [resource]}


def _action(**target: Any) -> Document:
    return {
        # The default would end every answer that takes longer than 15 s.
        "timeout": "0s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 2,
        },
        **target,
    }


def _preview_route(slot: str, secret: str) -> Document:
    header = {"name": PREVIEW_HEADER, "string_match": {"exact": secret}}
    return {
        "match": {"prefix": "/", "headers": [header]},
        "route": _action(cluster=slot),
        "response_headers_to_add": [
            {
                "header": {"key": SLOT_HEADER, "value": slot},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }


def _public_route(weights: Mapping[str, int]) -> Document:
    shares = [{"name": slot, "weight": share} for slot, share in sorted(weights.items()) if share]
    if not shares:
        answer = {"status": 503, "body": {"inline_string": NOTHING_LIVE}}
        return {"match": {"prefix": "/"}, "direct_response": answer}
    return {
        "match": {"prefix": "/"},
        "route": _action(weighted_clusters={"clusters": shares}),
    }


@dataclass(frozen=True)
class Pair:
    """The two documents that belong together."""

    cds: Document
    rds: Document

    @property
    def version(self) -> str | None:
        """The version that both carry, or None when they differ."""
        version = self.cds.get("version_info")
        return version if version and version == self.rds.get("version_info") else None

    @property
    def backends(self) -> dict[str, Endpoints]:
        """Slot -> endpoints, as this pair's clusters say."""
        return {
            item["name"]: endpoints_of(
                backend["endpoint"] for backend in item["load_assignment"]["endpoints"][0]["lb_endpoints"]
            )
            for item in self.cds["resources"]
        }


def endpoints_of(items: Iterable[Document]) -> Endpoints:
    """Return the endpoints in documents with an address of Envoy's. Raises KeyError if one has none."""
    sockets = [item["address"]["socket_address"] for item in items]
    return tuple(Endpoint(socket["address"], int(socket["port_value"])) for socket in sockets)


def steps(running: Mapping[str, Endpoints], target: Pair, idle_timeout_s: float) -> Iterable[tuple[str, Document]]:
    """Return which files to replace by what, in an order in which no route ever names an absent cluster.

    `running`: slot -> endpoints of the clusters that Envoy has now. A slot is added before a route names it and removed
    after no route does; when some are added and others removed, a document with both stands in between.
    """
    wanted = target.backends
    removed = {slot: endpoints for slot, endpoints in running.items() if slot not in wanted}
    if not removed:
        return [("cds.json", target.cds), ("rds.json", target.rds)]
    last = [("rds.json", target.rds), ("cds.json", target.cds)]
    if all(sorted(running.get(slot, ())) == sorted(endpoints) for slot, endpoints in wanted.items()):
        return last
    both = clusters(f"{target.cds['version_info']}.join", removed, idle_timeout_s)
    both["resources"] = [*target.cds["resources"], *both["resources"]]
    return [("cds.json", both), *last]
