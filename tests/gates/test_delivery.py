"""DORA's figures: what counts, what does not, and that no data is no figure."""

from datetime import UTC, datetime, timedelta

import pytest

from gates.delivery import (
    CI,
    DAILY,
    DEPLOYING,
    FAILURES,
    LEAD,
    RESTORE,
    REWORK_WITHIN,
    ROLLING_BACK,
    TESTS,
    Delivered,
    Deployment,
    Figure,
    Operation,
    Target,
    deployments_of,
    dora_figures,
    duration,
    first_arrivals,
    in_words,
    median,
    timing,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def release(number: int, outcome: str = "promoted", at: datetime | None = None, **more: object) -> Operation:
    began = at or NOON + number * timedelta(hours=1)
    kind = str(more.pop("kind", "release"))
    fields = {
        "id": f"op{number}",
        "kind": kind,
        "version": f"v{number}",
        "digest": f"{number:064x}",
        "commit": f"{number:040x}",
        "began": began,
        "took_traffic": began + MINUTE,
        "ended": began + 5 * MINUTE,
        "outcome": outcome,
    }
    return Operation(**{**fields, **more})  # type: ignore[arg-type]


def figures(*operations: Operation, arrivals: tuple[Delivered, ...] = (), days: float = 1) -> dict[str, Figure]:
    since = NOON - timedelta(hours=1)
    return {
        one.name: one for one in dora_figures(deployments_of(operations), arrivals, since, since + timedelta(days=days))
    }


def test_no_data_is_no_figure() -> None:
    for one in figures().values():
        assert one.value is None and one.met is None and one.note and in_words(one) == "no data"


def test_a_release_that_reached_nobody_is_no_deployment() -> None:
    blocked = release(1, "restored", took_traffic=None)
    assert deployments_of([blocked]) == []
    assert figures(blocked)["change failure rate"].value is None


def test_a_release_whose_downtime_was_felt_is_a_failed_deployment() -> None:
    (one,) = deployments_of([release(1, "restored", took_traffic=None, downtime_s=3.0)])
    assert one.failed and one.at == one.release.began


@pytest.mark.parametrize(
    ("outcome", "failed"), [("promoted", False), ("rolled back", True), ("restored", True), ("", False)]
)
def test_what_is_a_failure(outcome: str, failed: bool) -> None:
    (one,) = deployments_of([release(1, outcome)])
    assert bool(one.failed) is failed
    assert (one.restore_s == 240) is failed


def test_a_rollback_later_makes_the_release_before_it_a_failure() -> None:
    back = release(3, "rolled back", kind="rollback", took_traffic=NOON + timedelta(hours=3, seconds=30))
    first, second = deployments_of([release(1), release(2), back])
    assert not first.failed
    assert second.failed == "rolled back later"
    assert second.restore_s == 3600 - 60 + 30


def test_a_rollback_that_failed_or_came_after_another_release_blames_nobody() -> None:
    failed_back = release(2, "restored", kind="rollback")
    assert [bool(one.failed) for one in deployments_of([release(1), failed_back, release(3)])] == [False, False]
    later = release(4, "rolled back", kind="rollback")
    assert [bool(one.failed) for one in deployments_of([release(1), release(3), later])] == [False, True]


def test_a_failure_that_is_not_restored_has_no_time_to_restore_and_is_told() -> None:
    found = figures(release(1, "rolled back", ended=None), release(2, "rolled back"))
    assert found["time to restore"].samples == 1
    assert "1 not restored yet" in found["time to restore"].note


def test_rework_is_the_first_good_release_after_a_failure() -> None:
    found = deployments_of([release(1), release(2, "rolled back"), release(3), release(4)])
    assert [one.rework for one in found] == [False, False, True, False]


@pytest.mark.parametrize(("after", "rework"), [(REWORK_WITHIN, True), (REWORK_WITHIN + MINUTE, False)])
def test_rework_has_an_end(after: timedelta, rework: bool) -> None:
    second = release(2, at=NOON + after, took_traffic=NOON + MINUTE + after)
    assert deployments_of([release(0, "rolled back", at=NOON), second])[1].rework is rework


def test_the_five_figures() -> None:
    arrivals = tuple(Delivered(str(n), NOON, seconds) for n, seconds in enumerate((600.0, 1200.0, 7200.0)))
    found = figures(release(1), release(2, "rolled back"), release(3), release(4), arrivals=arrivals, days=2)
    assert found["lead time"].value == 1200
    assert found["change failure rate"].value == 0.25 and found["change failure rate"].met is False
    assert found["time to restore"].value == 240 and found["time to restore"].met
    assert found["rework rate"].value == 0.25
    frequency = found["deployment frequency"]  # over the time since the first deployment, not the whole window
    assert frequency.samples == 4 and frequency.value == pytest.approx(4 / ((46 * 60 - 61) / 60 / 24), rel=0.05)


def test_a_window_holds_its_beginning_and_not_its_end() -> None:
    since = NOON + timedelta(hours=1, minutes=1)
    inside, outside = release(1), release(2)
    found = dora_figures(deployments_of([inside, outside]), (), since, since + timedelta(hours=1))
    assert found[0].samples == 1


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (DAILY, 1.0, True),
        (DAILY, 0.99, False),
        (FAILURES, 0.05, True),
        (FAILURES, 0.051, False),
        (LEAD, 3600, True),
        (LEAD, 3601, False),
        (RESTORE, 1800, True),
        (RESTORE, 1801, False),
        (CI, 2100, True),
        (CI, 2101, False),
        (TESTS, 1500, True),
        (TESTS, 1501, False),
        (DEPLOYING, 600, True),
        (DEPLOYING, 601, False),
        (ROLLING_BACK, 300, True),
        (ROLLING_BACK, 301, False),
    ],
)
def test_targets_have_two_sides(target: object, value: float, met: bool) -> None:
    assert Figure("x", value, "", 1, target).met is met  # type: ignore[arg-type]


