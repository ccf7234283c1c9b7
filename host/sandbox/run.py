"""Run app code, which is untrusted: cut off from our keys, state, cache, sockets and environment.

Three levels, the best one that this host permits:

    namespaces  its own root (system programs, what was bound, a private /tmp), its own processes; as root another uid
    uid         root without the right to unshare (most containers): another uid and a clean environment; the host's
                world-readable files and processes are in sight, and so are unix sockets that anyone may open
    none        a clean environment and its own session; whatever we may read, the app may read

On every level some system calls are refused (system_calls.py), and the app's processes end with the launcher
(launcher.py); a launcher that is itself killed with KILL can leave some only below `namespaces`. With the host's
network (the default) the app reaches whatever listens on 127.0.0.1 and abstract unix sockets. A check's memory,
processes and processor are limited (shares.py); disk is not.
"""

import contextlib
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from host.errors import ConfigError, ToolError
from host.files import write_atomically
from host.json_logs import veiled
from host.launchers import SANDBOX
from host.masking import masked, secret_values
from host.process_marks import carriers, command_line, send
from host.resources.patience import Patience
from host.resources.shares import Hold, Shares, held
from host.sandbox import launcher as sandbox_init
from host.sandbox import system_calls
from host.sandbox.follow import Launched, Output, end
from host.sandbox.places import Places, recorded_interpreters

APP_UID = 64100  # what serves a check; each environment has a uid of its own (uids.py)
CHECK_UID = 64101  # what is checked: the number of its processes is limited, and must not count what serves
ROUTER_UID = 64102  # a router of no environment; those of environments have uids of their own, too
# RLIMIT_NPROC counts all checks that run at the time.
CHECKS_AT_ONCE = 4
LAUNCHER_PATH = "/usr/local/bin:/usr/bin:/bin"
EPOCH = "SLIPWAY_EPOCH"
UNFILTERED = "system calls unfiltered"


class Isolation(StrEnum):
    """How far app code is kept from the host, best first."""

    NAMESPACES = "namespaces"
    UID = "uid"
    NONE = "none"


class Network(StrEnum):
    """HOST shares the host's network; LOOPBACK is an own one with nothing but 127.0.0.1."""

    HOST = "host"
    LOOPBACK = "loopback"


@dataclass(frozen=True)
class SharedLoopback:
    """A LOOPBACK that several programs share, by descriptors of its namespaces (host/sandbox/loopback.py makes it)."""

    namespaces: tuple[int, ...]

    @property
    def value(self) -> str:
        """Return what the launcher calls it."""
        return sandbox_init.SHARED + ",".join(map(str, self.namespaces))


AnyNetwork = Network | SharedLoopback


@dataclass(frozen=True)
class Sandbox:
    """What a program may see beyond the system's own directories; binds appear at the same path inside.

    The caller makes `writable` directories belong to `owner()`. `uid` is who the program runs as when we are root.
    `lock` is a file that stays locked while any process of the program lives; the launcher waits 10 s for it.
    `named` are read-only as well: what the settings of this host's operator name, such as a folder that is an index of
    packages, and the interpreter that fills an environment. It may lie at any place that is not closed.
    `shares` are the limits of a check's program, which yields to what serves; only `run` heeds them. None: it serves.
    `public`: it is the router. As root it may listen on ports below 1024 and open what it prints to (/dev/stdout).
    Below `namespaces` the binds have no effect: the file modes decide.
    """

    isolation: Isolation
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    network: AnyNetwork = Network.HOST
    uid: int = APP_UID
    lock: Path | None = None
    shares: Shares | None = None
    named: tuple[Path, ...] = ()
    public: bool = False

    def owner(self) -> int:
        """Return the uid (and gid) that the program has on the host."""
        root = os.geteuid() == 0
        return self.uid if root and self.isolation is not Isolation.NONE else os.geteuid()


@dataclass(frozen=True)
class Completed:
    """How a program ended. `returncode` is 128+n after signal n; `output` is the last of stdout and stderr together,
    with the secrets of this host and of the program's environment masked.

    `truncated`: more came than the limit, and `output` lacks the beginning, the log the end. `exceeded` says which of
    its shares it used up ("used more than 512 processes"), "" for none: whatever it ended with, that is a failure.
    """

    returncode: int
    output: str
    truncated: bool
    timed_out: bool
    cancelled: bool
    seconds: float
    exceeded: str = ""

    @property
    def failed(self) -> bool:
        """Return whether it came to no good end of its own."""
        return bool(self.returncode or self.timed_out or self.exceeded)

    @property
    def how(self) -> str:
        """Return how it ended, as what follows a program's name."""
        if self.exceeded:
            return self.exceeded
        return f"did not end within {self.seconds:.0f} s" if self.timed_out else f"ended with {self.returncode}"


