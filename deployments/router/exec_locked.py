"""Become another program if a lock and a port are free: `python -I -S exec_locked.py LOCK HOSTS PORT PROGRAM ...`.

The lock keeps out a second router of the same directory: the program is the sandbox's launcher, which takes it again
and keeps it for as long as the router lives. Trying the port on each of HOSTS (with commas between) keeps out one of
another directory and any other listener. Both say in one line what the program would say later, or in many. What is
left of one that was killed ends in a moment, so both are tried for some seconds. Standard library only. Exits with 75
(EX_TEMPFAIL) and one line.
"""

import fcntl
import os
import socket
import sys
import time

TAKEN = 75
PREDECESSOR_S = 3.0


def port_error(host: str, port: int) -> str | None:
    """Return why nobody could listen there exclusively, or None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"cannot listen on {host}:{port}: {error.strerror}; free the port or choose another"
    return None


def taken(descriptor: int, lock: str, hosts: list[str], port: int) -> str | None:
    """Take the lock and try the port; return why one of them is another's, or None."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return f"already running here: {lock} is held; stop that one first"
    return next(filter(None, (port_error(host, port) for host in hosts)), None)


def main() -> None:
    """Try the lock and the port, and become the program."""
    lock, hosts, port, program, *arguments = sys.argv[1:]
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + PREDECESSOR_S
    while problem := taken(descriptor, lock, hosts.split(","), int(port)):
        if time.monotonic() > until:
            print(f"router: {problem}", file=sys.stderr)
            sys.exit(TAKEN)
        time.sleep(0.05)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
