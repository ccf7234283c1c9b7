import math
from dataclasses import replace

import pytest

from gates.release.verification import Figures, FitLimits, Usage, judge_figures, percentile
from gates.verdict import Action

LIMITS = FitLimits(max_p95_s=0.5, max_query_p95_s=0.1, max_memory_percent=90, max_cpu_percent=80)
MB = 2**20
WEB = Usage("web", memory_bytes=50 * MB, memory_limit_bytes=100 * MB, cpu_s=1.0, cpus=2.0, at=10.0)
QUERIES = ({0.1: 4.0, 1.0: 4.0, math.inf: 4.0}, {0.1: 24.0, 1.0: 24.0, math.inf: 24.0})


def later(**changes: float) -> Usage:
    return replace(WEB, **{"at": 12.0, "cpu_s": 1.4, **changes})


def figures(**changes: object) -> Figures:
    good = {"times_s": (0.1,) * 20, "failed": 0, "queries": QUERIES, "before": (WEB,), "after": (later(),)}
    return Figures(**{**good, **changes})  # type: ignore[arg-type]


def test_what_is_within_its_limits_says_each_figure() -> None:
    verdict = judge_figures(figures(), LIMITS)
    assert verdict.action is Action.PROMOTE
    assert verdict.reason == (
        "p95 of 20 answers 0.100 s within 0.5 s; p95 of 20 queries 0.095 s within 0.1 s; "
        "web: memory 50 MB, 50 % of 100 MB, within 90 %, processor 10 % of 2, within 80 %"
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"times_s": (0.1,) * 18 + (0.51,) * 2}, "p95 of 20 answers 0.510 s exceeds 0.5 s"),
        ({"failed": 1}, "1 of 21 requests got no good answer"),
        ({"times_s": (0.1,) * 4}, "4 requests, need 5 to judge"),
        ({"queries": (QUERIES[0], QUERIES[0])}, "no query was counted"),
        ({"queries": ({}, {})}, "no query was counted"),
        ({"queries": (QUERIES[1], QUERIES[0])}, "no query was counted"),
        ({"queries": ({}, {0.1: 90.0, 1.0: 100.0, math.inf: 100.0})}, "0.550 s exceeds 0.1 s"),
        ({"queries": ({}, {0.1: 0.0, math.inf: 9.0})}, "p95 of 9 queries above 0.100 s exceeds"),
        ({"after": (later(memory_bytes=91 * MB),)}, "web: memory 91 MB, 91 % of 100 MB, exceeds 90 %"),
        ({"after": (later(cpu_s=4.3),)}, "web: processor 82 % of 2, exceeds 80 %"),
        ({"after": ()}, "nothing runs in the slot"),
        (
            {"after": (later(), replace(later(), service="helper"))},
            "helper: memory and processor could not be measured",
        ),
        ({"after": (later(cpu_s=0.1),)}, "was it restarted"),
        ({"after": (later(memory_bytes=0),)}, "could not be measured"),
        ({"after": (later(memory_limit_bytes=0),)}, "could not be measured"),
    ],
)
def test_what_is_not_names_the_figure_and_its_limit(changes: dict[str, object], why: str) -> None:
    verdict = judge_figures(figures(**changes), LIMITS)
    assert verdict.action is Action.ROLL_BACK
    assert why in verdict.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"times_s": (0.1,) * 19 + (9.0,)},  # one slow answer in twenty is within the 95th percentile
        {"times_s": (0.5,) * 20},
        {"after": (later(memory_bytes=90 * MB),)},
        {"after": (later(cpu_s=4.2),)},
        {"queries": None},
    ],
)
def test_at_its_limit_it_is_fit(changes: dict[str, object]) -> None:
    assert judge_figures(figures(**changes), LIMITS).action is Action.PROMOTE


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0.95, 0.5, 1.0)] == [95, 50, 100]
    assert percentile([3.0], 0.95) == 3.0
