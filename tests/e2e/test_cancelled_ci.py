"""A cancelled `ci` leaves nothing running: no server, browser or child that its suites started."""

from pathlib import Path

import psutil
import pytest

from cli import runs
from tests.e2e.test_hostile_app import git
from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.stack]

MARK = "86399.25"
# A child in a session of its own, and one that ignores SIGTERM: neither goes away by itself.
HANGS = f"""
import subprocess
import time


def test_hangs() -> None:
    subprocess.Popen(["sleep", "{MARK}"], start_new_session=True)
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep {MARK}; done"])
    time.sleep(5000)
"""


def left() -> list[str]:
    """Return the command lines that carry the mark."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if MARK in line:
            found.append(line)
    return found


def test_a_cancelled_run_leaves_no_process(installation: Installation) -> None:
    repository = installation.root / "demo" / "assistant"
    git(repository, "checkout", "-q", "-B", "hangs", "v1")
    Path(repository, "tests", "unit", "test_hangs.py").write_text(HANGS)
    git(repository, "add", "-A")
    git(repository, "-c", "user.name=Mal", "-c", "user.email=mal@example.com", "commit", "-q", "-m", "hangs")
    git(repository, "checkout", "-q", "main")
    run = runs.start(installation.api, "ci/push", commit="hangs")
    wait_for(lambda: len(left()) >= 2, "the suite's children run")
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    installation.api.call("POST", f"/flow_runs/{run}/set_state", cancelling)
    wait_for(lambda: installation.state(run) == "CANCELLED", "the run is cancelled")
    wait_for(lambda: not left(), f"nothing is left: {left()}")
