"""What Envoy is started with, as a plain function of where and how it listens. No I/O.

The bootstrap is read once at start. Clusters, routes (deployments/router/routes.py) and the certificate come from
files that are read again whenever a rename replaces them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.router.challenges import REDIRECT, redirecting_host
from deployments.router.routes import ROUTES, STAT_PREFIX, Document, typed

CERTIFICATE = "server"
FIRST_FREE_PORT = 1024
# Whose x-envoy-* headers (time-outs, retries) are obeyed: an address that no client has. An empty list would mean every
# private address, and so everybody behind a proxy on this host.
NOBODY_INTERNAL = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}
# A path without its query string: queries carry codes and tokens.
ACCESS_LOG_FIELDS = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:PATH)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "slot": "%UPSTREAM_CLUSTER%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
}


@dataclass(frozen=True)
class Edge:
    """Where and how the public reaches a router.

    With `tls` it speaks TLS on `port`, and plain HTTP on `inner_port` of 127.0.0.1, for our own checks: no certificate
    names that address. `redirect_port` (0: none) sends people from plain HTTP to TLS; with `challenges` it also answers
    an ACME authority there. `trusted_hops`: how many proxies
    in front of it say truly who the client is; with 0 nobody is believed. `twin`: another address for the same ports
    ("" for none), so that nobody else listens on the loopback address of the other family, where people who type
    "localhost" may come out. `shared`: a second router of the same user may listen beside it, which is how a container
    is replaced; so may then every program of that user.
    """

    port: int
    host: str = "127.0.0.1"
    tls: bool = False
    inner_port: int = 0
    redirect_port: int = 0
    challenges: bool = False
    trusted_hops: int = 0
    twin: str = ""
    shared: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the addresses of its public ports."""
        return (self.host, self.twin) if self.twin else (self.host,)

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the ports that others can see."""
        return (self.port, self.redirect_port) if self.tls and self.redirect_port else (self.port,)

    @property
    def low(self) -> bool:
        """Return whether it needs a port that Linux keeps for root."""
        return any(port < FIRST_FREE_PORT for port in self.ports)


@dataclass(frozen=True)
class Files:
    """The files that Envoy reads and the socket on which it is asked."""

    admin_socket: Path
    cds: Path
    rds: Path
    sds: Path
    challenges: Path


def _file(path: Path) -> Document:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def bootstrap(edge: Edge, files: Files) -> Document:
    """Return what Envoy is started with: listeners, places of its dynamic files, admin interface on a 0600 socket.

    The access log goes to standard output, one JSON object a request, so that whoever runs Envoy rotates it.
    """
    listeners = [_listener("public", edge.hosts, edge.port, _manager(files.rds, edge.trusted_hops))]
    if edge.tls:
        listeners[0]["filter_chains"][0]["transport_socket"] = _tls(files.sds)
        # One hop: our checks say, as a proxy would, that what they ask for came by TLS.
        listeners.append(_listener("inner", ("127.0.0.1",), edge.inner_port, _manager(files.rds, 1)))
        if edge.redirect_port:
            listeners.append(
                _listener("redirect", edge.hosts, edge.redirect_port, _redirecting(edge, files.challenges))
            )
    for listener in listeners:
        listener["enable_reuse_port"] = edge.shared
    return {
        "node": {"id": "slipway", "cluster": "slipway"},
        # mode is a decimal number: 384 is 0600.
        "admin": {"address": {"pipe": {"path": str(files.admin_socket), "mode": 384}}},
        "stats_flush_interval": "1s",
        "dynamic_resources": {"cds_config": _file(files.cds)},
        "static_resources": {"listeners": listeners},
    }


def _listener(name: str, hosts: Sequence[str], port: int, manager: Document) -> Document:
    first, *others = ({"address": {"socket_address": {"address": host, "port_value": port}}} for host in hosts)
    return {
        "name": name,
        **first,
        **({"additional_addresses": others} if others else {}),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _tls(sds: Path) -> Document:
    name = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    secret = {"name": CERTIFICATE, "sds_config": _file(sds)}
    context = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificate_sds_secret_configs": [secret],
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed(name, common_tls_context=context)}


def certificate(version: str, chain: str, key: str) -> Document:
    """Return `sds.json`: the certificate and its key in one file, so that they change together."""
    secret = typed(
        "envoy.extensions.transport_sockets.tls.v3.Secret",
        name=CERTIFICATE,
        tls_certificate={"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}},
    )
    return {"version_info": version, "resources": [secret]}


def _manager(rds: Path, trusted_hops: int) -> Document:
    return _connections(
        rds={"route_config_name": ROUTES, "config_source": _file(rds)},
        stat_prefix=STAT_PREFIX,
        xff_num_trusted_hops=trusted_hops,
        upgrade_configs=[{"upgrade_type": "websocket"}],
    )


def _redirecting(edge: Edge, challenges: Path) -> Document:
    routes: Document
    if edge.challenges:
        routes = {"rds": {"route_config_name": REDIRECT, "config_source": _file(challenges)}}
    else:
        routes = {"route_config": {"name": REDIRECT, "virtual_hosts": [redirecting_host(edge.port)]}}
    return _connections(**routes, stat_prefix=REDIRECT)


def _connections(**own: Any) -> Document:
    package = "envoy.extensions.filters.network.http_connection_manager.v3"
    return typed(
        f"{package}.HttpConnectionManager",
        use_remote_address=True,
        internal_address_config=NOBODY_INTERNAL,
        normalize_path=True,
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        stream_idle_timeout="900s",
        request_headers_timeout="10s",
        access_log=[
            {
                "name": "stdout",
                "typed_config": typed(
                    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                    log_format={"json_format": ACCESS_LOG_FIELDS},
                ),
            }
        ],
        http_filters=[
            {
                "name": "envoy.filters.http.router",
                "typed_config": typed("envoy.extensions.filters.http.router.v3.Router"),
            }
        ],
        **own,
    )
