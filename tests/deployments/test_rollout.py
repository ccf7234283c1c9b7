"""The steps of a release, and what each writes down."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from deployments import bake as bakes
from deployments import rollout as module
from deployments.rollout import Rollout
from deployments.router.router import PREVIEW_HEADER, DrainResult
from evidence.statements import read_promotions
from gates.migrations.steps import Kind, Step
from gates.release.analysis import SlotCounters
from gates.release.operation import Version
from gates.release.verification import Usage
from gates.verdict import Action
from host import probe
from host.errors import HealthError, ToolError
from settings.environment import Strategy
from tests.deployments.stage import LEASE, Clock, Stage

FIRST = Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a")
TAKES = Step(revision="2", kind=Kind.CONTRACT, reason="ALTER TABLE a DROP COLUMN b")
Make = Callable[..., Stage]


@pytest.fixture
def make(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(probe, "TIMEOUT_S", 60.0)  # a loaded machine answers late
    return lambda **changed: Stage(tmp_path, httpserver, max_p95_seconds=60.0, **changed)


@pytest.fixture
def stage(make: Make) -> Stage:
    made = make()
    made.runtime.used = (Usage("web", 1, 100, 1.0, 1.0, 10.0),)
    return made


def begin(stage: Stage, version: Version, kind: str = "release") -> Rollout:
    return Rollout.begin(stage.place, LEASE, stage.artifact(version), kind, "run-1")


def test_a_release_begins_with_its_intent_in_the_idle_slot(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    secret = stage.place.preview_secret()
    rollout = begin(stage, new)
    assert (rollout.slot, rollout.before) == ("green", stage.live())
    assert stage.place.preview_secret() != secret
    entry = stage.place.journal.entries()[-1]
    about = {"digest": new.digest, "version": "new", "commit": new.commit}
    before = {"digest": old.digest, "version": "old", "commit": old.commit, "slot": "blue"}
    intent = {"id": rollout.id, "operation": "release", "slot": "green", "run": "run-1", "before": before}
    assert (entry.kind, entry.data, entry.epoch) == ("begin", {**intent, **about}, LEASE.epoch)
    assert begin(stage, new).id != rollout.id


def test_a_step_is_written_down_only_when_it_went_well(stage: Stage) -> None:
    rollout = begin(stage, stage.version("new"))
    with rollout.step("good"):
        pass
    with pytest.raises(ToolError):
        with rollout.step("bad"):
            raise ToolError("no")
    assert list(rollout.seconds) == ["good"]
    assert [step.name for step in stage.place.ledger().operations[-1].steps] == ["good"]


def test_tasks_run_before_anything_of_the_new_version_starts(stage: Stage) -> None:
    rollout = begin(stage, stage.version("new"))
    assert rollout.run_tasks() == "init: filled"
    assert stage.effects == ["tasks of new"]
    assert [step.name for step in stage.place.ledger().operations[-1].steps] == ["tasks"]


def test_a_task_that_fails_ends_the_step(stage: Stage) -> None:
    stage.runtime.task_error = "task init: it ended with exit code 1"
    rollout = begin(stage, stage.version("new"))
    with pytest.raises(ToolError, match="task init"):
        rollout.run_tasks()
    assert stage.place.ledger().operations[-1].steps == []


def test_a_runtime_without_containers_has_no_tasks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.runtime, "orchestrator", None)
    assert begin(stage, stage.version("new")).run_tasks() == "this runtime has no tasks"
    assert stage.effects == []


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_migration_leaves_behind_is_written_before_it_runs(stage: Stage, fails: bool) -> None:
    older, old = stage.version("older", [FIRST]), stage.version("old", [FIRST])
    stage.promote(older, "blue", "r0")
    stage.promote(old, "green", "r1")
    rollout = begin(stage, stage.version("new", [FIRST, TAKES]))
    stage.runtime.migrate_error = "no rights" if fails else ""
    if fails:
        with pytest.raises(ToolError, match="no rights"):
            rollout.migrate()
    else:
        assert rollout.migrate() == "migrated"
    migrating = next(entry for entry in stage.place.journal.entries() if entry.kind == "migrating")
    assert set(migrating.data["unsafe"]) == {older.digest, old.digest}
    assert stage.effects == ["migrate new"]
    kinds = ["migrating", "migration.failed"] if fails else ["migrating", "migrated", "step"]
    assert stage.kinds()[-len(kinds) :] == kinds
    assert set(stage.place.ledger().unsafe) == (set() if fails else {older.digest, old.digest})


def test_a_migration_that_expands_leaves_nothing_behind(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    begin(stage, stage.version("new", [FIRST])).migrate()
    assert stage.place.ledger().unsafe == {}


def test_where_nothing_is_live_any_more_nothing_is_left_behind(stage: Stage) -> None:
    stage.promote(stage.version("old", [FIRST]), "blue", "r0")
    stage.write("routed", routing={"version": "e2-1"}, live=None)
    begin(stage, stage.version("new", [FIRST, TAKES])).migrate()
    assert stage.place.ledger().unsafe == {}


def test_a_version_that_the_store_lost_keeps_no_release_from_its_migration(stage: Stage) -> None:
    lost = stage.version("lost", [FIRST])
    stage.promote(lost, "blue", "r0")
    stage.promote(stage.version("old", [FIRST]), "green", "r1")
    (stage.place.store.root / "artifacts" / f"{lost.digest}.json").unlink()
    assert begin(stage, stage.version("new", [FIRST])).migrate() == "migrated"


def test_what_is_left_behind_already_is_not_named_again(stage: Stage) -> None:
    older, old = stage.version("older", [FIRST]), stage.version("old", [FIRST])
    stage.promote(older, "blue", "r0")
    stage.promote(old, "green", "r1")
    stage.write("migrating", digest="d", unsafe={older.digest: "before"})
    begin(stage, stage.version("new", [FIRST, TAKES])).migrate()
    assert stage.place.ledger().unsafe[older.digest] == "before"
    migrating = [entry for entry in stage.place.journal.entries() if entry.kind == "migrating"][-1]
    assert set(migrating.data["unsafe"]) == {old.digest}


def test_blue_green_starts_beside_what_serves(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    begin(stage, stage.version("new")).start()
    assert stage.effects == ["stop green", "start new in green"]


def test_direct_stops_what_serves_first_and_counts_how_long_nothing_served(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make(strategy=Strategy.DIRECT, max_downtime_seconds=2.0)
    stage.promote(stage.version("old"), "blue", "r0")
    rollout = begin(stage, stage.version("new"))
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    rollout.start()
    assert stage.effects == ["stop blue", "stop green", "start new in green"]
    clock.sleep(2.0)
    rollout.switch()
    assert (rollout.down_s, rollout.too_long_down, rollout.downtime_from) == (2.0, "", None)
    clock.sleep(5.0)
    rollout.switch()
    assert rollout.down_s == 2.0
    rollout.down_s += 0.5
    assert rollout.too_long_down == "it was down for 2.5 s, limit 2 s (MAX_DOWNTIME_SECONDS)"
    assert stage.place.ledger().operations[-1].downtime_s == 2.0


def test_a_first_direct_release_has_nothing_to_stop(make: Make) -> None:
    stage = make(strategy=Strategy.DIRECT)
    rollout = begin(stage, stage.version("new"))
    rollout.start()
    assert stage.effects == ["stop blue", "start new in blue"] and rollout.downtime_from is None


def test_it_is_verified_through_the_preview_while_the_old_one_serves(stage: Stage) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    rollout = begin(stage, stage.version("new"))
    rollout.start()
    stage.server.clear_log()
    said = rollout.verify()
    assert stage.effects[-1] == "publish blue, preview green"
    assert said.startswith("/health answered 200, ok; smoke: the app names no smoke tests; fit: p95 of ")
    asked = {request.headers.get(PREVIEW_HEADER) for request, _ in stage.server.log}
    assert asked == {stage.place.preview_secret()}


@pytest.mark.parametrize(
    ("kind", "strategy", "verified", "public"),
    [
        ("release", Strategy.BLUE_GREEN, True, False),
        ("release", Strategy.DIRECT, False, True),
        ("rollback", Strategy.BLUE_GREEN, False, False),
        ("rollback", Strategy.DIRECT, False, False),
    ],
)
def test_figures_count_once_and_never_in_a_rollback(
    make: Make, kind: str, strategy: Strategy, verified: bool, public: bool
) -> None:
    stage = make(strategy=strategy)
    stage.runtime.used = (Usage("web", 1, 100, 1.0, 1.0, 10.0),)
    rollout = begin(stage, stage.version("new"), kind)
    rollout.start()
    assert ("; fit: " in rollout.verify()) is verified
    rollout.switch()
    stage.server.clear_log()
    assert ("; fit: " in rollout.check_public()) is public
    assert not any(PREVIEW_HEADER in request.headers for request, _ in stage.server.log)


def started(stage: Stage) -> Rollout:
    """Return a release whose version was started."""
    new = stage.version("new")
    rollout = begin(stage, new)
    stage.run(rollout.slot, new)
    return rollout


def bad(stage: Stage) -> Rollout:
    """Return a release of which the router counts only errors, five more at each look."""
    rollout = started(stage)
    stage.router.readings = [{}, *({rollout.slot: SlotCounters({"5xx": 5 * look})} for look in range(1, 4))]
    return rollout


ERRORS = "error rate 100.00% (15 of 15 requests) exceeds 1.00%"


def test_a_judgement_is_written_down(stage: Stage) -> None:
    verdict = bad(stage).bake()
    assert (verdict.action, verdict.reason) == (Action.ROLL_BACK, ERRORS)
    judged = stage.place.journal.entries()[-2]
    assert (judged.kind, judged.data) == ("judged", {"action": str(Action.ROLL_BACK), "reason": ERRORS})
    assert not stage.place.ledger().operations[-1].judged_good


def test_a_death_is_told_with_the_judgement(stage: Stage) -> None:
    rollout = bad(stage)
    stage.runtime.deaths[rollout.slot], stage.runtime.anew = "exit 3", "the engine restarted"
    assert rollout.bake().reason == "exit 3"


class Later(Clock):
    """A clock on which a death is noticed once somebody waited for it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.stage.runtime.deaths["blue"] = "exit 3"


