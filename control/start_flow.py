"""What a worker runs for each flow run: `python -m control.start_flow`, in place of `python -m prefect.engine`.

It asks services/flow_starter.py for a process that has everything imported already, and stands for it: it hands signals
on, ends as it ends, and takes it along when it is killed. Where nobody can be asked it becomes Prefect's engine itself.
Standard library only: importing more is what it is there to avoid.
"""

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

SOCKET = "SLIPWAY_FLOW_STARTER"
STARTED, ENDED = "started", "ended"
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
LONGEST_ANSWER = 100


def main() -> None:
    """Run one flow run, named by Prefect's own variables in the environment; ends as its process ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until it is known whom to hand them to
    path = os.environ.get(SOCKET)
    flow = _ask(Path(path)) if path else None
    if flow is None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])  # nosec B606  # what would run without us
    _stand_for(*flow)


def _ask(path: Path) -> tuple[socket.socket, int] | None:
    """Return the connection that tells of the end, and the started process (pidfd). None: nobody starts it."""
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        asked.connect(str(path))
        words = json.dumps({"environment": dict(os.environ), "directory": os.getcwd()}).encode()
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(words) + 4096)
        socket.send_fds(asked, [words], [0, 1, 2])
        answer, descriptors, *_ = socket.recv_fds(asked, LONGEST_ANSWER, 1)
    except OSError:
        asked.close()
        return None
    if answer.decode() == STARTED and descriptors:
        return asked, descriptors[0]
    asked.close()
    return None


def _stand_for(asked: socket.socket, process: int) -> None:
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    for number in FORWARDED:
        signal.signal(number, lambda number, _: signal.pidfd_send_signal(process, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    _await(asked.fileno(), woken)
    word, _, code = _answer(asked).partition(" ")
    if word != ENDED:  # the starter is gone, the flow is not
        _await(process, woken)
        sys.exit(1)
    if int(code) < 0:
        _die_of(signal.Signals(-int(code)))
    sys.exit(int(code))


def _await(descriptor: int, woken: int) -> None:
    """Wait until there is something to read. A signal that comes just before the wait must not wait for its end."""
    while True:
        ready, _, _ = select.select([descriptor, woken], [], [])
        if descriptor in ready:
            return
        os.read(woken, 4096)  # the handlers have run


def _die_of(number: signal.Signals) -> None:
    if number is not signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _answer(asked: socket.socket) -> str:
    try:
        return asked.recv(LONGEST_ANSWER).decode()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
