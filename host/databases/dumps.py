"""pg_dump: its version, and a dump in its custom format. Where and as whom it connects is in its environment alone."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from host.errors import ToolError

MAGIC = b"PGDMP"  # of pg_dump's custom format

TOLD_WITHIN_S = 600  # of a program that answers at once: no time that a busy host can miss


def dump_major(pg_dump: Path) -> int:
    """Return the major version of a pg_dump. Raises ToolError if it is not there, or does not say."""
    words = [str(pg_dump), "--version"]
    try:
        told = subprocess.run(
            words, capture_output=True, text=True, timeout=TOLD_WITHIN_S, check=True, env={"LANG": "C"}
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{pg_dump} --version failed: {error}; run make setup, or set SLIPWAY_POSTGRES_BIN") from error
    if match := re.search(r"\(PostgreSQL\) (\d+)", told):
        return int(match[1])
    raise ToolError(f"{pg_dump} --version: got {told.strip()[:100]!r}, expected a PostgreSQL version")


def dump(pg_dump: Path, database: str, env: Mapping[str, str], file: Path, timeout_s: float) -> None:
    """Write a database into an existing file. `env` says the server (PGHOST, PGUSER, ...). Raises ToolError, which says
    what pg_dump said.
    """
    words = [str(pg_dump), "--format=custom", "--lock-wait-timeout=10s", "--no-password", f"--file={file}"]
    env = {**env, "PGDATABASE": database, "PGPASSFILE": "/dev/null"}
    try:
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"pg_dump of {database} did not end within {timeout_s:g} s") from error
    except OSError as error:
        raise ToolError(f"{pg_dump}: {error.strerror}; run make setup, or set SLIPWAY_POSTGRES_BIN") from error
    if done.returncode:
        raise ToolError(f"pg_dump of {database} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
