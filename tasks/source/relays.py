"""Ways into and out of the network of a check: a relay of ours in there carries bytes, to or from a unix socket."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from host.errors import ToolError
from host.files import open_directory
from host.ports import LOCAL, Endpoint
from host.resources.starts import Start
from host.sandbox.run import AnyNetwork, Network, for_check
from tasks.source import relay
from tasks.source.background import running
from tasks.source.workspace import Workspace

PROGRAM = Path(relay.__file__)
SOCKET = "relay.sock"
# Longer than any check. A relay ends with the block, and with us.
LONGEST_S = 86_400.0
START_S = 60.0  # in which it does nothing
LOOK_S = 0.025


@contextlib.contextmanager
def entrance(workspace: Workspace, name: str, network: AnyNetwork, port: int) -> Iterator[Path | None]:
    """Yield a unix socket through which we reach a port of a network, None for the host's, while the block runs.

    No program of the app's sees the socket. Raises ToolError if the relay does not start.
    """
    if network is Network.HOST:
        yield None
        return
    scratch = workspace.scratch(f"{name}-relay")
    with (
        open_directory(scratch) as short,
        _relay(workspace, scratch, network, SOCKET, f"{relay.PORT}{port}"),
    ):
        yield short / SOCKET


@contextlib.contextmanager
def outlet(workspace: Workspace, name: str, network: AnyNetwork, socket: Path) -> Iterator[Endpoint]:
    """Yield where programs in a network reach a unix socket of this host, while the block runs. Who may do what there
    is for the server behind the socket to decide: on the host's network anybody of this host reaches it.

    Raises ToolError if the relay does not start.
    """
    scratch = workspace.scratch(f"{name}-outlet")
    with _relay(workspace, scratch, network, f"{relay.PORT}0", str(socket), socket.parent) as port:
        yield Endpoint(LOCAL, port)


@contextlib.contextmanager
def _relay(
    workspace: Workspace, scratch: Path, network: AnyNetwork, source: str, to: str, *visible: Path
) -> Iterator[int]:
    """Run the relay while the block runs; yield the port at which it listens, of a socket 0."""
    ready = scratch / relay.READY
    for old in (ready, scratch / SOCKET):
        old.unlink(missing_ok=True)
    # The interpreter of the app's environment, without what is installed there.
    argv = [str(workspace.environment / "bin" / "python"), "-I", "-S", "-c", PROGRAM.read_text(encoding="utf-8")]
    bound = (workspace.environment, *visible)
    box = for_check(workspace.shares, read_only=bound, writable=(scratch,), network=network)
    log = workspace.root / f"{scratch.parent.name}.log"
    with running([*argv, source, to], cwd=scratch, env={}, box=box, timeout_s=LONGEST_S, log=log) as program:
        start = Start(START_S, lambda: [one.pid for one in program.tree()])
        while not ready.exists():
            if (ended := program.ended) or start.over():
                said = ended.output.strip()[-300:] if ended else f"nothing, and did nothing for {START_S:g} s"
                raise ToolError(f"the relay of {scratch.parent.name} did not start; it said: {said}")
            time.sleep(LOOK_S)
        yield int(ready.read_text(encoding="ascii"))
