"""A network with nothing but 127.0.0.1 that several sandboxed programs share: a suite and its Redis, an app and its
load.

It lives as long as a descriptor of it is open here or a program is in it, so nothing of it can be left behind.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator

from host.errors import ToolError
from host.sandbox import launcher
from host.sandbox.run import Isolation, Network, SharedLoopback, available

MAKING_S = 600.0  # it takes milliseconds; only a host that is lost takes longer


@contextlib.contextmanager
def shared_loopback() -> Iterator[SharedLoopback | Network]:
    """Make a network for the sandboxes of one check; below `namespaces` it is the host's.

    Raises ToolError if this host does not permit it.
    """
    if available() is not Isolation.NAMESPACES:
        yield Network.HOST
        return
    made = SharedLoopback(_make())
    try:
        yield made
    finally:
        for descriptor in made.namespaces:
            os.close(descriptor)


def _make() -> tuple[int, ...]:
    """Return descriptors of the network's namespace, after that of the user namespace that owns it unless we are root.

    A process of its own makes it: a user namespace is not for a process with threads.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = launcher.network_command(theirs.fileno())
        try:
            done = subprocess.run(
                words, pass_fds=[theirs.fileno()], capture_output=True, text=True, timeout=MAKING_S, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ToolError(f"no network for a check can be made: {error}") from error
        if done.returncode:
            raise ToolError(f"no network for a check can be made: {done.stderr.strip()[-300:]}")
        descriptors = socket.recv_fds(ours, 1, 2)[1]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return tuple(descriptors)
