"""The one runner of git: without hooks, prompts or programs that a repository or this host's settings name."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from host.errors import SourceError

TIMEOUT_S = 120
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "safe.directory=*",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "log.showSignature=false",
)
INHERITED = ("PATH", "HOME", "SSH_AUTH_SOCK", "GIT_SSL_CAINFO")
# For what must not depend on the settings of this host's user, a proxy or a credential helper for example.
NO_USER_SETTINGS = {"GIT_CONFIG_GLOBAL": os.devnull}


def git(*argv: str, at: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run git like `git_bytes`, and return its output as stripped text."""
    return git_bytes(*argv, at=at, env=env).decode(errors="replace").strip()


def git_bytes(*argv: str, at: Path | None = None, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    """Run git and return its output as it is. Raises SourceError with what git wrote if it fails."""
    done = run_git(*argv, at=at, stdin=stdin, env=env)
    if done.returncode:
        where = f" in {at}" if at else ""
        raise SourceError(f"git {argv[0]}{where}: {done.stderr.decode(errors='replace').strip()[-600:]}")
    return done.stdout


def run_git(
    *argv: str, at: Path | None = None, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run git and return how it ended. `env` is added to the few variables that git gets of ours.

    Raises SourceError if git cannot be run or does not end within TIMEOUT_S.
    """
    command, environment = _invocation(argv, at, env)
    try:
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"git {argv[0]} did not end within {TIMEOUT_S} s") from error
    except OSError as error:
        raise _not_run(error) from error


def git_bounded(*argv: str, at: Path, most: int, env: Mapping[str, str] | None = None) -> bytes:
    """Run git like `git_bytes` for an answer that a stranger decides about. Raises SourceError also if it has more than
    `most` bytes.
    """
    command, environment = _invocation(argv, at, env)
    late = threading.Event()
    try:
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            ) as process,
        ):

            def give_up() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(TIMEOUT_S, give_up)
            timer.start()
            try:
                output = process.stdout.read(most + 1) if process.stdout else b""
                if len(output) > most:
                    process.kill()
                    raise SourceError(f"git {argv[0]} in {at}: its answer has more than {most} bytes")
                process.wait()
            finally:
                timer.cancel()
            if late.is_set():
                raise SourceError(f"git {argv[0]} in {at} did not end within {TIMEOUT_S} s")
            if process.returncode:
                errors.seek(0)
                raise SourceError(f"git {argv[0]} in {at}: {errors.read().decode(errors='replace').strip()[-600:]}")
            return output
    except OSError as error:
        raise _not_run(error) from error


def _not_run(error: OSError) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError("git is not installed; install it, then: make doctor")
    return SourceError(f"git cannot be run: {error.strerror}")


def _invocation(
    argv: Sequence[str], at: Path | None, env: Mapping[str, str] | None
) -> tuple[list[str], dict[str, str]]:
    where = ["-C", str(at)] if at else []
    command = ["git", *(word for setting in SETTINGS for word in ("-c", setting)), *where, *argv]
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    fixed = {
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",  # an object that a repository lacks is not fetched by what that repository names
        "GIT_PAGER": "cat",
    }
    return command, {**inherited, **fixed, **(env or {})}
