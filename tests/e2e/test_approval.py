"""Answers that do not hold, come late or say no; and what stops a release before its first effect."""

import tarfile

import pytest

from cli import runs
from evidence.bundle import Run
from host.home import CHECKOUT
from settings.targets import Target
from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.stack]


def asked(installation: Installation, run: str) -> str:
    """Wait for the run's question; return the code on its page."""
    wait_for(lambda: installation.state(run) == "PAUSED", "the run asks")
    wait_for(lambda: runs.approval_code(installation.api, run) is not None, "the page is there")
    return runs.approval_code(installation.api, run) or ""


def test_bad_answers_are_asked_again_and_a_rejection_ends_it(installation: Installation) -> None:
    version, _ = installation.new_version()
    mark = installation.mark()
    run = installation.release(version)
    code = asked(installation, run)
    for bad in ({"code": "0000-0000"}, {"code": code, "approver": "Nobody Known"}):
        before = installation.api.call("GET", f"/flow_runs/{run}")["state"]["id"]
        assert installation.answer(run, **{"code": code, **bad})["status"] == "ACCEPT"

        def asked_again(before: str = before) -> bool:
            state = installation.api.call("GET", f"/flow_runs/{run}")["state"]
            return state["type"] == "PAUSED" and state["id"] != before

        wait_for(asked_again, "it is asked again")
    assert installation.answer(run)["status"] == "REJECT"  # without a code the server itself refuses
    assert installation.answer(run, code=code, decision="maybe")["status"] == "REJECT"
    assert installation.answer(run, code=code, decision="reject", comment="not today")["status"] == "ACCEPT"
    wait_for(lambda: installation.state(run) == "FAILED", "it ended")
    state = installation.api.call("GET", f"/flow_runs/{run}")["state"]
    assert state["name"] == "Rejected"
    assert "not today" in state["message"]
    assert "begin" not in installation.kinds(mark)


def test_nobody_answers_in_time(installation: Installation) -> None:
    version, _ = installation.new_version()
    run = installation.release(version, Target("staging"))
    wait_for(lambda: installation.state(run) == "FAILED", "its time is over")

    def name() -> str:
        return str(installation.api.call("GET", f"/flow_runs/{run}")["state"]["name"])

    # The server fails a paused run at its time by itself; the run then says what that was.
    wait_for(lambda: name() == "Expired", "it says that it expired")
    assert installation.place(Target("staging")).ledger().questions == {}


def ended(installation: Installation, version: str | None, target: Target = Target("production")) -> tuple[str, str]:
    return installation.ended(installation.release(version, target))


def test_unknown_version_is_blocked(installation: Installation) -> None:
    state, message = ended(installation, "v99")
    assert state == "Blocked"
    assert 'no artifact for "v99"' in message and "ci/push" in message


def test_condemned_version_is_blocked(installation: Installation) -> None:
    state, message = ended(installation, "v3")
    assert state == "Blocked"
    assert "condemned" in message


def test_changed_artifact_stops_before_the_first_effect(installation: Installation) -> None:
    place = installation.place()
    archive = installation.root / "evil.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(CHECKOUT / "README.md", "README.md")
    source = place.store.put_file(archive)
    version, _ = installation.new_version(source=source)
    (place.store.root / "blobs" / "sha256" / source).write_text("another byte")
    mark = installation.mark()
    state, message = ended(installation, version)
    assert state == "Blocked"
    assert "changed since it was stored" in message
    assert "begin" not in installation.kinds(mark)


def test_version_that_never_becomes_healthy_is_restored_with_its_last_words(installation: Installation) -> None:
    place = installation.place()
    before = place.ledger().live
    run = Run(command=("python", "-c", "print('I give up'); raise SystemExit(3)"), health=("/health/overall",))
    version, digest = installation.new_version(run=run)
    state, message = ended(installation, version)
    assert state == "Restored"
    assert "I give up" in message
    after = installation.place().ledger()
    assert after.live == before
    assert digest not in after.condemned


def test_unknown_commit_fails_ci_with_the_branches_there_are(installation: Installation) -> None:
    run = runs.start(installation.api, "ci/push", commit="no-such-branch")
    state, message = installation.ended(run)
    assert state == "Failed"
    assert "unknown commit" in message and "main" in message