@pytest.mark.parametrize(("path_status", "told"), [(500, "; exit 3"), (200, "")])
def test_the_death_of_a_silent_version_is_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch, path_status: int, told: str
) -> None:
    monkeypatch.setattr(bakes, "time", Clock())
    stage = make(bake_probes_per_second=2.0, bake_max_seconds=3.0, bake_seconds=0.5)
    stage.server.clear()
    stage.server.expect_request("/health").respond_with_data("", status=path_status)
    monkeypatch.setattr(module, "time", Later(stage))
    reason = started(stage).bake().reason
    assert reason.endswith(told) and ("exit 3" in reason) is bool(told)


def test_a_slot_that_was_started_anew_through_no_fault_of_its_own_is_not_judged(stage: Stage) -> None:
    rollout = bad(stage)
    stage.runtime.anew = "the engine restarted"
    with pytest.raises(ToolError) as failed:
        rollout.bake()
    assert str(failed.value) == f"{ERRORS}, but the engine restarted: nothing is known of {rollout.version}"
    assert "judged" not in stage.kinds()


GOOD = SlotCounters({"2xx": 20}, time_buckets_ms=((100, 20),))


def test_a_good_version_is_not_asked_why_it_died(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bakes, "time", Clock())
    stage = make(bake_probes_per_second=0.0)
    rollout = started(stage)
    stage.router.readings = [{}, {rollout.slot: GOOD}]
    stage.runtime.anew = "the engine restarted"
    assert rollout.bake().action is Action.PROMOTE and stage.place.ledger().operations[-1].judged_good


