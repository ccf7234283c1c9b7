"""What runs for long: one supervisord for each environment and one for the control plane.

    supervisord.conf, conf.d/NAME.conf   its configuration
    conf.d/NAME.json                     the program's command, directory and environment (0600: secrets)
    log/NAME.log, log/supervisord.log    10 MB, three older ones kept
    SOCKETS/supervisor.sock, .pid        who reaches the socket directs the daemon: SOCKETS is 0700

The daemon survives whoever started it. When the daemon itself is killed its programs run on; the next `up` stops them
before it starts anew, since nobody would restart or collect them. They are found by SLIPWAY_SUPERVISOR in their
environment (DIRECTORY/random/NAME), inherited by what they start; a child that is to outlive its program clears it.
"""

import contextlib
import json
import os
import re
import resource
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from host.errors import ConfigError, SupervisorError
from host.files import locked, write_atomically
from host.process_marks import carriers, command_line, send
from host.resources import shares
from host.resources.starts import Start
from host.sandbox import launcher as sandbox_init
from host.supervisor import exec_program as supervised
from host.supervisor.program import AT_REST, Program, ProgramState, State, ini_value
from host.supervisor.rpc import BAD_NAME, NOT_RUNNING, Fault, call
from host.wait import wait_for

__all__ = ["Program", "ProgramState", "State", "Supervisor"]

# a busy host starts things slowly; what has ended is noticed at once
START_WAIT_S = 60.0
POLL_S = 0.1
# from a program's KILL to its end: a container of processes, or a busy host, takes its time
KILLED_WITHIN_S = 10.0
# supervisor closes that many descriptors before each start, so not the system's millions
MOST_DESCRIPTORS = 16384


