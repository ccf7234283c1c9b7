"""DORA's figures: what counts, what does not, and that no data is no figure."""

from datetime import UTC, datetime, timedelta

import pytest

from gates.delivery import (
    DAILY,
    DEPLOYING,
    FAILURES,
    LEAD,
    REWORK_WITHIN,
    Delivered,
    Figure,
    Operation,
    deployments_of,
    duration,
    first_arrivals,
    five,
    in_words,
    quantile,
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
    return {one.name: one for one in five(deployments_of(operations), arrivals, since, since + timedelta(days=days))}


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
    found = five(deployments_of([inside, outside]), (), since, since + timedelta(hours=1))
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


@pytest.mark.parametrize(
    ("values", "q", "wanted"), [([], 0.5, None), ([3.0], 0.9, 3), ([1, 2, 3, 4], 0.5, 2.5), ([0, 10], 0.25, 2.5)]
)
def test_quantiles(values: list[float], q: float, wanted: float | None) -> None:
    assert quantile(values, q) == wanted


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.99, "10.0 s"),
        (10, "10 s"),
        (119, "119 s"),
        (120, "2.0 min"),
        (7200, "2.0 h"),
        (172800, "2.0 days"),
    ],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (Figure("x", 2.0, "/day", 1), "2.0 a day"),
        (Figure("x", 0.25, "/day", 1), "one in 4.0 days"),
        (Figure("x", 0.0312, "", 1), "3.1 %"),
        (Figure("x", 0.0, "", 4), "0.0 %"),
        (timing("x", [], DEPLOYING, "none"), "no data"),
        (timing("x", [60, 90], DEPLOYING, "none"), "75 s"),
    ],
)
def test_figures_in_words(figure: Figure, said: str) -> None:
    assert in_words(figure) == said
