"""The demo says what is not as told, and how the traffic fared."""

from types import SimpleNamespace
from typing import Any

import pytest

from cli.demo import table
from cli.demo.table import Row, expectations
from cli.runs import Ended
from cli.screen import console


def traffic(**changed: Any) -> dict[str, Any]:
    probe = {"asked": 50, "good": 50, "late": 0, "slowest_s": 0.1, "unanswered": 0}
    probe |= {"downtime_s": {"longest": 0.0, "total": 0.0}} | changed.pop("probe", {})
    totals = {"sent": 100, "lost": 0, "not_sent": 0, "abandoned": 0, "app_error": 3} | changed
    latency = {"latency_ms": {"p50": 10, "p99": 20}}
    figures = {
        "totals": totals | latency,
        "probes": {"production": probe},
        "seconds": 5.0,
        "streams": {},
        "held_back_s": 0.0,
    }
    return figures | {"finished": totals.pop("finished", True)}


def wrong(traffic: dict[str, Any], state: str = "Promoted", live: str | None = "v1") -> list[str]:
    version = SimpleNamespace(version=SimpleNamespace(version=live)) if live else None
    place = SimpleNamespace(
        settings=SimpleNamespace(max_downtime_seconds=2.0), ledger=lambda: SimpleNamespace(live=version)
    )
    rows = [Row("release v1 to production", "production", "Promoted", Ended("run-1", state, "why", 1.0))]
    return expectations(rows, {"production": place}, traffic, "production", "v1")  # type: ignore[dict-item]


def test_a_story_that_went_as_told_has_nothing_wrong() -> None:
    assert wrong(traffic()) == []
    assert wrong(traffic(probe={"downtime_s": {"longest": 2.0, "total": 9.0}})) == []


def test_late_answers_are_shown_and_are_not_wrong() -> None:
    late = traffic(probe={"late": 7, "slowest_s": 19.26})
    assert wrong(late) == []
    with console.capture() as shown:
        table._print_traffic(late)
    assert "(50 probes, 7 late, the slowest 19.3 s)" in " ".join(shown.get().split())


def test_what_was_held_back_is_shown_and_is_not_wrong() -> None:
    held = traffic() | {"held_back_s": 12.34}
    assert wrong(held) == []
    with console.capture() as shown:
        table._print_traffic(held)
    assert "held back for 12.3 s, while 100 requests were under way" in " ".join(shown.get().split())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"lost": 1}, "1 requests lost"),
        ({"not_sent": 2}, "2 requests not sent"),
        ({"abandoned": 3}, "3 requests abandoned"),
        ({"finished": False}, "the traffic ended before it was told to"),
        ({"app_error": 0}, "made no app error"),
        ({"probe": {"downtime_s": {"longest": 2.1, "total": 2.1}}}, "production was down for 2.10 s, its limit is 2 s"),
        ({"probe": {"downtime_s": None}}, "production never answered a probe well"),
        ({"probe": {"unanswered": 4}}, "production left 4 probes without an answer"),
    ],
)
def test_each_failing_figure_is_told(changed: dict[str, Any], told: str) -> None:
    (said,) = wrong(traffic(**changed))
    assert told in said


def test_another_outcome_and_another_version_are_told() -> None:
    assert wrong(traffic(), state="Failed") == ["release v1 to production ended Failed, expected Promoted"]
    assert wrong(traffic(), live="v2")[0].endswith("expected v1")
    assert wrong(traffic(), live=None) == ["production serves nothing, expected v1"]
