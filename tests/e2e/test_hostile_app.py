"""App code is untrusted: a commit whose conftest goes after keys, state, sockets and our environment gets nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import runs
from evidence.bundle import find_digest
from evidence.statements import read_checks
from tests.installation import Installation

pytestmark = [pytest.mark.stack]

# What a hostile commit would do, at import of its conftest. Writes what it got to the test's message.
ATTACK = """
import glob, os, pathlib, socket

HOME = pathlib.Path({home!r})
got = []

def attempt(name, action):
    try:
        result = action()
    except Exception:
        return
    if result:
        got.append(name)

attempt("signing key", lambda: (HOME / "keys" / "evidence.key").read_bytes())
attempt("API credential", lambda: (HOME / "keys" / "prefect-auth").read_text())
attempt("journal", lambda: (HOME / "environments" / "production" / "journal.jsonl").read_bytes())
attempt("app secret", lambda: list((HOME / "environments" / "production" / "secrets").iterdir()))
attempt("store", lambda: list((HOME / "store").iterdir()))
attempt("write to the store", lambda: (HOME / "store" / "blobs" / "evil").write_text("x") or True)
attempt("write to a cache", lambda: (HOME / "cache" / "evil").write_text("x") or True)
attempt("the checkout", lambda: pathlib.Path({checkout!r}, "pyproject.toml").read_text())
attempt(".env", lambda: pathlib.Path({checkout!r}, ".env").read_text())

def environs():
    for file in glob.glob("/proc/[0-9]*/environ"):
        try:
            content = open(file, "rb").read()
        except OSError:
            continue
        if b"PREFECT_API_AUTH_STRING" in content or b"SLIPWAY_HOME" in content:
            return True

attempt("somebody's environment", environs)
attempt("our environment", lambda: [name for name in os.environ if name.startswith(("SLIPWAY", "PREFECT"))])

def supervisor():
    link = socket.socket(socket.AF_UNIX)
    link.connect(str(HOME / "control" / "run" / "supervisor.sock"))
    return True

attempt("the supervisor's socket", supervisor)
"""


def attack(installation: Installation) -> str:
    checkout = Path(__file__).resolve().parents[2]
    return ATTACK.format(home=str(installation.root), checkout=str(checkout))


def test_the_attack_works_outside_the_sandbox(installation: Installation) -> None:
    script = attack(installation) + "\nimport json\nprint(json.dumps(got))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=True)
    (installation.root / "store" / "blobs" / "evil").unlink()
    (installation.root / "cache" / "evil").unlink()
    got = json.loads(done.stdout)
    assert {"signing key", "API credential", "journal", "store", "the supervisor's socket", "our environment"} <= set(
        got
    )


def test_a_hostile_conftest_gets_nothing(installation: Installation) -> None:
    repository = installation.root / "demo" / "assistant"
    branch = "$(touch${IFS}pwned)"  # and the branch's name is a trap for shells
    commit(repository, branch, attack(installation))
    run = runs.start(installation.api, "ci/push", commit=branch)
    state, message = installation.ended(run)
    place = installation.place()
    digest = find_digest(place.store, git(repository, "rev-parse", branch))
    checked = read_checks(place.store, place.keys, digest)
    assert checked is not None
    unit = next(check for check in checked.checks if check.name == "unit")
    assert unit.outcome == "passed", unit.reason
    assert checked.isolation == "namespaces"
    assert state in ("Completed", "Failed") and "unit:" not in message  # black may dislike the file; unit must not fail
    assert not list(installation.root.rglob("pwned"))


def commit(repository: Path, branch: str, script: str) -> None:
    """Commit the attack on a branch of its own, without touching the working tree's branch."""
    git(repository, "checkout", "-q", "-B", branch, "v1")
    (repository / "tests" / "unit" / "conftest.py").write_text(script)
    test = "from tests.unit.conftest import got\n\n\ndef test_nothing_was_got() -> None:\n    assert got == []\n"
    (repository / "tests" / "unit" / "test_hostile.py").write_text(test)
    git(repository, "add", "-A")
    git(repository, "-c", "user.name=Mal", "-c", "user.email=mal@example.com", "commit", "-q", "-m", "attack")
    git(repository, "checkout", "-q", "main")


def git(repository: Path, *argv: str) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *argv], cwd=repository, env=env, capture_output=True, text=True, timeout=600, check=True
    )
    return done.stdout.strip()
