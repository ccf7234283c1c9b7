"""Log lines of Slipway's programs: one JSON object a line, with the run that it belongs to.

Keys: `timestamp` (UTC), `level`, `logger`, `event`. In a flow run also `run` (its id, of all that the run caused),
`trace_id` (the same id in OpenTelemetry's form), `flow`, `run_name`, `task`. Secrets that this host knows are masked.
"""

import contextlib
import fcntl
import json
import logging
import os
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from host.home import Home
from host.masking import masked, secret_texts, secret_values

LONGEST_LINE = 16_000
LARGEST_FILE = 10_000_000
OLD_FILES = 3
LARGEST_SECRET = 16_384
PUBLIC = (".pub", ".toml", ".crt", ".lock")
NAMES_A_BLOCK = ("SLIPWAY_SIGNING_KEY_SECRET",)  # the secret is in the Prefect block; who mends it must read its name
# In an address, and in what a request carries.
IN_ADDRESS = re.compile(
    r"(?<=://)[^/\s:@\"']*:[^/\s@\"']+(?=@)|(?<=http://)[^/\s:@\"']+(?=@)|(?<=https://)[^/\s:@\"']+(?=@)"
)
BEARER = re.compile(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}")
TOLD = ("prefect.exceptions", "FailedRun")  # by name: nothing here imports Prefect
RUN_FIELDS = {"flow_run_id": "run", "flow_run_name": "run_name", "flow_name": "flow", "task_run_name": "task"}


def known_secrets(home: Home, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secrets of this process's environment and of this host's files, longest first."""
    secrets = set(secret_values({name: value for name, value in environment.items() if name not in NAMES_A_BLOCK}))
    # What of `keys` everybody may know has no secret in it.
    files = [
        *(file for file in _found(home.keys, "*") if file.suffix not in PUBLIC),
        *_found(home.root, "environments/*/secrets/*"),
        *_found(home.root, "environments/*/*.secret"),
    ]
    for file in files:
        with contextlib.suppress(OSError):
            if file.is_file() and file.stat().st_size <= LARGEST_SECRET:
                secrets.update(secret_texts(file.read_bytes()))
    return tuple(sorted(secrets, key=len, reverse=True))


def _found(directory: Path, pattern: str) -> list[Path]:
    """Return the files of a directory, none of one that this user may not look into: what it cannot read it cannot
    tell.
    """
    with contextlib.suppress(OSError):
        return list(directory.glob(pattern))
    return []


@lru_cache(maxsize=1)
def _secrets(stamp: tuple[float, ...]) -> tuple[str, ...]:
    return known_secrets(Home.find(), os.environ)


def _stamp() -> tuple[float, ...]:
    """Return the times of the directories that hold secrets: they change when a secret is made or renewed."""
    home = Home.find()
    times = []
    for directory in (home.keys, *sorted(_found(home.root, "environments/*"))):
        for holder in (directory, directory / "secrets"):
            with contextlib.suppress(OSError):
                times.append(holder.stat().st_mtime)
    return tuple(times)


def veiled(text: str) -> str:
    """Return text with known secrets, and passwords in addresses and headers, masked."""
    text = BEARER.sub(r"\1 ***", IN_ADDRESS.sub("***", text))
    return masked(text, _secrets(_stamp()))


def correlated(line: dict[str, Any]) -> dict[str, Any]:
    """Add the trace's id to the line of a run, and return the line."""
    with contextlib.suppress(KeyError, ValueError, AttributeError, TypeError):  # no run, or one typed by hand
        line.setdefault("trace_id", uuid.UUID(line["run"]).hex)
    return line


def to_json(line: Mapping[str, Any]) -> str:
    """Return one line of JSON of at most LONGEST_LINE characters, with secrets masked."""
    safe = veiled_values(line)
    text = json.dumps(safe, default=str, ensure_ascii=False)
    if len(text) <= LONGEST_LINE:
        return text
    short = {key: str(value)[: LONGEST_LINE // 8] for key, value in safe.items()}
    return json.dumps({**short, "cut": True}, ensure_ascii=False)


def veiled_values(value: Any) -> Any:
    """Mask every text in a value, before JSON escapes anything in it."""
    if isinstance(value, Mapping):
        return {key: veiled_values(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [veiled_values(part) for part in value]
    return value if isinstance(value, bool | int | float | None) else veiled(str(value))


class JsonLines(logging.Formatter):
    """Formatter for the standard library's loggers, which Prefect and uvicorn use."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, key in RUN_FIELDS.items():
            if value := getattr(record, name, None):
                line[key] = str(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(correlated(line))


class WithoutToldEnds(logging.Filter):
    """Filter that drops Prefect's "unexpected exception" after a run that ended as its flow decided.

    The line before it has the state and the reason. Any other exception stays, with its traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or (kind.__module__, kind.__name__) != TOLD


class RunLog(logging.Handler):
    """Handler that appends the lines of all flow runs to one file, which many processes share and rotate."""

    def __init__(self, file: str = "") -> None:
        super().__init__()
        self.file = Path(file) if file else run_log(Home.find())
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._append((self.format(record) + "\n").encode())
        except (OSError, ValueError):
            self.handleError(record)

    def _append(self, line: bytes) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened each time: another process may have rotated it. One appending write: lines do not mix.
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
            full = os.fstat(descriptor).st_size > LARGEST_FILE
        finally:
            os.close(descriptor)
        if full:
            self._rotate()

    def _rotate(self) -> None:
        with open(self.file.with_suffix(".lock"), "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.file.stat().st_size <= LARGEST_FILE:
                return  # another process rotated it meanwhile
            for number in range(OLD_FILES - 1, 0, -1):
                older = _numbered(self.file, number)
                if older.exists():
                    older.replace(_numbered(self.file, number + 1))
            self.file.replace(_numbered(self.file, 1))


def run_log(home: Home) -> Path:
    """Return the file with the lines of flow runs."""
    return home.control / "supervisor" / "log" / "flows.log"


def _numbered(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")
