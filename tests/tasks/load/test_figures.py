from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.history import Record
from gates.check import Check, Outcome
from gates.checks.contention import Waited
from gates.checks.load_pairs import Asked, Rules, Versus, compare_sides
from gates.checks.performance import load_measures
from settings.pipeline import Performance
from tasks.load.figures import (
    Measured,
    as_json,
    figures,
    limits_of,
    notes_on,
    read_trends,
    stated_load,
    trend_data,
    trend_of,
)
from tasks.load.page import draw_load, load_page
from tasks.load.processes import Sample
from tasks.load.records import Ending, Recorded, Request

PERFORMANCE = Performance(locustfile="locustfile.py", users=2, cpu_cores=2)
ENDING = Ending(
    requests=200,
    users=2,
    started_at=1000.0,
    full_load_at=1001.0,
    stopped_at=1010.0,
    user_errors=0,
    first_user_error="",
    first_failure="",
)
REQUESTS = [Request(1000 + number / 20, "GET", "/|x", 1.0 + number, number != 7) for number in range(200)]


def samples(app: float = 0.5, load: float = 0.2, database: float = 0.1, machine: float = 0.9) -> list[Sample]:
    """Four a second from 999 to 1011; processors used by each, all of it after everybody was there."""
    times = [999 + number / 4 for number in range(49)]
    used = [max(0.0, time - 1001) for time in times]
    return [
        Sample(time, app * s, load * s, database * s, machine * s, 50_000_000 + int(s * 1_000_000))
        for time, s in zip(times, used, strict=True)
    ]


MEASURED = Measured(Recorded(REQUESTS, ENDING), samples(), load_before=0.1, processors=2)


def test_the_figures_are_those_under_full_load() -> None:
    seen = figures(MEASURED, PERFORMANCE)
    assert (seen.requests, seen.failed, seen.users) == (200, 1, 2)
    assert seen.p95_s == pytest.approx(0.190)
    assert seen.cpu_percent == pytest.approx(25)  # half a processor of two
    assert seen.memory_mb == pytest.approx(60)
    assert MEASURED.used() == pytest.approx((0.5, 0.2, 0.1))


def test_users_who_were_never_all_there_give_no_processor_time() -> None:
    ending = ENDING.model_copy(update={"full_load_at": 0.0})
    seen = figures(replace(MEASURED, recorded=Recorded(REQUESTS, ending)), PERFORMANCE)
    assert seen.cpu_percent is None and seen.users == 0
    reasons = [one.reason for one in load_measures(seen, limits_of(PERFORMANCE)) if one.value is None]
    assert reasons == ["it was looked at for less than 50% of the time in which all users were there"]


@pytest.mark.parametrize(
    ("times", "known"),
    [([], False), ([1001], False), ([1001, 1005.25], False), ([1001, 1005.5], True), ([1003, 1004, 1009], True)],
)
def test_samples_of_less_than_half_the_time_give_no_processor_time(times: list[float], known: bool) -> None:
    within = [one for one in samples() if one.at in times]
    assert (figures(replace(MEASURED, samples=within), PERFORMANCE).cpu_percent is not None) is known


