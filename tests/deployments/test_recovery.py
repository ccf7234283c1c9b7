"""What an interrupted release or rollback leaves is finished or restored, and written down."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from deployments.recovery import facts_of, needs_repair, reconcile
from evidence.statements import read_promotions
from gates.release.recovery import Facts, Repair
from host.errors import RestoreError
from tests.deployments.stage import LEASE, Stage

FORGOT = "the router serves nothing, the journal says "


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer) -> Stage:
    return Stage(tmp_path, httpserver)


def end(stage: Stage) -> tuple[str, str]:
    last = stage.place.ledger().operations[-1]
    assert last.outcome
    return last.outcome, last.reason


def test_the_facts_are_those_of_journal_and_router(stage: Stage) -> None:
    assert facts_of(stage.place, stage.place.ledger()) == Facts(None, False, False, None, None)
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    stage.begin(new, "green")
    name = stage.router.seen
    assert facts_of(stage.place, stage.place.ledger()) == Facts("release", False, False, name, name)
    stage.serve(new, "green")
    stage.write("judged", action="promote", reason="good")
    stage.router.seen = "e0-0"
    facts = facts_of(stage.place, stage.place.ledger())
    assert facts == Facts("release", True, True, f"e1-{stage.kinds().index('judged')-1}", "e0-0")


def test_where_all_is_well_nothing_is_done(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    before = stage.kinds()
    assert needs_repair(stage.place) == (Repair.NOTHING, "nothing is unfinished")
    assert reconcile(stage.place, LEASE) == (Repair.NOTHING, "nothing is unfinished")
    assert stage.effects == [] and stage.kinds() == before


def test_to_ask_what_is_to_be_repaired_changes_nothing(stage: Stage) -> None:
    stage.begin(stage.version("new"), "blue")
    before = stage.kinds()
    assert needs_repair(stage.place)[0] is Repair.RESTORE
    assert stage.effects == [] and stage.kinds() == before


def test_a_router_that_forgot_is_told_again(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    name, stage.router.seen = stage.router.seen, None
    assert reconcile(stage.place, LEASE) == (Repair.REPUBLISH, f"{FORGOT}{name}")
    assert stage.effects == ["publish blue", "singletons of old"]
    assert needs_repair(stage.place)[0] is Repair.NOTHING


def test_a_slot_that_is_dead_is_started_before_the_router_is_told(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    stage.router.seen, stage.runtime.deaths["blue"] = None, "exit 3"
    reconcile(stage.place, LEASE)
    assert stage.effects == ["stop blue", "start old in blue", "publish blue", "singletons of old"]


def test_a_router_that_forgot_that_nothing_is_live_is_told_so(stage: Stage) -> None:
    stage.write("routed", routing={"version": "e1-1"}, live=None)
    assert reconcile(stage.place, LEASE)[0] is Repair.REPUBLISH
    assert stage.effects == ["publish nothing", "singletons of nothing"]


def test_a_release_that_nobody_judged_is_taken_back(stage: Stage) -> None:
    old = stage.promote(stage.version("old"), "blue", "r0")
    new = stage.version("new")
    stage.begin(new, "green")
    stage.serve(new, "green")
    repair, reason = reconcile(stage.place, LEASE)
    said = f"{old.version} serves again in slot blue, confirmed in 2.0 ms"
    assert (repair, reason) == (Repair.RESTORE, f"the release was interrupted before it was judged; {said}")
    assert stage.effects[:2] == ["tidy", "publish blue"] and "stop green" in stage.effects
    assert end(stage) == ("restored", reason)
    assert stage.live().version == old.version
    assert stage.place.journal.entries()[-1].epoch == LEASE.epoch


def test_a_first_release_that_nobody_judged_leaves_nothing_live(stage: Stage) -> None:
    new = stage.version("new")
    stage.begin(new, "blue")
    stage.serve(new, "blue")
    repair, reason = reconcile(stage.place, LEASE)
    assert reason.endswith("; nothing was live before, and nothing is now")
    assert stage.place.ledger().live is None and end(stage) == ("restored", reason)


def test_a_release_that_was_judged_good_is_finished_and_signed(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    stage.begin(new, "green")
    stage.serve(new, "green")
    stage.write("judged", action="promote", reason="good")
    drained = "the old slot had no request left after 0.25 s"
    why = "the release was interrupted after it was judged good"
    assert reconcile(stage.place, LEASE) == (Repair.FINISH, f"{why}; {drained}")
    assert stage.effects == ["tidy", "publish green", "singletons of new", "drain blue for 0.5 s"]
    assert end(stage) == ("promoted", f"finished after an interruption; {drained}")
    (promotion,) = read_promotions(stage.place.store, stage.place.keys, new.digest)
    assert (promotion.environment, promotion.release, promotion.version) == ("production", "r1", "new")
    assert not stage.place.ledger().condemned


def test_a_release_that_was_judged_bad_is_taken_back(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    new = stage.version("new")
    stage.begin(new, "green")
    stage.serve(new, "green")
    stage.write("judged", action="roll back", reason="bad")
    assert reconcile(stage.place, LEASE)[0] is Repair.RESTORE
    assert read_promotions(stage.place.store, stage.place.keys, new.digest) == []


def test_a_rollback_after_its_switch_is_finished_and_condemns(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    stage.promote(new, "green", "r1")
    stage.begin(old, "blue", "rollback", "r2")
    stage.serve(old, "blue")
    assert reconcile(stage.place, LEASE)[0] is Repair.FINISH
    why = "rolled back; the rollback was interrupted and finished"
    assert stage.place.ledger().condemned == {new.digest: why}
    assert stage.effects == ["tidy", "publish blue", "singletons of old", "drain green for 0.5 s", "stop green"]
    assert end(stage)[0] == "rolled back"
    assert read_promotions(stage.place.store, stage.place.keys, old.digest) == []


def test_a_rollback_before_its_switch_is_taken_back_and_condemns_nothing(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    stage.promote(new, "green", "r1")
    stage.begin(old, "blue", "rollback", "r2")
    assert reconcile(stage.place, LEASE)[0] is Repair.RESTORE
    assert stage.live().version == new and not stage.place.ledger().condemned


def test_what_cannot_be_restored_stays_unfinished(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    stage.begin(stage.version("new"), "green")
    stage.router.refuses = "not confirmed"
    with pytest.raises(RestoreError, match="not confirmed"):
        reconcile(stage.place, LEASE)
    assert stage.place.ledger().unfinished
