"""`make up RUNTIME=compose`: a whole installation whose environments and Prefect server run in containers."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.server import answers
from control.server_containers import SERVICES
from control.server_process import SERVER
from host.docker.engine import Engine
from host.ports import free_port, is_free
from host.supervisor.program import State
from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.stack, pytest.mark.gauntlet]
PORTS = ("PREFECT", "RECEIVER", "EXPORTER", "DEVELOPMENT", "STAGING", "PRODUCTION")


@pytest.fixture
def empty(engine: Engine, tmp_path: Path) -> Iterator[Installation]:
    """A home on free ports in which nothing was started yet."""
    before = dict(os.environ)
    os.environ.update({f"SLIPWAY_{name}_PORT": str(free_port()) for name in PORTS})
    os.environ["SLIPWAY_HOME"] = str(tmp_path / "state")
    made = Installation(tmp_path / "state")
    try:
        yield made
    finally:
        made.slipway("down")
        made.control.stack.remove()
        os.environ.clear()
        os.environ.update(before)


def typed(installation: Installation, *argv: str) -> str:
    """Type a command that must succeed; what it chose is in the home's .env and counts from here on."""
    done = installation.slipway(*argv, timeout_s=900)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (installation.root / ".env").read_text().splitlines():
        name, _, value = line.partition("=")
        if name.endswith("_RUNTIME"):
            os.environ[name] = value
    return done.stdout


def states(installation: Installation) -> dict[str, str]:
    """Return the state of each of the server's containers."""
    return {one.service: one.state for one in installation.control.stack.containers()}


def works(installation: Installation) -> None:
    """A worker takes a run from the server, and what happens to it becomes an event."""
    wait_for(lambda: answers(installation.control), "the server answers")
    run = installation.api.start("reconcile/dev", {}, uuid.uuid4().hex)
    assert run is not None
    assert installation.ended(run)[0] == "Completed"
    wanted = {"filter": {"event": {"prefix": ["prefect.flow-run."]}}, "limit": 5}
    wait_for(lambda: bool(installation.api.call("POST", "/events/filter", wanted)["events"]), "events arrive")


def test_it_comes_up_works_survives_a_killed_server_and_stops(empty: Installation, engine: Engine) -> None:
    typed(empty, "up", "--runtime", "compose")
    assert states(empty) == dict.fromkeys(SERVICES, "running")
    assert empty.control.supervisor.state(SERVER) is None
    works(empty)
    shown = typed(empty, "status")
    assert all(f"prefect-server/{name}: running" in shown for name in SERVICES)
    secret = empty.control.auth.partition(":")[2]
    for one in empty.control.stack.containers():
        assert secret not in engine.run(["inspect", one.id], {}, 30)[1]

    # Its main process is killed: the engine starts it again, and the workers go on.
    (before,) = (one for one in empty.control.stack.containers() if one.service == "server")
    os.kill(int(engine.run(["inspect", "--format", "{{.State.Pid}}", before.id], {}, 30)[1]), signal.SIGKILL)
    works(empty)
    (after,) = (one for one in empty.control.stack.containers() if one.service == "server")
    assert after.id == before.id and after.restarts == before.restarts + 1

    typed(empty, "down")
    assert "running" not in states(empty).values() and is_free(int(os.environ["SLIPWAY_PREFECT_PORT"]))

    # The server goes back to being a process of this host, beside containers that serve: its own choice.
    typed(empty, "up", "--server", "process")
    assert "running" not in states(empty).values()
    process = empty.control.supervisor.state(SERVER)
    assert process is not None and process.state is State.RUNNING
    assert empty.place().settings.runtime == "compose"
    works(empty)