def for_check(
    shares: Shares,
    *,
    read_only: tuple[Path, ...] = (),
    writable: tuple[Path, ...] = (),
    network: AnyNetwork = Network.LOOPBACK,
    named: tuple[Path, ...] = (),
) -> Sandbox:
    """Return the sandbox of a check's program, on the best level of this host. Below `namespaces` it has the host's
    network, whatever was asked.
    """
    level = available()
    kept = network if level is Isolation.NAMESPACES else Network.HOST
    return Sandbox(level, read_only, writable, kept, uid=CHECK_UID, shares=shares, named=named)


def check_owner() -> int:
    """Return the uid to which what a check may write must belong."""
    return Sandbox(available(), uid=CHECK_UID).owner()


def available() -> Isolation:
    """Return the best level that works here, found by trying; SLIPWAY_ISOLATION can only lower it.

    Raises ConfigError when SLIPWAY_ISOLATION is not the name of a level.
    """
    asked = os.environ.get("SLIPWAY_ISOLATION")
    best = _probe()
    if not asked:
        return best
    levels = list(Isolation)
    if asked not in levels:
        raise ConfigError(f"SLIPWAY_ISOLATION: got {asked!r}, expected one of {', '.join(levels)}")
    return max(best, Isolation(asked), key=levels.index)


def described() -> str:
    """Return the level on this host, and what it lacks on this machine, as evidence and doctor say it."""
    level = available()
    return level.value if system_calls.supported() else f"{level.value}, {UNFILTERED}"


# It takes milliseconds. A host that is only busy must not be taken for one without namespaces.
PROBE_S = 600.0


@functools.cache
def _probe() -> Isolation:
    # With a network of its own: a check on this level promises one.
    box = Sandbox(Isolation.NAMESPACES, network=Network.LOOPBACK)
    try:
        run(["true"], cwd=Path("/"), env={"PATH": LAUNCHER_PATH}, sandbox=box, timeout_s=PROBE_S)
    except ToolError:
        return Isolation.UID if os.geteuid() == 0 else Isolation.NONE
    return Isolation.NAMESPACES


def command(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], sandbox: Sandbox, spec_directory: Path
) -> list[str]:
    """Write what the launcher needs to `spec_directory` and return the command that starts `argv` sandboxed.

    For programs of a supervisor: the file (0600) must stay as long as the command may be started, and the caller
    removes it with the directory. Its name is a digest of its content, so a changed environment is a changed command.
    """
    # Without `exact`, as versions before it wrote: another text would be another command, and restart what runs.
    content = json.dumps(_spec(argv, cwd=cwd, env=env, sandbox=sandbox, exact=False), sort_keys=True).encode()
    spec_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec = spec_directory / f"sandbox-{hashlib.sha256(content).hexdigest()[:16]}.json"
    write_atomically(spec, content)
    return [*_launcher(str(spec.resolve())), *argv]


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    sandbox: Sandbox,
    timeout_s: float,
    on_output: Callable[[str], None] | None = None,
    output_limit_bytes: int = 8_000_000,
    cancelled: threading.Event | None = None,
    log: Path | None = None,
    epoch: str | None = None,
    others: bool = False,
) -> Completed:
    """Run a program to its end and return how it ended; never through a shell, stdin is empty.

    `on_output` gets blocks of text (each 0.5 s or 8 kB) and `log` bytes, both until `output_limit_bytes`. After
    `timeout_s` (time in which its processes waited for a processor is not counted; with `others`, for a program that
    waits for others on this host, time in which anything did), on `cancelled` and on an exception of ours
    (`on_output`'s included) the whole tree gets TERM and 5 s later KILL; when this process is killed, the tree is
    killed. `epoch` marks the launcher for `kill_epoch`.
    Raises ToolError when the sandbox could not be built or `argv` is not there to be run.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        hold = _hold(sandbox, stack)
        spec = _spec(argv, cwd=cwd, env=env, sandbox=sandbox) | _held_spec(hold)
        joined = sandbox.network.namespaces if isinstance(sandbox.network, SharedLoopback) else ()
        process, report = _start(argv, spec, epoch, joined)
        reasons = stack.enter_context(open(report, "rb"))
        stack.callback(end, process)
        sink = stack.enter_context(open(log, "wb")) if log else None
        launched = Launched(
            process, Output(output_limit_bytes, on_output, sink), Patience(timeout_s, process.pid, others=others)
        )
        if hold:
            launched.exceeding = hold.exceeded
        launched.follow(cancelled)
        end(process)
        exceeded = launched.exceeded or (hold.counted() if hold else "")
        reason = reasons.read().decode(errors="replace").strip()
    if reason:
        raise ToolError(f"{argv[0]} was not run: {reason}")
    return Completed(
        returncode=process.returncode,
        output=veiled(masked(launched.output.text(), secret_values(env))),
        truncated=launched.output.truncated,
        timed_out=launched.stopped_for == "timeout",
        cancelled=launched.stopped_for == "cancelled",
        seconds=time.monotonic() - started,
        exceeded=exceeded,
    )


def _hold(sandbox: Sandbox, stack: contextlib.ExitStack) -> Hold | None:
    if sandbox.shares is None:
        return None
    try:
        return stack.enter_context(held(sandbox.shares))
    except (OSError, LookupError) as error:
        raise ToolError(f"no control group for a check can be made: {error}") from error


def _held_spec(hold: Hold | None) -> dict[str, object]:
    """Return what the launcher needs to know of a check's shares."""
    if hold is None:
        return {}
    return {
        "groups": hold.entries,
        "yields": True,
        "processes": CHECKS_AT_ONCE * hold.shares.processes,
        "memory_bytes": hold.shares.memory_bytes,
    }