class Supervisor:
    """One supervisord: its configuration and logs in `directory`, its socket and pid file in `sockets`."""

    def __init__(self, directory: Path, sockets: Path) -> None:
        self.directory = directory.absolute()
        self.sockets = sockets.absolute()
        self.socket = self.sockets / "supervisor.sock"

    def up(self) -> None:
        """Start the daemon unless it answers, after stopping what a killed daemon left behind. Safe to repeat.

        Raises SupervisorError with the daemon's last log lines when it does not come up.
        """
        with self._locked():
            if not (self.answers() or self._await_silent_daemon()):
                self._end_leftovers()
                self._write_configuration()
                self._start_daemon()
            self._put_first()

    def _put_first(self) -> None:
        """Put the daemon and all that it runs before the checks of this host; what it starts later inherits that."""
        for daemon in self._daemons():
            shares.protect([daemon, *sandbox_init.descendants(daemon)])

    def answers(self) -> bool:
        """Return whether the daemon is there and not about to end."""
        try:
            return bool(call(self.socket, "getState")["statename"] == "RUNNING")
        except (SupervisorError, Fault):
            return False

    def declare(self, program: Program) -> None:
        """Write a program's configuration and have the daemon adopt it; without a daemon the next `up` does.

        An unchanged declaration changes nothing, a changed one restarts the program. Returns before the program is up.
        """
        program.check()
        with self._locked():
            self._prepare()
            _write(self._spec(program.name), program.spec())
            _write(self._configuration(program.name), program.section().encode())
            if not self.answers():
                return
            added, changed, _ = self._ask("reloadConfig")[0]
            if program.name in changed:
                self.stop(program.name, program.stop_wait_s + KILLED_WITHIN_S)
                self._ask("removeProcessGroup", program.name)
            if program.name in changed or program.name in added:
                self._ask("addProcessGroup", program.name)

    def run(self, program: Program) -> None:
        """Declare a program and see that it runs: also when it was stopped by hand, or given up after failed starts."""
        self.declare(program)
        state = self.state(program.name)
        if state is not None and state.state in AT_REST:
            self.start(program.name)

    def start(self, name: str, wait_s: float = START_WAIT_S) -> None:
        """Start a program and wait until it is up; one that runs is left alone. Raises SupervisorError with its log."""
        asked = False
        start = Start(wait_s, lambda: [one for one in [self._known(name).pid, *self._daemons()] if one])
        while (seen := self._known(name)).state is not State.RUNNING:
            if asked and seen.state in AT_REST or start.over():
                raise SupervisorError(
                    f"{name} is {seen.state}, expected RUNNING within {wait_s} s "
                    f"(exit status {seen.exit_status}{seen.spawn_error and ', '}{seen.spawn_error});"
                    f" its log ends:\n{self.log_tail(name)}"
                )
            if seen.state in AT_REST:
                asked = True
                self._ask("startProcess", name, False)
            time.sleep(POLL_S)

    def stop(self, name: str, wait_s: float | None = None) -> None:
        """Stop a program and wait until it has ended; it stays declared. Raises SupervisorError if it has not.

        `wait_s` seconds; without it for as long as the program may take until it is killed, and a little more.
        """
        if wait_s is None:
            wait_s = self._declared(name, "stop_wait_s", 30) + KILLED_WITHIN_S
        self._tell_to_stop(name)
        until = time.monotonic() + wait_s
        while (seen := self._known(name)).state not in AT_REST:
            if time.monotonic() > until:
                raise SupervisorError(f"{name} (pid {seen.pid}) still {seen.state} after {wait_s} s")
            time.sleep(POLL_S)

    def remove(self, *names: str) -> None:
        """Stop programs, all at the same time, and forget them; their logs stay. An unknown name is no error."""
        with self._locked():
            known = [name for name in names if self.state(name) is not None]
            for name in known:
                self._tell_to_stop(name)
            for name in known:
                self.stop(name)
                self._ask("removeProcessGroup", name)
            for name in names:
                self._configuration(name).unlink(missing_ok=True)
                self._spec(name).unlink(missing_ok=True)

    def declared(self) -> list[str]:
        """Return the programs that are declared, also those that the daemon was not told of yet; without asking it."""
        return sorted(path.stem for path in (self.directory / "conf.d").glob("*.json"))

    def keeps(self, name: str, env: Mapping[str, str]) -> bool:
        """Return whether a program is declared with exactly this environment, and was neither stopped nor given up."""
        state = self.state(name) if self._declared(name, "env", None) == env else None
        return state is not None and state.state not in (*AT_REST, State.STOPPING)

    def _tell_to_stop(self, name: str) -> None:
        try:
            call(self.socket, "stopProcess", name, False)
        except Fault as fault:
            if fault.faultCode != NOT_RUNNING:
                raise SupervisorError(f"{self.directory}: cannot stop {name}: {fault.faultString}") from fault

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a running program."""
        self._ask("signalProcess", name, number.name)

    def state(self, name: str) -> ProgramState | None:
        """Return how a program is doing, or None if the daemon does not know it."""
        try:
            return ProgramState.read(call(self.socket, "getProcessInfo", name))
        except Fault as fault:
            if fault.faultCode == BAD_NAME:
                return None
            raise SupervisorError(f"{self.directory}: {name}: {fault.faultString}") from fault

    def runs(self, name: str) -> bool:
        """Return whether a program runs or starts. Raises SupervisorError if the daemon does not answer."""
        known = self.state(name)
        return known is not None and known.state in (State.RUNNING, State.STARTING)

    def pid(self, name: str) -> int:
        """Return a program's process, 0 when it has none. Raises SupervisorError if the daemon does not answer."""
        known = self.state(name)
        return known.pid if known else 0

    def generation(self, name: str) -> str:
        """Return a mark of a program's present process: another one after it ended, whoever starts it again.

        Raises SupervisorError if the daemon does not answer or does not know the program.
        """
        return f"{self._ask('getPID')}-{self._known(name).ended}"

    def states(self) -> dict[str, ProgramState]:
        """Return how every program is doing, by name."""
        return {info["name"]: ProgramState.read(info) for info in self._ask("getAllProcessInfo")}

    def log_tail(self, name: str, lines: int = 20) -> str:
        """Return the last lines that a program printed, at most 64 kB; works without the daemon."""
        return _tail(self.directory / "log" / f"{name}.log", lines)

    def set_log_aside(self, name: str) -> None:
        """Move a removed program's log to NAME.previous.log, so that what `log_tail` shows next is the next one's."""
        log = self.directory / "log" / f"{name}.log"
        if self.state(name) is None and log.exists():
            log.replace(log.with_name(f"{name}.previous.log"))

    def down(self) -> None:
        """Stop all programs, later priorities first, then the daemon; wait until none of their processes is left.

        Raises SupervisorError naming what stays. Safe to repeat, and without a daemon.
        """
        with self._locked():
            if self.answers():
                self._ask("shutdown")
            patience = 15.0 + sum(self._declared(n, "stop_wait_s", 10) for n in self.declared())
            # asking wakes the daemon, which otherwise looks once a second whether the next program may be stopped
            wait_for(lambda: not (self.answers() or self._daemons()), patience, POLL_S)
            self._end_leftovers()
            self.socket.unlink(missing_ok=True)
            self._pid_file.unlink(missing_ok=True)

    # ---- files

    @property
    def _pid_file(self) -> Path:
        return self.sockets / "supervisor.pid"

    def _configuration(self, name: str) -> Path:
        return self.directory / "conf.d" / f"{name}.conf"

    def _spec(self, name: str) -> Path:
        return self.directory / "conf.d" / f"{name}.json"

    def _declared(self, name: str, key: str, default: Any) -> Any:
        with contextlib.suppress(FileNotFoundError):
            return json.loads(self._spec(name).read_bytes())[key]
        return default

    def _prepare(self) -> None:
        for path in (self.directory, self.directory / "conf.d", self.directory / "log", self.sockets):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sockets.chmod(0o700)
        if re.search(r"[*?\[]", str(self.directory)):
            raise ConfigError(f"{self.directory}: got a path with *, ? or [, which supervisor cannot read from")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change what the daemon runs."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.directory / "lock"):
            yield

    def _write_configuration(self) -> None:
        self._prepare()
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        descriptors = MOST_DESCRIPTORS if most < 0 else min(most, MOST_DESCRIPTORS)
        content = f"""\
[unix_http_server]
file={ini_value(str(self.socket))}
chmod=0700

[supervisord]
logfile=log/supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
pidfile={ini_value(str(self._pid_file))}
umask=077
minfds={descriptors}
{"user=root" if os.geteuid() == 0 else ""}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files=conf.d/*.conf
"""
        _write(self.directory / "supervisord.conf", content.encode())

    # ---- the daemon

    def _start_daemon(self) -> None:
        mark = f"{self.directory}/{secrets.token_hex(8)}"
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TZ") if name in os.environ}
        with open(self.directory / "log" / "start.log", "wb") as output:
            # It forks into the background by itself. Relative paths in its configuration mean `directory`.
            starter = subprocess.Popen(
                [sys.executable, "-I", "-m", "supervisor.supervisord", "-c", "supervisord.conf"],
                cwd=self.directory,
                env=kept | {supervised.MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        start = Start(START_WAIT_S, lambda: [starter.pid])
        while starter.poll() is None and not start.over():
            time.sleep(POLL_S)
        if starter.poll() is None:
            starter.kill()
            starter.wait()
        if starter.returncode != 0 or not self._answers_yet():
            logs = [_tail(self.directory / "log" / name, 20) for name in ("start.log", "supervisord.log")]
            raise SupervisorError(
                f"{self.directory}: supervisord did not come up; it said:\n" + "\n".join(filter(None, logs))
            )

    def _answers_yet(self) -> bool:
        """Wait for the daemon that was started, for as long as it works; return whether it answers."""
        start = Start(START_WAIT_S, self._daemons)
        while not (answers := self.answers()) and self._daemons() and not start.over():
            time.sleep(POLL_S)
        return answers or self.answers()

    def _await_silent_daemon(self) -> bool:
        """Give a daemon that is starting or ending time to do so; return whether it answers."""
        if not self._daemons():
            return False
        wait_for(lambda: self.answers() or not self._daemons(), START_WAIT_S, POLL_S)
        if self._daemons() and not self.answers():
            raise SupervisorError(
                f"{self.directory}: supervisord (pid {self._daemons()[0]}) runs but does not answer on {self.socket} "
                f"within {START_WAIT_S} s; see {self.directory}/log/supervisord.log, or end it (slipway down)"
            )
        return self.answers()

    def _marked(self) -> dict[int, str]:
        """Return what this directory's daemons started and still runs: program name ("" for a daemon) by process id."""
        found: dict[int, str] = {}
        for pid, value in carriers(supervised.MARK, f"{self.directory}/"):
            if match := re.fullmatch(r"[0-9a-f]{16}(?:/(.*))?", value[len(f"{self.directory}/") :]):
                found[pid] = match[1] or ""
        return found

    def _daemons(self) -> list[int]:
        return [pid for pid, name in self._marked().items() if not name]

    def _end_leftovers(self) -> None:
        left = self._marked()
        for pid, name in left.items():
            send(pid, signal.Signals[f"SIG{self._declared(name, 'stop_signal', 'TERM')}"])
        patience = max((self._declared(n, "stop_wait_s", 10) for n in left.values()), default=0)
        if wait_for(lambda: not self._marked(), patience, POLL_S):
            return
        until = time.monotonic() + 5
        while (left := self._marked()) and time.monotonic() < until:
            for pid in left:
                send(pid, signal.SIGKILL)
            time.sleep(POLL_S)
        if left:
            names = "; ".join(f"pid {pid} {shlex.join(command_line(pid))}" for pid in left)
            raise SupervisorError(f"{self.directory}: still running after KILL: {names}")

    # ---- asking it

    def _known(self, name: str) -> ProgramState:
        if (state := self.state(name)) is None:
            raise SupervisorError(f"{self.directory}: no program {name!r}; known: {', '.join(self.states())}")
        return state

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            return call(self.socket, method, *arguments)
        except Fault as fault:
            words = ", ".join(map(str, arguments))
            raise SupervisorError(f"{self.directory}: {method}({words}): {fault.faultString}") from fault


def _write(path: Path, content: bytes) -> None:
    """Replace a file unless it has this content already."""
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


def _tail(path: Path, lines: int) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
