"""TCP ports of this host: which are free, and who has one that is not."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import psutil

from host.process_marks import told

LOCAL, LOCAL6 = "127.0.0.1", "::1"
ALL = "0.0.0.0"  # nosec B104  # compared, never listened on
NET_BIND_SERVICE = 10  # capabilities(7)


@dataclass(frozen=True, order=True)
class Endpoint:
    """Where a server listens: an IP address and a TCP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the endpoint of `str(endpoint)`. Raises ValueError if there is no IP address or no port."""
        host, _, port = text.rpartition(":")
        return cls(str(ip_address(host.removeprefix("[").removesuffix("]"))), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self}"


Endpoints = tuple[Endpoint, ...]


def free_port() -> int:
    """Return a port that nothing on 127.0.0.1 listens on now; another process may take it before you do."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def loopback_twin(host: str) -> str:
    """Return the loopback address of the other family, if people who type "localhost" come to `host` and this host has
    such an address; else "".

    "localhost" means 127.0.0.1 and ::1, and browsers try ::1 first: who serves on one of them must have both.
    """
    twin = {LOCAL: LOCAL6, ALL: LOCAL6, LOCAL6: LOCAL, "::": LOCAL}.get(host, "")
    return twin if twin and is_free(0, twin) else ""


def is_free(port: int, host: str = LOCAL) -> bool:
    """Return whether a server could listen on `port` (1 to 65535) of `host` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as servers do: connections that are winding down (TIME_WAIT) are in nobody's way
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def needs_rights(port: int) -> bool:
    """Return whether this user may not listen on `port`: low ones are for who has CAP_NET_BIND_SERVICE."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except (OSError, ValueError):
        return False
    effective = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    return port < first and not effective & 1 << NET_BIND_SERVICE


def who_listens(port: int, host: str = "") -> str | None:
    """Return "pid 123 (python -m http.server)" of who listens on `port`, or None if nobody does; with `host` of who
    does so there or at all addresses.

    "another user's process" when the system does not tell us who.
    """
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or connection.laddr[1:] != (port,):
            continue
        if host and connection.laddr[:1] not in ((host,), (ALL,), ("::",)):
            continue
        if connection.pid is None:
            return "another user's process"
        return told(connection.pid)
    return None
