"""A rollback goes where it may, in the order that never leaves nothing serving, or says why it does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pytest_httpserver import HTTPServer

from deployments import rollback
from deployments.environment import Environment
from deployments.journal.lease import Lease
from deployments.rollback import automatic_refusal, lease_in_turn, plan_rollback, roll_back, situation
from gates.release.operation import Version
from gates.release.rollback import Refusal
from host.errors import ArtifactError, LeaseHeld, RollbackFailed, RollbackRefused, RollbackUnfinished, RouterError
from tests.deployments.stage import LEASE, Stage

NOW = datetime.now(UTC)


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer) -> Stage:
    return Stage(tmp_path, httpserver, alerts=True, rollback_window_seconds=60.0)


@pytest.fixture
def versions(stage: Stage) -> tuple[Version, Version]:
    """An old version and a new one that came after it and is live in green; the old one is still warm in blue."""
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    stage.promote(new, "green", "r1")
    return old, new


def back(stage: Stage, condemn: str | None = None, wanted: str | None = None) -> tuple[str, list[str]]:
    said: list[str] = []
    _, reason = roll_back(stage.place, LEASE, condemn, wanted, "too slow", said.append)
    return reason, said


def test_without_a_name_the_plan_is_from_what_is_live_to_what_was_before(
    stage: Stage, versions: tuple[Version, Version]
) -> None:
    old, new = versions
    before = stage.kinds()
    assert plan_rollback(stage.place, None, None) == (new.digest, stage.artifact(old))
    assert plan_rollback(stage.place, new.digest[:9], old.digest[:9]) == (new.digest, stage.artifact(old))
    assert plan_rollback(stage.place, "sha256:" + new.digest.upper(), None) == (new.digest, stage.artifact(old))
    assert stage.effects == [] and stage.kinds() == before


def test_a_name_that_fits_none_or_several_is_taken_as_it_is(stage: Stage, versions: tuple[Version, Version]) -> None:
    assert plan_rollback(stage.place, "f00", None) == Refusal(
        f"f00 is not live ({versions[1].digest[:12]} is): nothing to do", harmless=True
    )
    several = plan_rollback(stage.place, None, "sha256:")
    assert several == Refusal("sha256: was never promoted here; use a release instead", harmless=False)


def test_where_nothing_is_live_there_is_no_plan(stage: Stage) -> None:
    refusal = Refusal("nothing is live, so there is nothing to go back from", harmless=False)
    assert plan_rollback(stage.place, None, None) == refusal
    with pytest.raises(RollbackRefused) as refused:
        back(stage)
    assert str(refused.value) == f"production: {refusal.reason}"


def test_a_target_that_was_changed_in_the_store_is_refused(stage: Stage, versions: tuple[Version, Version]) -> None:
    old, _ = versions
    lock = stage.artifact(old).bundle.source
    (stage.place.store.root / "blobs" / "sha256" / lock).write_bytes(b"changed")
    with pytest.raises(ArtifactError, match="changed since it was stored"):
        plan_rollback(stage.place, None, None)


def test_what_the_runtime_cannot_start_is_refused(stage: Stage, versions: tuple[Version, Version]) -> None:
    stage.runtime.found = ["no image", "no disk"]
    assert plan_rollback(stage.place, None, None) == Refusal("no image; no disk", harmless=False)


def test_a_target_that_the_database_outgrew_is_refused(stage: Stage, versions: tuple[Version, Version]) -> None:
    stage.write("migrating", digest=versions[1].digest, unsafe={versions[0].digest: "column b is gone"})
    plan = plan_rollback(stage.place, None, None)
    assert isinstance(plan, Refusal) and "is not safe to go back to: column b is gone" in plan.reason


def test_a_warm_version_only_gets_the_traffic(stage: Stage, versions: tuple[Version, Version]) -> None:
    old, new = versions
    reason, said = back(stage)
    assert reason == f"{old} is live again; {new.digest[:12]} is condemned: too slow"
    assert stage.effects == ["publish blue", "singletons of old", "drain green for 0.5 s", "stop green"]
    assert said == [
        "reconcile: nothing: nothing is unfinished",
        f"start: {old} is still warm in slot blue",
        "switch: written and confirmed in 2.0 ms",
        "check: /health answered 200, ok; smoke: the app names no smoke tests",
        "drain: the old slot had no request left after 0.25 s",
    ]
    ledger = stage.place.ledger()
    assert ledger.condemned == {new.digest: "too slow"} and ledger.operations[-1].outcome == "rolled back"


@pytest.mark.parametrize("why", ["stopped", "dead", "another version", "a stranger has its port"])
def test_a_version_that_is_not_warm_is_started_and_verified(
    stage: Stage, versions: tuple[Version, Version], why: str
) -> None:
    old, _ = versions
    if why == "stopped":
        stage.write("slot.stopped", slot="blue")
    if why == "dead":
        stage.runtime.deaths["blue"] = "exit 3"
    if why == "another version":
        stage.run("blue", stage.version("other"))
    if why == "a stranger has its port":
        stage.runtime.strangers = ["pid 7 (evil) listens"]
    _, said = back(stage)
    begins = ["install old", "stop blue", "start old in blue", "publish green, preview blue", "publish blue"]
    assert stage.effects[:5] == begins
    assert (
        said[1] == f"start: cold start of {old}; verify: /health answered 200, ok; smoke: the app names no smoke tests"
    )


def test_a_blamed_version_that_is_not_live_any_more_needs_no_rollback(
    stage: Stage, versions: tuple[Version, Version]
) -> None:
    old, new = versions
    before = stage.kinds()
    rollout, reason = roll_back(stage.place, LEASE, old.digest, None, "slow", lambda _: None)
    assert rollout is None and reason == f"{old.digest[:12]} is not live ({new.digest[:12]} is): nothing to do"
    assert stage.effects == [] and stage.kinds() == before


def test_a_target_that_cannot_be_started_leaves_what_was_live(stage: Stage, versions: tuple[Version, Version]) -> None:
    _, new = versions
    stage.write("slot.stopped", slot="blue")
    stage.runtime.start_error = "no memory"
    said = f"{new} serves again in slot green, confirmed in 2.0 ms"
    with pytest.raises(RollbackFailed) as failed:
        back(stage)
    assert str(failed.value) == f"no memory; {said}"
    ledger = stage.place.ledger()
    assert (ledger.operations[-1].outcome, ledger.operations[-1].reason) == ("restored", f"no memory; {said}")
    assert stage.live().version == new and not ledger.condemned


def test_an_interruption_restores_and_goes_on_as_itself(stage: Stage, versions: tuple[Version, Version]) -> None:
    def interrupted(line: str) -> None:
        if line.startswith("switch"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        roll_back(stage.place, LEASE, None, None, "slow", interrupted)
    assert stage.live().version == versions[1]
    assert stage.place.ledger().operations[-1].outcome == "restored"


def test_what_remains_after_the_switch_is_left_to_watch(stage: Stage, versions: tuple[Version, Version]) -> None:
    old, new = versions
    stage.router.drain_error = "no answer"
    with pytest.raises(RollbackUnfinished) as unfinished:
        back(stage)
    assert str(unfinished.value) == (f"{old} serves, and what remained was not done: no answer; watch finishes it")
    ledger = stage.place.ledger()
    assert ledger.unfinished and stage.live().version == old and ledger.condemned == {new.digest: "too slow"}


def test_the_situation_is_what_journal_and_settings_say(stage: Stage) -> None:
    empty = situation(stage.place, stage.place.ledger(), "abc")
    assert (empty.wanted, empty.blamed, empty.live, empty.arrived) == (True, "abc", None, None)
    new = stage.version("new")
    stage.promote(new, "blue", "r0")
    ledger = stage.place.ledger()
    judged = situation(stage.place, ledger, new.digest)
    assert (judged.live, judged.arrived) == (new.digest, ledger.operations[-1].ended)
    assert judged.window == timedelta(seconds=60)


def test_nothing_is_rolled_back_by_itself_before_what_is_unfinished_was_put_right(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    assert automatic_refusal(stage.place, LEASE, old.digest, NOW) is None
    stage.begin(new, "green")
    stage.serve(new, "green")
    refusal = automatic_refusal(stage.place, LEASE, new.digest, NOW)
    assert refusal == Refusal(f"{new.digest[:12]} is not live ({old.digest[:12]} is): nothing to do", True)
    assert stage.place.ledger().unfinished is None


def test_the_lease_is_waited_for_and_no_longer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback, "ASK_EVERY_S", 0.0)
    with lease_in_turn(stage.place, "first", 0.0) as lease:
        assert lease.reason == "first"
        with pytest.raises(LeaseHeld):
            with lease_in_turn(stage.place, "second", 0.0):
                raise AssertionError("two hold the lease")
    assert stage.place.holder() is None


class BusyPlace(Environment):
    """A place that somebody else changes for the next two times of asking."""

    asked: ClassVar[list[str]] = []

    @contextmanager
    def lease(self, reason: str) -> Iterator[Lease]:
        self.asked.append(reason)
        if len(self.asked) < 3:
            raise LeaseHeld("another release")
        with super().lease(reason) as lease:
            yield lease


def test_the_lease_is_asked_for_until_it_is_free(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback, "ASK_EVERY_S", 0.0)
    monkeypatch.setattr(BusyPlace, "asked", [])
    place = BusyPlace(stage.place.target, stage.place.home, stage.place.settings, stage.place.app)
    with lease_in_turn(place, "mine", 3600.0) as lease:
        assert lease.reason == "mine"
    assert place.asked == ["mine"] * 3


def test_the_lease_is_let_go_when_the_work_fails(stage: Stage) -> None:
    with pytest.raises(RouterError):
        with lease_in_turn(stage.place, "first", 0.0):
            raise RouterError("no answer")
    assert stage.place.holder() is None
