"""The docker command that the engine's client runs: how it ends when it takes too long."""

from pathlib import Path

import psutil
import pytest

from host.docker.engine import Engine
from host.errors import ToolError
from tests.waiting import wait_for

PLUGIN = """#!/bin/sh
sleep 600 &
echo $! > {pid}.new
mv {pid}.new {pid}
wait
"""


@pytest.fixture
def slow_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a docker command on PATH that starts a program of its own, as for compose; return where that one's pid is."""
    pid = tmp_path / "pid"
    docker = tmp_path / "docker"
    docker.write_text(PLUGIN.format(pid=pid))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return pid


@pytest.mark.parametrize("into_file", [False, True])
def test_what_takes_too_long_ends_with_all_that_it_started(slow_docker: Path, tmp_path: Path, into_file: bool) -> None:
    engine = Engine()
    seconds = 1
    while not slow_docker.exists():  # on a busy host it is ended before it has begun
        with pytest.raises(ToolError, match="docker compose config did not end within"):
            if into_file:
                engine.run_into(["compose", "config"], tmp_path / "output", seconds)
            else:
                engine.run(["compose", "config"], {}, seconds)
        seconds *= 2
    started = int(slow_docker.read_text())
    wait_for(lambda: not _runs(started), "what docker started has ended")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
