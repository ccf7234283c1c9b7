"""A version that turns bad after its release goes back by itself, once: by watch, an event and a Prefect automation."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from host.supervisor.program import State
from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.gauntlet]


@contextmanager
def hanging(installation: Installation) -> Iterator[None]:
    """Have the app that serves production hang: it takes connections and answers nothing."""
    place = installation.place()
    live = place.ledger().live
    assert live is not None
    slot = place.supervisor.state(f"slot-{live.slot}")
    assert slot is not None and slot.state is State.RUNNING and slot.pid
    family = [psutil.Process(slot.pid), *psutil.Process(slot.pid).children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            if process.is_running():
                process.send_signal(signal.SIGCONT)


def rollbacks(installation: Installation, digest: str) -> list[dict[str, Any]]:
    """Return the runs that automations started to go back from a digest, newest first."""
    query = {"flows": {"name": {"any_": ["rollback"]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 50}
    found = installation.api.call("POST", "/flow_runs/filter", query)
    mine = [run for run in found if run["parameters"].get("condemn") == digest]
    return [run for run in mine if (run["created_by"] or {}).get("type") == "AUTOMATION"]


def ended(installation: Installation, digest: str, before: int = 0) -> dict[str, Any]:
    """Wait for the one run that goes back from a digest, beside those from before; return it as it ended."""
    wait_for(lambda: len(rollbacks(installation, digest)) == before + 1, "an automation starts a rollback")
    run = rollbacks(installation, digest)[0]
    wait_for(lambda: installation.state(run["id"]) in ("COMPLETED", "FAILED", "CRASHED"), "the rollback ends")
    return dict(rollbacks(installation, digest)[0]["state"])


def test_a_version_that_hangs_goes_back_by_itself_and_never_a_second_step(installation: Installation) -> None:
    good = installation.place().ledger().live
    assert good is not None
    version, digest = installation.new_version()
    run = installation.release(version)
    installation.approve(run)
    assert installation.ended(run)[0] == "Promoted"

    with hanging(installation):
        state = ended(installation, digest)
    assert state["name"] == "RolledBack", state
    ledger = installation.place().ledger()
    assert ledger.live is not None and ledger.live.version == good.version
    assert "watch: " in ledger.condemned[digest]

    # What is condemned does not go forward again.
    again = installation.release(version)
    name, said = installation.ended(again)
    assert name == "Blocked" and "is condemned here" in said

    # What came back turns bad as well: a person is called, and nothing is changed.
    before, known = installation.mark(), len(rollbacks(installation, good.version.digest))
    with hanging(installation):
        state = ended(installation, good.version.digest, known)
        monitored = installation.api.start("monitor/prod", {}, f"monitor-{digest}")
        assert monitored is not None
        assert installation.ended(monitored)[0] == "Unhealthy"
    assert state["name"] == "Blocked" and "a person must look" in state["message"]
    assert set(installation.kinds(before)) <= {"reported"}  # which only says that Prefect was told
    variable = installation.api.call("GET", "/variables/name/live_production")
    wait_for(lambda: installation.slipway("status").returncode == 0, "production is healthy again")
    assert variable["value"]["version"] == good.version.version
