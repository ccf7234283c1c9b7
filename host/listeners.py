"""Who listens at an endpoint of this host: the kernel's table of sockets against the descriptors of processes.

A socket has an inode, by which /proc/net/tcp and /proc/net/tcp6 (proc_pid_net(5)) name it, and so do the links in
/proc/PID/fd of every process that holds it. An answer at a port proves nothing: whoever came first answers. Names,
command lines and environments prove nothing either, since a stranger can have any.
"""

import os
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from host.errors import PortTaken, ToolError
from host.ports import Endpoint
from host.process_marks import told

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = "0A"  # TCP_LISTEN of <net/tcp_states.h>


@dataclass(frozen=True)
class Listener:
    """A socket that takes connections. `uid` is of who made it."""

    address: IPv4Address | IPv6Address
    port: int
    inode: int
    uid: int

    def takes(self, endpoint: Endpoint) -> bool:
        """Say whether a connection to the endpoint could come here. "::" may be for IPv6 alone, which nobody tells."""
        wanted = ip_address(endpoint.host)
        either = self.address.is_unspecified and self.address.version >= wanted.version
        return self.port == endpoint.port and (self.address == wanted or either)

    def beside(self, endpoint: Endpoint) -> bool:
        """Say whether it only looks like the endpoint: its port at the loopback address of the other family, or at
        all addresses of it.
        """
        alike = self.address.is_loopback and ip_address(endpoint.host).is_loopback or self.address.is_unspecified
        other = self.address.version != ip_address(endpoint.host).version
        return self.port == endpoint.port and alike and other and not self.takes(endpoint)

    def __str__(self) -> str:
        return str(Endpoint(str(self.address), self.port))


def listeners(port: int) -> list[Listener]:
    """Return the sockets of this host (of our network namespace) that listen on a port. Raises ToolError if the system
    does not tell.
    """
    found = []
    for table in TABLES:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except FileNotFoundError:
            if table is TABLES[0]:
                raise ToolError(f"{table} is not there: nobody can tell who listens where; mount /proc") from None
            continue  # a kernel without IPv6
        except OSError as error:
            raise ToolError(f"{table} cannot be read: {error.strerror}; nobody can tell who listens where") from error
        wanted = f":{port:04X}"
        rows = (line.split() for line in lines)
        found += [_listener(row) for row in rows if row[3] == LISTENING and row[1].endswith(wanted)]
    return found


def _listener(row: list[str]) -> Listener:
    address, _, port = row[1].partition(":")
    return Listener(_address(bytes.fromhex(address)), int(port, 16), int(row[9]), int(row[7]))


def _address(words: bytes) -> IPv4Address | IPv6Address:
    """Return an address that the kernel prints as words of 32 bits, each in this machine's order."""
    raw = b"".join(socket.htonl(int.from_bytes(words[at : at + 4])).to_bytes(4) for at in range(0, len(words), 4))
    address = ip_address(raw)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def sockets_of(pids: Collection[int]) -> tuple[set[int], list[int]]:
    """Return the inodes of the sockets that these processes hold, and the processes that do not let us look."""
    inodes: set[int] = set()
    closed = []
    for pid in pids:
        try:
            inodes.update(_sockets(pid))
        except PermissionError:
            closed.append(pid)
        except OSError:
            continue  # ended meanwhile
    return inodes, closed


def _sockets(pid: int) -> Iterator[int]:
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            yield int(target[8:-1])


def holders(inode: int) -> list[int]:
    """Return the processes that hold a socket, of those that we may look into."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if inode in sockets_of((pid,))[0]]


def held_by(processes: Callable[[], Collection[int]], endpoint: Endpoint, *, alone: bool) -> frozenset[int]:
    """Return the inodes of the sockets at which these processes listen for an endpoint, none while they do not.

    `processes` is asked after the sockets, so that a new process's socket is never a stranger's. Raises PortTaken if
    anybody else could get what is sent there, or if nobody can tell; `alone`: also if somebody listens beside it.
    ToolError: the system does not tell who listens.
    """

    found = listening_at(endpoint, alone=alone)
    if not found:
        return frozenset()
    ours, closed = sockets_of(processes())
    # One that was just closed has nobody any more, and is no stranger's.
    if {one.inode for one in found} - ours:
        refuse([one for one in listening_at(endpoint, alone=alone) if one.inode not in ours], _hint(closed))
    return frozenset(one.inode for one in _takers(found, endpoint))


def listening_at(endpoint: Endpoint, *, alone: bool) -> list[Listener]:
    """Return the sockets that take what is sent to an endpoint. Raises ToolError if the system does not tell.

    `alone`: also those that only could, or that look like it.
    """
    found = listeners(endpoint.port)
    if alone:
        return [one for one in found if one.takes(endpoint) or one.beside(endpoint)]
    return _takers(found, endpoint)


def _takers(found: Sequence[Listener], endpoint: Endpoint) -> list[Listener]:
    """Return who takes what is sent to an endpoint: the kernel prefers the address itself to all addresses."""
    exact = [one for one in found if one.address == ip_address(endpoint.host)]
    return exact or [one for one in found if one.takes(endpoint)]


def refuse(strangers: Sequence[Listener], hint: str = "") -> None:
    """Raises PortTaken if there are any, naming the first."""
    if strangers:
        raise PortTaken(f"{_told(strangers[0])}{hint}")


def of_user(one: Listener, uid: int) -> bool:
    """Say whether a socket is root's, or a user's who is no program of an app: such a one is of another user namespace
    than ours where it has our uid.
    """
    if one.uid in (0, uid) and (one.uid == 0 or uid != os.geteuid()):
        return True
    ours = os.stat("/proc/self/ns/user").st_ino
    return one.uid == uid and any(_user_namespace(pid) == ours for pid in holders(one.inode))


def _user_namespace(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/user").st_ino
    except OSError:
        return 0


def _told(one: Listener) -> str:
    """Say who listens, by process id and program as far as that can be seen."""
    for pid in holders(one.inode):
        return f"{told(pid)} listens on {one}, and is not the slot's"
    return f"a process of uid {one.uid} listens on {one}, and cannot be seen to be the slot's"


def _hint(closed: Collection[int]) -> str:
    if not closed:
        return ""
    return (
        f"; the sockets of pid {', '.join(map(str, sorted(closed)))} cannot be seen by this user: run Slipway as root "
        "with CAP_SYS_PTRACE (a container: --cap-add SYS_PTRACE) or as the app's own user"
    )
