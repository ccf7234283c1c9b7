import math
from dataclasses import replace

import pytest

from gates.release.verification import Figures, FitLimits, Usage, judge_figures
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
        {"times_s": (9.0,) + (0.1,) * 19},
        {"times_s": (0.1,) * 19 + (9.0,)},  # one slow answer in twenty is within the 95th percentile
        {"times_s": (0.5,) * 20},
        {"after": (later(memory_bytes=90 * MB),)},
        {"after": (later(cpu_s=4.2),)},
        {"queries": None},
    ],
)
def test_at_its_limit_it_is_fit(changes: dict[str, object]) -> None:
    assert judge_figures(figures(**changes), LIMITS).action is Action.PROMOTE


def test_processor_time_is_over_the_time_between_two_readings_and_all_processors() -> None:
    assert later(cpu_s=2.0, at=14.0).cpu_percent(WEB) == pytest.approx(12.5)
    assert later(at=10.0).cpu_percent(WEB) == 0.0
    assert later(at=9.0).cpu_percent(WEB) == 0.0
    assert later(at=10.5, cpu_s=1.5).cpu_percent(WEB) == pytest.approx(50)
    assert later(cpus=0.0).cpu_percent(WEB) == 0.0
    assert later(cpus=0.5, cpu_s=1.5).cpu_percent(WEB) == pytest.approx(50)


@pytest.mark.parametrize(
    ("answers", "failed", "reason"),
    [
        (5, 0, ""),
        (4, 0, "4 requests, need 5 to judge"),
        (0, 0, "0 requests, need 5 to judge"),
        (4, 1, "1 of 5 requests got no good answer"),
        (0, 2, "2 of 2 requests got no good answer"),
    ],
)
def test_five_answers_are_enough_and_all_must_be_good(answers: int, failed: int, reason: str) -> None:
    verdict = judge_figures(figures(times_s=(0.1,) * answers, failed=failed), LIMITS)
    assert (verdict.action is Action.PROMOTE) is (not reason)
    if reason:
        assert verdict.reason == reason


SLOW = ({}, {0.1: 0.0, 1.0: 20.0, math.inf: 20.0})


@pytest.mark.parametrize(
    ("queries", "limit", "good"),
    [
        (({}, {0.1: 20.0, math.inf: 20.0}), 0.095, True),
        (({}, {0.1: 20.0, math.inf: 20.0}), 0.0949, False),
        (({}, {0.1: 0.0, math.inf: 9.0}), 1.0, False),  # above the last bound: nobody knows by how much
    ],
)
def test_query_times_both_sides_of_their_limit(queries: object, limit: float, good: bool) -> None:
    verdict = judge_figures(figures(queries=queries), replace(LIMITS, max_query_p95_s=limit))
    assert (verdict.action is Action.PROMOTE) is good


def test_what_is_bad_is_told_in_full_and_what_is_good_is_not() -> None:
    worst = judge_figures(
        figures(times_s=(0.6,) * 5, queries=SLOW, after=(later(memory_bytes=95 * MB, cpu_s=4.3),)), LIMITS
    )
    assert worst.reason == (
        "p95 of 5 answers 0.600 s exceeds 0.5 s; p95 of 20 queries 0.955 s exceeds 0.1 s; "
        "web: memory 95 MB, 95 % of 100 MB, exceeds 90 %, processor 82 % of 2, exceeds 80 %"
    )
    assert judge_figures(figures(queries=None, after=(later(memory_bytes=95 * MB),)), LIMITS).reason == (
        "web: memory 95 MB, 95 % of 100 MB, exceeds 90 %"
    )


def test_an_app_without_query_times_is_not_told_of_them() -> None:
    assert judge_figures(figures(queries=None), LIMITS).reason == (
        "p95 of 20 answers 0.100 s within 0.5 s; "
        "web: memory 50 MB, 50 % of 100 MB, within 90 %, processor 10 % of 2, within 80 %"
    )


def test_a_service_is_compared_with_itself() -> None:
    worker = replace(WEB, service="worker", cpu_s=50.0)
    verdict = judge_figures(
        figures(before=(worker, WEB), after=(later(), replace(later(), service="worker", cpu_s=50.4))), LIMITS
    )
    assert verdict.action is Action.PROMOTE and verdict.reason.count("processor 10 % of 2") == 2
    gone = judge_figures(figures(before=()), LIMITS)
    assert gone.reason == "web: memory and processor could not be measured (was it restarted?)"


@pytest.mark.parametrize(("memory", "limit", "cpu_s"), [(1, 100 * MB, 1.0), (1, 2, 1.0)])
def test_little_that_was_used_can_be_measured(memory: int, limit: int, cpu_s: float) -> None:
    after = later(memory_bytes=memory, memory_limit_bytes=limit, cpu_s=cpu_s)
    assert judge_figures(figures(after=(after,)), LIMITS).action is Action.PROMOTE
