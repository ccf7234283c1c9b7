"""What a supervisor is to run, how it is written down for supervisord, and how it is doing."""

import hashlib
import json
import re
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from host.errors import ConfigError
from host.launchers import PROGRAM

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class State(StrEnum):
    """supervisord's process states (supervisor.states.ProcessStates)."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"


AT_REST = (State.STOPPED, State.EXITED, State.FATAL, State.UNKNOWN)


@dataclass(frozen=True)
class ProgramState:
    """`pid` 0 when not running; `since` in epoch seconds: of the start, or when not running of the end.

    `ended`, in epoch seconds: when a process of it last ended, 0 while it is the first since the program was declared.
    """

    state: State
    pid: int
    since: int
    exit_status: int
    spawn_error: str
    ended: int = 0

    @classmethod
    def read(cls, info: Mapping[str, Any]) -> "ProgramState":
        """Read supervisord's answer to getProcessInfo."""
        return cls(
            state=State(info["statename"]),
            pid=info["pid"],
            since=info["start"] if info["pid"] else info["stop"],
            exit_status=info["exitstatus"],
            spawn_error=info["spawnerr"],
            ended=info["stop"],
        )


@dataclass(frozen=True)
class Program:
    """One program to keep running: with exactly `env` (and the supervisor's mark), in `cwd`, as this user.

    Up is who ran for `start_s`; after three failed starts it is FATAL. `stop_signal` is a name without SIG; the process
    group gets KILL `stop_wait_s` later. Lower `priority` starts earlier and stops later.
    """

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_wait_s: int = 10
    start_s: int = 1
    autorestart: bool = True
    priority: int = 999
    autostart: bool = True

    def check(self) -> None:
        """Raise ConfigError for what supervisord could not be told."""
        if not NAME.fullmatch(self.name):
            raise ConfigError(f"program name: got {self.name!r}, expected {NAME.pattern}")
        if not self.command:
            raise ConfigError(f"program {self.name}: got no command")
        if f"SIG{self.stop_signal}" not in signal.Signals.__members__:
            raise ConfigError(
                f"program {self.name}: stop_signal: got {self.stop_signal!r}, expected a name such as TERM"
            )

    def spec(self) -> bytes:
        """Return the JSON that `exec_program.py` starts from."""
        return json.dumps(asdict(self) | {"cwd": str(self.cwd)}, sort_keys=True).encode()

    def section(self) -> str:
        """Return the program's part of supervisord's configuration; paths in it start at the daemon's directory."""
        launcher = [sys.executable, "-I", "-S", PROGRAM, f"conf.d/{self.name}.json"]
        words = [*launcher, hashlib.sha256(self.spec()).hexdigest()[:16]]
        return f"""\
[program:{self.name}]
command={ini_value(shlex.join(words))}
priority={self.priority}
autostart={str(self.autostart).lower()}
autorestart={str(self.autorestart).lower()}
startsecs={self.start_s}
startretries=3
stopsignal={self.stop_signal}
stopwaitsecs={self.stop_wait_s}
killasgroup=true
redirect_stderr=true
stdout_logfile=log/{self.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def ini_value(text: str) -> str:
    """Return a value for supervisord's configuration; raise ConfigError for what it would take for a comment."""
    if re.search(r"\s[;#]|[\r\n]", text):
        raise ConfigError(f"{text!r}: got a path with ' ;', ' #' or a line end, which supervisord cannot read")
    return text.replace("%", "%%")
