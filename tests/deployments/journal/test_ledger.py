from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.journal.entries import EVENTS, Entry
from deployments.journal.ledger import Ledger, read_ledger
from gates.release.operation import Operation, Remark, Version
from host.errors import JournalError
from host.ports import LOCAL, Endpoint

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE, TWO, THREE = (Version(str(number) * 64, f"v{number}", str(number) * 40) for number in (1, 2, 3))
HOUR = timedelta(hours=1)


@dataclass
class Story:
    """Writes the entries that releases and rollbacks write (deployments/rollout.py); one second apart."""

    entries: list[Entry] = field(default_factory=list)
    epoch: int = 0
    live: dict[str, Any] | None = None

    def add(self, kind: str, **data: Any) -> "Story":
        number = len(self.entries) + 1
        at = (START + timedelta(seconds=number)).isoformat(timespec="milliseconds")
        self.entries.append(Entry(number, at, self.epoch, kind, data, "", ""))
        return self

    def data(self, version: Version) -> dict[str, Any]:
        return {"digest": version.digest, "version": version.version, "commit": version.commit}

    def begin(self, version: Version, slot: str, operation: str = "release", id: str = "") -> "Story":
        self.epoch += 1
        id = id or f"op{self.epoch}"
        data = {**self.data(version), "operation": operation, "slot": slot, "run": f"run-{id}", "before": self.live}
        return self.add("begin", id=id, **data)

    def start(self, version: Version, slot: str, port: int) -> "Story":
        self.stop(slot)
        data = {"slot": slot, "digest": version.digest, "port": port}
        return self.add("slot.starting", **data).add("slot.started", **data).step("start", 1.5)

    def stop(self, slot: str) -> "Story":
        return self.add("slot.stopping", slot=slot).add("slot.stopped", slot=slot)

    def step(self, name: str, seconds: float) -> "Story":
        return self.add("step", name=name, seconds=seconds)

    def route(self, version: Version | None, slot: str = "", preview: str | None = None) -> "Story":
        live = {**self.data(version), "slot": slot} if version else None
        routing = {"version": f"e{self.epoch}-{len(self.entries)}", "preview_slot": preview}
        self.add("routing", routing=routing, live=live)
        self.live = live
        return self.add("routed", routing=routing, live=live, seconds=0.005)

    def judge(self, action: str) -> "Story":
        return self.add("judged", action=action, reason="figures")

    def end(self, outcome: str, id: str = "") -> "Story":
        return self.add("end", id=id or f"op{self.epoch}", outcome=outcome, reason="because")

    def release(self, version: Version, slot: str, port: int = 9000) -> "Story":
        self.begin(version, slot).step("install", 0.1).start(version, slot, port)
        return self.route(version, slot).judge("promote").step("drain", 0.2).end("promoted")

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.entries)


def whole_story() -> Story:
    """Three releases, one of them bad, a rollback, questions, an interruption and what a newer Slipway might write."""
    story = Story().release(ONE, "blue", 9001)
    story.add(
        "question", id="q1", run="r1", deployment="release/prod", parameters={"version": None}, pid=7, started=1.5
    )
    story.entries[-1] = with_data(story.entries[-1], expires=(START + HOUR).isoformat())
    story.add("answer", id="q1", ruling="accepted", reason="Robin").release(TWO, "green", 9002)
    story.begin(THREE, "blue").start(THREE, "blue", 9003).route(TWO, "green", preview="blue").route(THREE, "blue")
    story.judge("roll back").add("condemned", digest=THREE.digest, reason="error rate")
    story.route(TWO, "green").stop("blue").route(TWO, "green").end("rolled back")
    story.begin(ONE, "blue", "rollback").start(ONE, "blue", 9004).route(ONE, "blue")
    story.add("condemned", digest=TWO.digest, reason="by hand").stop("green").end("rolled back")
    story.add("freeze", until="2027-01-01", by={"deep": [1]})
    return story.begin(THREE, "green").start(THREE, "green", 9005)


