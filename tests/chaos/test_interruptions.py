"""Kill a release at each of its steps, under traffic: production serves, nothing is lost, and `watch` puts it right."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from control.server_process import SERVER
from gates.release.operation import Version
from host.errors import ServerAway
from services.watch.main import retire
from settings.targets import Target
from tests.installation import CHECKOUT, Installation
from tests.waiting import wait_for
from traffic.main import Traffic
from traffic.profile import load

pytestmark = [pytest.mark.chaos]


@pytest.fixture(autouse=True)
def whole(installation: Installation) -> None:
    """Begin each test with all of the control plane, whatever the one before did."""
    supervisor = installation.control.supervisor
    for program in ("postgres", SERVER):
        state = supervisor.state(program)
        if state is None or state.state != "RUNNING":
            supervisor.start(program, wait_s=60)
    wait_for(lambda: _answers(installation), "the server answers")


@pytest.fixture
def traffic(installation: Installation) -> Iterator[Traffic]:
    """Steady traffic on production while the test runs."""
    profile = load(CHECKOUT / "examples" / "story" / "traffic.toml")
    generator = Traffic(profile, installation.place().url, rate=20)
    with generator.background():
        wait_for(lambda: generator.report()["totals"]["ok"] > 20, "traffic flows")
        yield generator


def assert_nothing_lost(traffic: Traffic) -> None:
    report = traffic.report()
    assert report["totals"]["lost"] == 0, report["lost"][:5]


def assert_settled(installation: Installation) -> None:
    """Journal, router and slots agree, nothing is unfinished, and the public address is well."""
    place = installation.place()
    ledger = place.ledger()
    assert ledger.unfinished is None
    assert ledger.live is not None and ledger.routing is not None
    assert place.router.version() == ledger.routing["version"]
    assert httpx.get(place.url + "/health/overall", timeout=600).json()["status"] in ("healthy", "degraded")


def in_rest(installation: Installation) -> tuple[int, Version]:
    """Wait until nothing is under way in production, and return the journal's last entry and what is live."""
    found: list[tuple[int, Version]] = []

    def rests() -> bool:
        mark, ledger = installation.mark(), installation.place().ledger()
        if ledger.unfinished is None and ledger.live is not None:
            found.append((mark, ledger.live.version))
        return bool(found)

    wait_for(rests, "nothing is under way")
    return found[0]


def assert_same(installation: Installation, mark: int, version: Version) -> None:
    """What was live is live, unless `watch` has gone back from it meanwhile: it saw it ill, which it was made."""
    wait_for(lambda: installation.place().ledger().unfinished is None, "nothing is under way")
    now = installation.place().ledger().live
    assert now is not None
    assert now.version == version or "begin" in installation.kinds(mark)


def kill_holder(installation: Installation) -> int:
    """Kill the process that holds production's lease, as the kernel would: no handler runs."""
    holder = installation.place().holder()
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    return holder.pid


@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        ("migrating", "restored"),
        ("slot.starting", "restored"),
        ("slot.started", "restored"),
        ("routing", "restored"),
        ("routed", "restored"),
        ("judged", "promoted"),
    ],
)
def test_killed_release_is_restored_or_finished(
    installation: Installation, traffic: Traffic, moment: str, outcome: str
) -> None:
    before = installation.place().ledger().live
    assert before is not None
    version, digest = installation.new_version()
    mark = installation.mark()
    run = installation.release(version)
    installation.approve(run)
    # The first `routing` is the preview; the switch itself is the second one.
    count = 2 if moment in ("routing", "routed") else 1
    wait_for(lambda: installation.kinds(mark).count(moment) >= count, f"{moment} is journaled")
    kill_holder(installation)
    wait_for(lambda: installation.place().ledger().unfinished is None, "watch has put it right")
    wait_for(lambda: installation.place().holder() is None, "the lease is free")
    assert_settled(installation)
    operation = installation.place().ledger().operations[-1]
    assert operation.outcome == outcome
    live = installation.place().ledger().live
    assert live is not None
    assert live.version.digest == (digest if outcome == "promoted" else before.version.digest)
    assert_nothing_lost(traffic)


def test_server_stopped_in_the_middle_of_a_release(installation: Installation, traffic: Traffic) -> None:
    version, digest = installation.new_version()
    mark = installation.mark()
    run = installation.release(version)
    installation.approve(run)
    wait_for(lambda: "migrated" in installation.kinds(mark), "the migration is done")
    installation.control.supervisor.stop(SERVER)
    try:
        wait_for(lambda: "end" in installation.kinds(mark), "the release ended")
        assert installation.place().ledger().operations[-1].outcome == "promoted"
        assert_settled(installation)
        said = installation.slipway("rollback", "production", "--reason", "a test, without Prefect")
        assert said.returncode == 0, said.stdout + said.stderr
        assert_settled(installation)
    finally:
        installation.control.supervisor.start(SERVER, wait_s=60)
        wait_for(lambda: _answers(installation), "the server is back")
    ledger = installation.place().ledger()
    assert digest in ledger.condemned
    assert_nothing_lost(traffic)
    wait_for(lambda: installation.state(run) in ("COMPLETED", "CRASHED"), "the run's end is told")


