"""Ask a supervisord over its unix socket, always with a time limit (supervisor's own transport has none)."""

import http.client
import socket
import xmlrpc.client  # nosec B411  # our own daemon, over a 0700 socket
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from host.errors import SupervisorError

TIMEOUT_S = 10.0
# supervisor.xmlrpc.Faults
BAD_NAME, NOT_RUNNING = 10, 70
Fault = xmlrpc.client.Fault


def call(path: Path, method: str, *arguments: Any) -> Any:
    """Call `supervisor.METHOD` on the daemon whose socket is `path`.

    Raises SupervisorError when it does not answer within 10 s, `Fault` when it refuses (the codes above).
    """
    try:
        with xmlrpc.client.ServerProxy("http://supervisor", transport=_Transport(path)) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)
    except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError, ExpatError) as error:
        raise SupervisorError(f"supervisord does not answer on {path}: {error!r}; is it up?") from error


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self.path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("supervisor", timeout=TIMEOUT_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self.path))