def with_data(entry: Entry, **more: Any) -> Entry:
    data: Mapping[str, Any] = {**entry.data, **more}
    return Entry(entry.seq, entry.at, entry.epoch, entry.kind, data, entry.prev, entry.hash)


def timed(operation: Operation) -> list[tuple[str, float]]:
    return [(step.name, step.seconds) for step in operation.steps]


def test_an_empty_journal_is_an_empty_place() -> None:
    ledger = read_ledger([])
    assert ledger == Ledger()
    assert (ledger.live, ledger.unfinished, ledger.idle_slot, ledger.warm(HOUR)) == (None, None, "blue", None)


def test_a_first_release_is_live() -> None:
    ledger = Story().release(ONE, "blue", 9001).ledger
    assert ledger.live and (ledger.live.version, ledger.live.slot) == (ONE, "blue")
    assert ledger.slots["blue"].endpoints == (Endpoint(LOCAL, 9001),) and ledger.slots["blue"].running
    assert (ledger.promoted, ledger.idle_slot, ledger.unfinished) == ([ONE.digest], "green", None)
    assert ledger.versions == {ONE.digest: ONE}
    (operation,) = ledger.operations
    assert (operation.outcome, operation.reason, operation.switched) == ("promoted", "because", True)
    assert operation.before is None and timed(operation) == [("install", 0.1), ("start", 1.5), ("drain", 0.2)]
    assert operation.took_traffic == ledger.live.since
    assert [step.ended for step in operation.steps][0] == START + timedelta(seconds=2)
    assert operation.remarks == [Remark("judged", START + timedelta(seconds=10), "figures")]
    assert ledger.routing and ledger.epoch == 1


def test_every_prefix_can_be_added_up_and_a_restart_adds_up_to_the_same() -> None:
    entries = whole_story().entries
    assert len(entries) > 60
    for length in range(len(entries) + 1):
        ledger = read_ledger(entries[:length])
        assert ledger == read_ledger(entries[:length])
        assert ledger.entries == length
        assert ledger.idle_slot in ("blue", "green")
        assert not ledger.live or ledger.idle_slot != ledger.live.slot
        ledger.warm(HOUR)
        assert sum(one.outcome is None for one in ledger.operations) <= 1
        assert set(ledger.promoted) <= set(ledger.versions)


def test_the_whole_story_adds_up() -> None:
    ledger = whole_story().ledger
    assert ledger.live and (ledger.live.version, ledger.live.slot) == (ONE, "blue")
    assert ledger.promoted == [ONE.digest, TWO.digest]
    assert ledger.condemned == {THREE.digest: "error rate", TWO.digest: "by hand"}
    assert [one.outcome for one in ledger.operations] == ["promoted", "promoted", "rolled back", "rolled back", None]
    assert ledger.unfinished and ledger.unfinished.version == THREE and ledger.unfinished.before == ledger.live
    assert ledger.questions == {} and ledger.epoch == 5


def test_live_since_is_when_the_version_got_the_traffic_and_not_when_it_was_told_again() -> None:
    story = Story().release(ONE, "blue")
    since = story.ledger.live
    assert since
    story.route(ONE, "blue", preview="green").route(ONE, "blue")
    assert story.ledger.live == since
    story.route(ONE, "green")  # the same version elsewhere
    again = story.ledger.live
    assert again and (again.slot, again.since) == ("green", since.since)
    story.route(TWO, "blue")
    other = story.ledger.live
    assert other and other.version == TWO and other.since > since.since


def test_a_preview_is_not_a_switch() -> None:
    story = Story().release(ONE, "blue").begin(TWO, "green").start(TWO, "green", 9002)
    assert story.ledger.unfinished and not story.ledger.unfinished.switched
    story.route(ONE, "blue", preview="green")
    assert story.ledger.unfinished and not story.ledger.unfinished.switched
    story.route(TWO, "green")
    assert story.ledger.unfinished and story.ledger.unfinished.switched