GRAPH = {
    "a": (1000, ()),
    "b": (2000, ("a",)),
    "c": (2500, ("a",)),
    "d": (3000, ("b", "c")),
    "e": (10**12, ("d",)),
}


def promoted(number: int, commit: str, ended_s: int, outcome: str = "promoted") -> Operation:
    return release(number, outcome, commit=commit, ended=datetime.fromtimestamp(ended_s, UTC))


def test_each_commit_arrives_once_and_the_first_release_brings_history() -> None:
    found, odd = first_arrivals([promoted(1, "a", 1500), promoted(2, "d", 4000), promoted(3, "d", 9000)], GRAPH)
    assert {one.commit: one.lead_s for one in found} == {"b": 2000, "c": 1500, "d": 1000}
    assert odd == 0


def test_a_commit_that_was_rolled_back_arrives_with_the_release_that_stays() -> None:
    operations = [promoted(1, "a", 1500), promoted(2, "d", 4000, "rolled back"), promoted(3, "d", 9000)]
    assert {one.lead_s for one in first_arrivals(operations, GRAPH)[0]} == {7000, 6500, 6000}


def test_dates_in_the_future_and_unknown_commits_have_no_lead_time() -> None:
    found, odd = first_arrivals([promoted(1, "a", 1500), promoted(2, "e", 4000), promoted(3, "zz", 5000)], GRAPH)
    assert {one.commit for one in found} == {"b", "c", "d"}
    assert odd == 1