def test_a_good_version_whose_keeper_cannot_be_asked_is_not_promoted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bakes, "time", Clock())
    stage = make(bake_probes_per_second=0.0, bake_max_seconds=1.0, bake_seconds=0.5)
    rollout = started(stage)
    stage.router.readings = [{}, {rollout.slot: GOOD}]
    stage.runtime.silent = "no answer"
    verdict = rollout.bake()
    assert verdict.action is Action.WAIT and verdict.reason.endswith("the slot cannot be asked for: no answer")
    assert not stage.place.ledger().operations[-1].judged_good


@pytest.mark.parametrize("step", ["verify", "switch", "check_public"])
def test_no_step_counts_for_a_slot_that_was_started_again(stage: Stage, step: str) -> None:
    rollout = begin(stage, stage.version("new"))
    rollout.start()
    stage.runtime.generations[rollout.slot] = "2"
    with pytest.raises(HealthError, match="the new process is gone: exit 1, and started again"):
        getattr(rollout, step)()
    assert stage.router.routing is None or not stage.router.routing.weights


def test_nothing_is_sent_to_a_port_that_a_stranger_has(stage: Stage) -> None:
    rollout = begin(stage, stage.version("new"))
    rollout.start()
    stage.runtime.strangers = ["pid 7 (evil) listens"]
    with pytest.raises(HealthError, match="pid 7 .evil. listens"):
        rollout.switch()
    assert stage.router.routing is None


@pytest.mark.parametrize(
    ("kind", "clean", "effects", "said"),
    [
        ("release", True, [], "the old slot had no request left after 0.25 s"),
        ("release", False, ["restart blue"], "2 requests were still open after 0.5 s and were closed"),
        ("rollback", True, ["stop blue"], "the old slot had no request left after 0.25 s"),
        ("rollback", False, ["stop blue"], "2 requests were still open after 0.5 s and were closed"),
    ],
)
def test_the_old_slot_ends_its_requests(stage: Stage, kind: str, clean: bool, effects: list[str], said: str) -> None:
    stage.promote(stage.version("old"), "blue", "r0")
    if not clean:
        stage.router.drained = DrainResult(clean=False, seconds=0.5, still_active=2)
    assert begin(stage, stage.version("new"), kind).drain() == said
    assert stage.effects == ["drain blue for 0.5 s", *effects]


def test_where_no_old_version_runs_nothing_is_drained(stage: Stage) -> None:
    assert begin(stage, stage.version("new")).drain() == "no old version is running"
    stage.promote(stage.version("old"), "blue", "r0")
    stage.write("slot.stopped", slot="blue")
    assert begin(stage, stage.version("new")).drain() == "no old version is running"
    assert stage.effects == []


@pytest.mark.parametrize(
    ("kind", "outcome", "signed"),
    [
        ("release", "promoted", True),
        ("release", "restored", False),
        ("rollback", "rolled back", False),
        ("rollback", "promoted", False),
    ],
)
def test_only_a_promotion_by_a_release_is_signed(stage: Stage, kind: str, outcome: str, signed: bool) -> None:
    rollout = begin(stage, stage.version("new"), kind)
    rollout.end(outcome, "because")
    promotions = read_promotions(stage.place.store, stage.place.keys, rollout.version.digest)
    assert [one.release for one in promotions] == ([rollout.id] if signed else [])
    operation = stage.place.ledger().operations[-1]
    assert (operation.outcome, operation.reason) == (outcome, "because")