@pytest.mark.parametrize("operation", ["release", "rollback"])
def test_once_the_traffic_is_taken_back_it_is_not_switched_any_more(operation: str) -> None:
    """Killed while it restores, a rollback must not be finished: that would stop the slot that serves."""
    story = Story().release(ONE, "blue").begin(TWO, "green", operation).start(TWO, "green", 9002).route(TWO, "green")
    story.route(ONE, "blue")
    assert story.ledger.unfinished and not story.ledger.unfinished.switched


def test_a_place_can_be_emptied_again() -> None:
    story = (
        Story().begin(ONE, "blue").start(ONE, "blue", 9001).route(ONE, "blue").route(None).stop("blue").end("restored")
    )
    ledger = story.ledger
    assert ledger.live is None and not ledger.slots["blue"].running and ledger.promoted == []


def test_what_was_restored_is_not_promoted() -> None:
    story = Story().release(ONE, "blue").begin(TWO, "green").end("restored")
    assert story.ledger.promoted == [ONE.digest] and story.ledger.unfinished is None


@pytest.mark.parametrize(("action", "good"), [("promote", True), ("roll back", False), ("wait", False)])
def test_only_a_promotion_is_judged_good(action: str, good: bool) -> None:
    story = Story().begin(ONE, "blue").judge(action)
    assert story.ledger.unfinished and story.ledger.unfinished.judged_good is good


def test_the_promotion_is_the_release_of_what_is_live() -> None:
    story = Story()
    assert story.ledger.promotion is None
    story.release(ONE, "blue")
    promotion = story.ledger.promotion
    assert promotion and (promotion.version, promotion.id) == (ONE, "op1")
    story.begin(TWO, "green")
    assert story.ledger.promotion is None  # under way
    story.end("restored")
    assert story.ledger.promotion is None


def test_the_release_of_what_is_not_live_any_more_is_no_promotion() -> None:
    story = Story().release(ONE, "blue").release(TWO, "green")
    assert story.ledger.promotion and story.ledger.promotion.version == TWO
    assert story.route(ONE, "blue").ledger.promotion is None
    assert story.route(None).ledger.promotion is None


def test_judgements_and_steps_outside_of_an_operation_belong_to_none() -> None:
    story = Story().judge("promote").step("drain", 1.0).release(ONE, "blue").judge("roll back").step("drain", 9.0)
    (operation,) = story.ledger.operations
    assert operation.judged_good and ("drain", 9.0) not in timed(operation)


def test_downtime_is_added_up() -> None:
    story = Story().begin(ONE, "blue").add("step", name="down", seconds=1.5, downtime_s=1.5)
    story.add("step", name="down", seconds=0.5, downtime_s=0.5).step("drain", 3.0).end("promoted")
    assert story.ledger.operations[0].downtime_s == 2.0


def test_an_end_counts_once_and_only_for_its_operation() -> None:
    story = Story().release(ONE, "blue").end("rolled back").end("promoted", id="nobody's")
    assert [one.outcome for one in story.ledger.operations] == ["promoted"]
    assert story.ledger.promoted == [ONE.digest]


def test_an_intent_to_route_is_not_yet_what_is_live() -> None:
    story = Story().release(ONE, "blue").begin(TWO, "green")
    story.add("routing", routing={"version": "x"}, live={**story.data(TWO), "slot": "green"})
    assert story.ledger.live and story.ledger.live.version == ONE


def test_stopping_a_slot_that_never_ran_is_nothing() -> None:
    assert Story().stop("green").ledger.slots == {}


def test_the_old_slot_is_warm_until_its_window_ends() -> None:
    story = Story().release(ONE, "blue").release(TWO, "green")
    ended = story.ledger.operations[-1].ended
    assert ended and story.ledger.warm(HOUR) == ("blue", ended + HOUR)
    assert story.ledger.warm(timedelta(0)) == ("blue", ended)
    assert story.stop("blue").ledger.warm(HOUR) is None