@pytest.mark.parametrize(("values", "expected"), [([], None), ([3.0], 3), ([4, 1, 3, 2], 2.5), ([0, 10, 1], 1)])
def test_a_median_of_nothing_is_none(values: list[float], expected: float | None) -> None:
    assert median(values) == expected


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.99, "10.0 s"),
        (10, "10 s"),
        (119, "119 s"),
        (150, "2.5 min"),
        (7199, "120.0 min"),
        (120, "2.0 min"),
        (7200, "2.0 h"),
        (36000, "10.0 h"),
        (172799, "48.0 h"),
        (172800, "2.0 days"),
        (950400, "11.0 days"),
    ],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (Figure("x", 2.0, "/day", 1), "2.0 a day"),
        (Figure("x", 1.0, "/day", 1), "1.0 a day"),
        (Figure("x", 1.5, "/day", 1), "1.5 a day"),
        (Figure("x", 0.25, "/day", 1), "one in 4.0 days"),
        (Figure("x", 0.0312, "", 1), "3.1 %"),
        (Figure("x", 0.0, "", 4), "0.0 %"),
        (Figure("x", 1.0, "", 4), "100.0 %"),
        (timing("x", [], DEPLOYING, "none"), "no data"),
        (timing("x", [60, 90], DEPLOYING, "none"), "75 s"),
    ],
)
def test_figures_in_words(figure: Figure, said: str) -> None:
    assert in_words(figure) == said


def test_an_operation_that_goes_on_has_no_length() -> None:
    assert release(1, ended=None).seconds is None
    assert release(1).seconds == 300


def test_a_median_without_durations_says_why() -> None:
    assert timing("x", [], DEPLOYING, "none yet") == Figure("x", None, "s", 0, DEPLOYING, "none yet")
    assert timing("x", [60, 90, 300], DEPLOYING, "none yet") == Figure("x", 90, "s", 3, DEPLOYING, "")


def test_a_figure_without_a_target_meets_none() -> None:
    assert Figure("x", 1.0, "", 1).met is None
    assert Figure("x", None, "", 0, Target(1.0, True, "daily")).met is None


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (timedelta(0), MINUTE, 1),
        (timedelta(seconds=1), MINUTE, 0),
        (-MINUTE, timedelta(0), 0),
        (-MINUTE, timedelta(seconds=1), 1),
    ],
)
def test_a_deployment_and_an_arrival_are_counted_in_one_window_only(
    since: timedelta, until: timedelta, count: int
) -> None:
    one = release(1)
    made = deployments_of([one])
    at = made[0].at
    found = dora_figures(made, [Delivered("a", at, 60.0)], at + since, at + until)
    assert [figure.samples for figure in found[:2]] == [count, count]


@pytest.mark.parametrize(
    ("days", "age", "frequency"),
    [
        (10, timedelta(days=4), 1 / 4),  # younger than the window: over its age
        (10, timedelta(hours=1), 1.0),  # but over a day at least
        (0.5, timedelta(hours=1), 2.0),  # or over the window, when that is shorter still
        (10, timedelta(days=10), 1 / 10),
    ],
)
def test_a_frequency_is_over_the_time_in_which_it_could_be_released(
    days: float, age: timedelta, frequency: float
) -> None:
    until = NOON + age
    made = [Deployment(release(1), NOON)]
    assert dora_figures(made, (), until - timedelta(days=days), until)[0].value == pytest.approx(frequency)


def test_an_older_installation_is_asked_for_the_whole_window() -> None:
    until = NOON + timedelta(days=30)
    made = [Deployment(release(1), NOON), Deployment(release(2), until - timedelta(days=1))]
    assert dora_figures(made, (), until - timedelta(days=8), until)[0].value == pytest.approx(1 / 8)


def test_each_figure_says_what_it_rests_on_and_what_is_missing() -> None:
    empty = [
        ("deployment frequency", None, "/day", 0, DAILY, "nothing was deployed in this time"),
        ("lead time", None, "s", 0, LEAD, "no commit with a known date arrived"),
        ("change failure rate", None, "", 0, FAILURES, "nothing was deployed in this time"),
        ("time to restore", None, "s", 0, RESTORE, "no failure was restored"),
        ("rework rate", None, "", 0, None, "nothing was deployed in this time"),
    ]
    assert list(figures().values()) == [Figure(*fields) for fields in empty]
    full = figures(release(1, "rolled back"), arrivals=(Delivered("a", NOON, 60.0),))
    assert [one.note for one in full.values()] == [""] * 5
    assert [one.samples for one in full.values()] == [1] * 5


def test_a_failure_that_is_not_restored_is_no_figure() -> None:
    found = figures(release(1, "rolled back", ended=None))["time to restore"]
    assert (found.value, found.note) == (None, "no failure was restored")