def test_a_trend_survives_being_remembered(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text("x")
    made = trend_of(MEASURED, PERFORMANCE, tmp_path / "locustfile.py")
    assert made is not None
    assert made.quantiles_s["95"] == pytest.approx(0.19)
    (tmp_path / "trend").write_text(as_json(made))
    assert (tmp_path / "trend").stat().st_size < 5000
    data = trend_data(tmp_path / "trend")
    record = Record("load", "main", "0" * 40, "run", datetime.now(UTC), data)
    foreign = replace(record, data={"format": 1})
    assert read_trends([foreign, record]) == [made]


def test_another_locustfile_or_ramp_is_another_load(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("x")
    two.write_text("y")
    first = stated_load(PERFORMANCE, one)
    assert first == stated_load(PERFORMANCE, one)
    assert first != stated_load(PERFORMANCE, two)
    assert first != stated_load(PERFORMANCE.model_copy(update={"users": 3}), one)


def test_without_a_request_there_is_no_trend(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text("x")
    none = replace(MEASURED, recorded=Recorded([], ENDING))
    assert trend_of(none, PERFORMANCE, tmp_path / "locustfile.py") is None


@pytest.mark.parametrize(("milliseconds", "good", "late"), [(1999, False, 0), (2000, False, 1), (2000, True, 0)])
def test_a_failed_request_that_took_too_long_is_late(milliseconds: float, good: bool, late: int) -> None:
    one = Request(1005.0, "GET", "/slow", milliseconds, good)
    assert figures(replace(MEASURED, recorded=Recorded([*REQUESTS, one], ENDING)), PERFORMANCE).late == late


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (replace(MEASURED, load_before=1.0), ""),
        (replace(MEASURED, load_before=1.01), "the machine was busy before: load average 1.01 on 2 processors"),
        (replace(MEASURED, samples=samples(machine=1.29)), ""),
        (replace(MEASURED, samples=samples(machine=1.31)), "other processes used 0.51 of 2 processors"),
        (replace(MEASURED, waited=[Waited(0.25, "PSI")]), ""),
        (replace(MEASURED, waited=[Waited(0.5, "PSI")]), "others kept it waiting up to 50% of the time (PSI)"),
        (replace(MEASURED, samples=samples(load=0.79)), ""),
        (replace(MEASURED, samples=samples(load=0.81)), "locust itself used 81% of a processor"),
    ],
)
def test_contention_is_told(measured: Measured, told: str) -> None:
    notes = notes_on(measured, PERFORMANCE)
    assert len(notes) == bool(told) and told in "".join(notes)


def test_an_endpoint_slow_by_itself_is_told() -> None:
    rare = [Request(1005.0, "POST", "/report", 2000.0, True)] * 20
    notes = notes_on(replace(MEASURED, recorded=Recorded(REQUESTS + rare, ENDING)), PERFORMANCE)
    assert notes == ["POST /report: p95 2 s by itself, over 20 requests"]
    assert not notes_on(replace(MEASURED, recorded=Recorded(REQUESTS + rare[1:], ENDING)), PERFORMANCE)


def test_the_page_shows_the_picture_and_outside_text_cannot_break_it(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text("x")
    made = trend_of(MEASURED, PERFORMANCE, tmp_path / "locustfile.py")
    picture = draw_load(MEASURED, PERFORMANCE, [made] if made else [])
    assert picture.startswith(b"\x89PNG") and len(picture) < 200_000
    measures = load_measures(figures(MEASURED, PERFORMANCE), limits_of(PERFORMANCE))
    check = Check(name="load", outcome=Outcome.PASSED, reason="a | b", measures=measures, notes=("<b>",))
    rules = Rules(max_percent=25, floor_s=0.001, max_error_rate=0.01)
    asked = [Asked(window, "GET /|x", 0.1, True) for window in range(5) for _ in range(10)]
    page = load_page(check, MEASURED, compare_sides("v|1", asked, asked, rules), picture)
    assert "data:image/png;base64,iVBORw0KGgo" in page
    assert r"| GET /\|x | 200 | 1 | 100.0 | 190.0 | 198.0 |" in page
    assert r"\<b\>" in page
    assert r"| GET /\|x \(median\) | 100.0 | 100.0 | 1.00 | 1.00 to 1.00 | 5 | within 25 % |" in page
    assert r"Base v\|1. p95 of each pair, base/candidate in ms: 100.0/100.0, " in page
    assert r"not applicable\: no base" in load_page(check, MEASURED, Versus(rules=rules, reason="no base"), picture)


def test_a_test_without_a_request_has_a_picture_too() -> None:
    empty = replace(MEASURED, recorded=Recorded([], ENDING), samples=[])
    assert draw_load(empty, PERFORMANCE, []).startswith(b"\x89PNG")