def test_nothing_is_warm_after_a_first_release() -> None:
    assert Story().release(ONE, "blue").ledger.warm(HOUR) is None


def test_the_idle_slot_of_an_unfinished_operation_is_not_a_warm_old_version() -> None:
    story = Story().release(ONE, "blue").release(TWO, "green")
    story.begin(THREE, "blue").start(THREE, "blue", 9003)
    assert story.ledger.warm(timedelta(0)) is None
    story.route(THREE, "blue")
    assert story.ledger.warm(timedelta(0)) is None
    story.judge("promote").end("promoted")
    warm = story.ledger.warm(timedelta(0))
    assert warm and warm[0] == "green"


def test_a_question_stands_until_it_is_answered() -> None:
    story = whole_story()
    asked = read_ledger(story.entries[: next(i for i, e in enumerate(story.entries, 1) if e.kind == "question")])
    (question,) = asked.questions.values()
    assert (question.id, question.run, question.deployment) == ("q1", "r1", "release/prod")
    assert question.expires == START + HOUR and question.parameters == {"version": None}
    assert story.add("answer", id="another", ruling="accepted", reason="").ledger.questions == {}


def test_unknown_kinds_are_passed_over_but_counted() -> None:
    story = Story().release(ONE, "blue")
    before = story.ledger
    story.epoch = 40
    story.add("canary.weight", weight=10).add("", nothing=None)
    after = story.ledger
    assert (after.live, after.promoted, after.operations) == (before.live, before.promoted, before.operations)
    assert (after.entries, after.epoch) == (before.entries + 2, 40)


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("begin", {}, "id: "),
        ("begin", {"id": "op2", "operation": "release", "slot": "blue", "run": ""}, "digest: "),
        ("routed", {"routing": {}, "live": 5}, "live: "),
        ("routed", {"routing": {}}, "live: "),
        ("routed", {"routing": {}, "live": {"digest": "1"}}, "live.version: "),
        ("slot.starting", {"slot": [], "digest": "1", "port": 1}, "slot: "),
        ("slot.stopped", {}, "slot: "),
        ("step", {"name": "drain", "seconds": "some"}, "seconds: "),
        ("condemned", {"digest": "1"}, "reason: "),
        ("end", {"id": "op1"}, "outcome: "),
        ("migrating", {"digest": "1", "unsafe": "text"}, "unsafe: "),
        ("schema.restored", {"safe": None}, "safe: "),
        ("answer", {}, "id: "),
        ("reported", {"id": 1, "state": None}, "id: "),
    ],
)
def test_a_sound_entry_with_wrong_data_is_named_and_stops_everything(kind: str, data: dict[str, Any], why: str) -> None:
    story = Story().begin(ONE, "blue").add(kind, **data)
    with pytest.raises(JournalError) as told:
        read_ledger(story.entries)
    assert str(told.value).startswith(f"journal entry 2 ({kind}) cannot be read ({why}")
    assert str(told.value).endswith(
        "nothing is done here until a person has looked: docs/operations.md, 'A damaged journal'"
    )


def test_a_restore_does_not_make_it_forget_when_the_traffic_came_first() -> None:
    story = Story().release(ONE, "blue").begin(TWO, "green").start(TWO, "green", 9002).route(TWO, "green")
    first = story.ledger.operations[-1].took_traffic
    assert first == START + timedelta(seconds=len(story.entries))
    story.route(ONE, "blue").route(TWO, "green")
    assert story.ledger.operations[-1].took_traffic == first


def test_what_never_served_took_no_traffic() -> None:
    story = Story().release(ONE, "blue").begin(TWO, "green").route(ONE, "blue", preview="green").end("restored")
    assert story.ledger.operations[-1].took_traffic is None


