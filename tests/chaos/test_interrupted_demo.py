"""Ctrl-C in the middle of the demo: everything that it started stops."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from host.ports import free_port
from tests.installation import CHECKOUT
from tests.waiting import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.gauntlet]


@pytest.mark.parametrize("moment", ["ok  databases", "ci of v1"])
def test_interrupted_demo_leaves_no_process(tmp_path: Path, moment: str) -> None:
    names = ("PREFECT", "RECEIVER", "EXPORTER", "DEVELOPMENT", "STAGING", "PRODUCTION")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "PREFECT_"))}
    env |= {f"SLIPWAY_{name}_PORT": str(free_port()) for name in names}
    env |= {"SLIPWAY_HOME": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}
    output = tmp_path / "output.txt"
    with open(output, "wb") as sink:
        demo = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "demo"],
            cwd=CHECKOUT,
            env=env,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_heed_interrupts,
        )
    try:
        wait_for(lambda: moment in output.read_text() or demo.poll() is not None, f"it says {moment}")
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
        assert demo.wait(120) == 130, output.read_text()
    finally:
        demo.kill()
        if demo.returncode != 130:
            subprocess.run([sys.executable, "-m", "cli.main", "down"], cwd=CHECKOUT, env=env, timeout=600, check=False)
    left = [one for one in psutil.process_iter() if str(tmp_path) in _words(one)]
    assert left == [], output.read_text()


def _heed_interrupts() -> None:
    """Undo an ignored SIGINT, which whoever runs the tests in the background hands down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) + process.environ().get("SLIPWAY_SUPERVISOR", "")
    except psutil.Error:
        return ""