def test_database_of_prefect_lost_in_the_middle_of_a_release(installation: Installation, traffic: Traffic) -> None:
    version, _ = installation.new_version()
    mark = installation.mark()
    run = installation.release(version)
    installation.approve(run)
    wait_for(lambda: "migrated" in installation.kinds(mark), "the migration is done")
    control = installation.control
    control.supervisor.stop("postgres", wait_s=60)
    try:
        wait_for(lambda: "end" in installation.kinds(mark), "the release ended")
        assert_settled(installation)
        assert installation.place().ledger().operations[-1].outcome in ("promoted", "restored")
    finally:
        control.supervisor.start("postgres", wait_s=30)
        wait_for(lambda: _answers(installation), "the server is back")
    assert_nothing_lost(traffic)


def test_question_of_a_dead_process_is_asked_again(installation: Installation) -> None:
    version, digest = installation.new_version()
    run = installation.release(version)
    wait_for(lambda: installation.state(run) == "PAUSED", "the run asks")
    question = next(iter(installation.place().ledger().questions.values()))
    os.kill(question.pid, signal.SIGKILL)
    wait_for(lambda: _successor(installation, question.id) is not None, "a successor asks")
    successor = _successor(installation, question.id)
    assert successor and successor != run
    assert installation.ended(successor)[0] == "Promoted"
    live = installation.place().ledger().live
    assert live is not None and live.version.digest == digest
    wait_for(lambda: installation.state(run) not in ("PAUSED", "RUNNING"), "the first run is not left hanging")


def _successor(installation: Installation, question: str) -> str | None:
    for entry in installation.place().journal.entries():
        if entry.kind == "answer" and entry.data["id"] == question and entry.data["ruling"] == "superseded":
            return str(entry.data["reason"].split("run ")[1].split(" ")[0])
    return None


def test_second_release_while_one_runs_says_who_holds_the_lease(installation: Installation) -> None:
    first, _ = installation.new_version()
    second, _ = installation.new_version()
    one, two = installation.release(first), installation.release(second)
    installation.approve(one)
    wait_for(lambda: installation.place().holder() is not None, "the first holds the lease")
    installation.approve(two)
    state, message = installation.ended(two)
    assert state == "Blocked"
    assert f"release {first}" in message and "since" in message
    assert installation.ended(one)[0] == "Promoted"


def test_rollback_of_what_is_not_live_does_nothing(installation: Installation) -> None:
    mark = installation.mark()
    said = installation.slipway("rollback", "production", "--condemn", "f" * 64)
    assert said.returncode == 0, said.stderr
    assert "not live" in said.stdout
    assert "begin" not in installation.kinds(mark)


def test_warm_slot_is_retired_after_its_window(installation: Installation) -> None:
    version, _ = installation.new_version()
    assert installation.ended(installation.release(version))[0] == "Promoted"
    place = installation.place()
    warm = place.ledger().warm(timedelta(seconds=place.settings.rollback_window_seconds))
    assert warm is not None
    assert retire(place, warm[1] - timedelta(seconds=1)) is None
    done = retire(place, warm[1])
    assert done is not None and warm[0] in done
    assert not place.ledger().slots[warm[0]].running
    assert place.supervisor.state(f"slot-{warm[0]}") is None
    assert_settled(installation)


def test_killed_slot_and_router_come_back(installation: Installation) -> None:
    place = installation.place()
    live = place.ledger().live
    assert live is not None
    for program in (f"slot-{live.slot}", "router", "postgres"):
        place.supervisor.signal(program, signal.SIGKILL)
        wait_for(lambda: _healthy(place.url), f"{program} is back")
    assert_settled(installation)


def test_killed_supervisor_of_production_is_put_right_by_up(installation: Installation) -> None:
    mark, version = in_rest(installation)
    daemon = next(
        one
        for one in psutil.process_iter(["cmdline", "cwd"])
        if "supervisor.supervisord" in (one.info["cmdline"] or [])
        and one.info["cwd"] == str(installation.place().directory / "supervisor")
    )
    daemon.kill()
    daemon.wait(120)
    assert _healthy(installation.place().url)  # what served goes on serving
    said = installation.slipway("up")
    assert said.returncode == 0, said.stdout + said.stderr
    wait_for(lambda: _healthy(installation.place().url), "production serves")
    assert_same(installation, mark, version)
    assert_settled(installation)


def test_down_leaves_no_process_and_up_serves_the_same(installation: Installation) -> None:
    mark, version = in_rest(installation)
    assert installation.slipway("down").returncode == 0
    left = [one.pid for one in psutil.process_iter() if _belongs(one, installation.root)]
    assert left == []
    said = installation.slipway("up")
    assert said.returncode == 0, said.stdout + said.stderr
    wait_for(lambda: _healthy(installation.place().url), "production serves")
    assert_same(installation, mark, version)
    assert installation.place(Target("staging")).ledger().live is not None


def _belongs(process: psutil.Process, root: Path) -> bool:
    try:
        words = " ".join(process.cmdline())
        environ = process.environ()
    except psutil.Error:
        return False
    if process.pid in (os.getpid(), os.getppid()):
        return False
    return str(root) in words or environ.get("SLIPWAY_SUPERVISOR", "").startswith(str(root))


def _answers(installation: Installation) -> bool:
    try:
        return installation.api.call("GET", "/deployments/name/release/prod") is not None
    except ServerAway:
        return False


def _healthy(url: str) -> bool:
    try:
        return httpx.get(url + "/health/overall", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