def test_what_did_not_fail_has_no_time_to_restore() -> None:
    assert Deployment(release(1), NOON, restored=NOON + MINUTE).restore_s is None
    assert Deployment(release(1), NOON, "rolled back later", NOON + MINUTE).restore_s == 60


@pytest.mark.parametrize("downtime_s", [0.0, 0.5])
def test_any_downtime_is_felt(downtime_s: float) -> None:
    assert len(deployments_of([release(1, took_traffic=None, downtime_s=downtime_s)])) == (downtime_s > 0)


def test_a_release_has_no_downtime_unless_told() -> None:
    plain = Operation("op1", "release", "v1", "d", "c", NOON)
    assert deployments_of([plain]) == []


def test_only_a_promoted_release_repairs_a_failure_or_ends_the_debt() -> None:
    broken, cut_off, good = release(1, "rolled back"), release(2, ""), release(3)
    assert [one.rework for one in deployments_of([broken, cut_off, good])] == [False, False, True]
    assert [one.rework for one in deployments_of([broken, release(2, "restored"), good])] == [False, False, True]


@pytest.mark.parametrize(
    ("between", "failed"),
    [
        ([], "rolled back later"),
        ([("release", "promoted")], ""),
        ([("release", "rolled back")], "rolled back later"),
        ([("release", "")], "rolled back later"),
        ([("rollback", "restored")], "rolled back later"),
        ([("rollback", "promoted")], "rolled back later"),
    ],
)
def test_only_a_promoted_release_in_between_takes_the_blame(between: list[tuple[str, str]], failed: str) -> None:
    middle = [release(2, outcome, kind=kind) for kind, outcome in between]
    back = release(3, "rolled back", kind="rollback")
    assert deployments_of([release(1), *middle, back])[0].failed == failed


@pytest.mark.parametrize("outcome", ["", "restored"])
def test_a_release_that_was_not_promoted_is_not_rolled_back_later(outcome: str) -> None:
    first = deployments_of([release(1, outcome), release(2, "rolled back", kind="rollback")])[0]
    assert first.failed == ("could not be finished" if outcome else "")


@pytest.mark.parametrize(("took", "ended"), [(True, True), (False, True), (True, False), (False, False)])
def test_a_rollbacks_traffic_is_the_restoration_else_its_end(took: bool, ended: bool) -> None:
    traffic = NOON + timedelta(hours=2) if took else None
    end = NOON + timedelta(hours=3) if ended else None
    back = release(2, "rolled back", kind="rollback", took_traffic=traffic, ended=end)
    assert deployments_of([release(1), back])[0].restored == (traffic or end)


def test_rework_is_only_what_the_window_holds() -> None:
    since = NOON + timedelta(hours=3)
    made = deployments_of([release(1, "rolled back"), release(2), release(3), release(4)])
    assert [one.rework for one in made] == [False, True, False, False]
    assert dora_figures(made, (), since, since + timedelta(days=1))[4].value == 0


@pytest.mark.parametrize(("kind", "ended"), [("rollback", 4000), ("release", None)])
def test_only_a_release_that_ended_brings_commits(kind: str, ended: int | None) -> None:
    end = datetime.fromtimestamp(ended, UTC) if ended else None
    other = release(2, "promoted", commit="d", kind=kind, ended=end)
    found, odd = first_arrivals([promoted(1, "a", 1500), other, promoted(3, "d", 9000)], GRAPH)
    assert ({one.lead_s for one in found}, odd) == ({7000, 6500, 6000}, 0)


@pytest.mark.parametrize(("ended_s", "lead", "odd"), [(2000, [0.0], 0), (1999, [], 1), (2001, [1.0], 0)])
def test_a_commit_that_is_dated_after_its_arrival_is_left_out(ended_s: int, lead: list[float], odd: int) -> None:
    found, left = first_arrivals([promoted(1, "a", 1500), promoted(2, "b", ended_s)], GRAPH)
    assert ([one.lead_s for one in found], left) == (lead, odd)