def test_an_answer_completes_its_question_once() -> None:
    story = Story()
    question = {"id": "q1", "run": "r1", "deployment": "", "parameters": {}, "pid": 7, "started": 1.5}
    story.add("question", **question, expires=(START + HOUR).isoformat())
    story.add("answer", id="q1", ruling="rejected", reason="Robin").add("answer", id="q1", ruling="expired", reason="")
    (approval,) = story.ledger.approvals
    assert (approval.run, approval.ruling, approval.waited_s) == ("r1", "rejected", 1.0)


def test_a_change_says_what_its_entry_is_about() -> None:
    story = (
        Story().release(ONE, "blue").step("late", 1.0).end("promoted", id="nobody's").add("canary.weight", weight=10)
    )
    ledger = Ledger()
    changes = [ledger.add(entry) for entry in story.entries]
    subjects = {(change.entry.kind, change.subject is not None) for change in changes[:-3] if change}
    assert ("slot.starting", False) in subjects and ("begin", True) in subjects and ("end", True) in subjects
    assert [change and change.subject for change in changes[-3:]] == [None, None, None] and changes[-1] is None


def test_a_word_of_a_newer_slipway_ends_an_operation_and_promotes_nothing() -> None:
    ledger = Story().begin(ONE, "blue", "experiment").route(ONE, "blue").end("superseded").ledger
    assert (ledger.unfinished, ledger.promoted, ledger.operations[0].outcome) == (None, [], "superseded")


def test_what_was_reported_is_remembered() -> None:
    assert Story().add("reported", id="op1", state=None).ledger.reported == {"op1"}


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("routed", {"routing": {"version": 5}, "live": None}, "routing: "),
        ("routed", {"routing": {"weights": {}}, "live": None}, "routing: "),
        ("routed", {"routing": "e1-2", "live": None}, "routing: "),
        ("slot.starting", {"slot": "blue", "digest": "1", "port": {}}, "port."),
        ("slot.starting", {"slot": "blue", "digest": "1", "port": ["nowhere"]}, "port: "),
        (
            "question",
            {**dict.fromkeys(("id", "run", "deployment", "digest"), "q"), "parameters": {}, "pid": 1, "started": 1.0}
            | {"expires": "2026-03-01T13:00:00"},
            "expires: ",
        ),
    ],
)
def test_what_would_fail_later_is_refused_when_it_is_read(kind: str, data: dict[str, Any], why: str) -> None:
    with pytest.raises(JournalError) as told:
        read_ledger(Story().begin(ONE, "blue").add(kind, **data).entries)
    assert f"cannot be read ({why}" in str(told.value)


NAMES = (
    *(
        "id",
        "operation",
        "slot",
        "run",
        "digest",
        "version",
        "commit",
        "before",
        "outcome",
        "reason",
        "name",
        "seconds",
    ),
    *(
        "routing",
        "live",
        "port",
        "parameters",
        "expires",
        "pid",
        "started",
        "ruling",
        "unsafe",
        "safe",
        "seed",
        "state",
    ),
)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["blue", START.isoformat()]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=5,
)


@pytest.mark.fuzz
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*map(str, EVENTS), "of a newer version"]),
            st.dictionaries(st.sampled_from(NAMES), DATA, max_size=8),
        ),
        max_size=4,
    )
)
def test_whatever_sound_entries_hold_they_are_folded_or_refused(entries: list[tuple[str, dict[str, Any]]]) -> None:
    story = Story().begin(ONE, "blue").start(ONE, "blue", 9001).route(ONE, "blue")
    for kind, data in entries:
        story.add(kind, **data)
    try:
        ledger = read_ledger(story.entries)
    except JournalError as error:
        assert "cannot be read" in str(error)
        return
    ledger.warm(HOUR)
    assert ledger.idle_slot and (ledger.promotion is None or ledger.live)
    assert ledger.routing is None or isinstance(ledger.routing.get("version", ""), str)