def _start(
    argv: Sequence[str], spec: dict[str, object], epoch: str | None, joined: tuple[int, ...]
) -> tuple["subprocess.Popen[bytes]", int]:
    """Start the launcher; return it and a descriptor from which a failed setup's reason can be read."""
    report, report_write = os.pipe()
    spec |= {"parent": os.getpid(), "report_fd": report_write}
    spec_fd = os.memfd_create("sandbox")
    try:
        with open(spec_fd, "w+", closefd=False, encoding="utf-8") as file:
            json.dump(spec, file)
        os.lseek(spec_fd, 0, os.SEEK_SET)
        process = subprocess.Popen(
            [*_launcher(f"fd:{spec_fd}"), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_launcher_environment(epoch),
            start_new_session=True,
            pass_fds=(spec_fd, report_write, *joined),
        )
    except OSError as error:
        os.close(report)
        raise ToolError(f"{argv[0]} was not run: cannot start the launcher: {error}") from error
    finally:
        os.close(spec_fd)
        os.close(report_write)
    return process, report


def kill_epoch(epoch_prefix: str) -> int:
    """Kill what a dead deployer left: this user's processes whose SLIPWAY_EPOCH starts with the prefix; return how
    many.

    Launchers first get 2 s to kill their trees. Never kills this process. End the prefix with a separator, or "prod:1"
    also names "prod:10".
    """
    if not epoch_prefix:
        raise ValueError("an empty prefix would name every epoch")
    found = {pid for pid, _ in carriers(EPOCH, epoch_prefix)}
    for pid in found:
        launcher = SANDBOX in command_line(pid)
        send(pid, sandbox_init.KILL_TREE if launcher else signal.SIGKILL)
    until = time.monotonic() + 2
    while (left := {pid for pid, _ in carriers(EPOCH, epoch_prefix)}) and time.monotonic() < until:
        found |= left
        time.sleep(0.02)
    for pid in left:
        send(pid, signal.SIGKILL)
    return len(found)


def _spec(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], sandbox: Sandbox, exact: bool = True
) -> dict[str, object]:
    if sandbox.network is Network.LOOPBACK and sandbox.isolation is not Isolation.NAMESPACES:
        raise ConfigError(
            f"an own network needs isolation 'namespaces', this host permits {sandbox.isolation.value!r}; "
            "allow unprivileged user namespaces, or use the host's network"
        )
    dropping = os.geteuid() == 0 and sandbox.isolation is not Isolation.NONE
    interpreters = [*_interpreters(sandbox), *filter(_is_shown, sandbox.named)]
    places = Places(interpreters, apart=dropping)
    spec: dict[str, object] = {
        "isolation": sandbox.isolation.value,
        "env": dict(env),
        "cwd": str(cwd.absolute()),
        "uid": sandbox.uid if dropping else None,
        "gid": sandbox.uid if dropping else None,
        "read_only": _pairs([*interpreters, *sandbox.read_only], places, exact),
        "writable": _pairs(sandbox.writable, places, exact),
        "network": sandbox.network.value,
        "lock": str(sandbox.lock.absolute()) if sandbox.lock else None,
    }
    # Only where they say something: another text would be another command, and restart what runs.
    return spec | ({"exact": True} if exact else {}) | ({"public": True} if sandbox.public else {})


def _pairs(paths: Sequence[Path], places: Places, exact: bool) -> list[list[str]]:
    """Return what is bound: the source, to which no link leads when it must be exact, and the target."""
    pairs = []
    for path in dict.fromkeys(path.absolute() for path in paths):
        source = places.source(path)
        pairs.append([str(source if exact else path), str(path)])
    return pairs


def _interpreters(sandbox: Sandbox) -> list[Path]:
    """Return where our interpreter and those of the bound environments live, unless /usr brings them."""
    prefixes = {Path(sys.base_prefix), *recorded_interpreters((*sandbox.read_only, *sandbox.writable))}
    return [prefix for prefix in sorted(prefixes) if _is_shown(prefix)]


def _is_shown(path: Path) -> bool:
    return not path.is_relative_to("/usr") and path != Path("/") and path.exists()


def _launcher(spec: str) -> list[str]:
    return [sys.executable, "-I", "-S", SANDBOX, spec, "--"]


def _launcher_environment(epoch: str | None) -> dict[str, str]:
    return {"PATH": LAUNCHER_PATH, "LANG": "C.UTF-8"} | ({EPOCH: epoch} if epoch else {})
