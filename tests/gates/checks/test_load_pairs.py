import random

import pytest

from gates.checks.load_pairs import (
    FEWEST_IN_WINDOW,
    FEWEST_OF_ENDPOINT,
    MOST_ENDPOINTS,
    REGRESSION,
    Asked,
    Rules,
    Versus,
    compare_sides,
    figure_pairs,
    versus_measures,
    versus_notes,
)
from gates.checks.pairs import Finding

RULES = Rules(max_percent=25, floor_s=0.001, max_error_rate=0.01)


def asked(pairs: int, seconds: float, count: int = 30, endpoint: str = "GET /a", seed: int = 1) -> list[Asked]:
    """Return requests of so many windows, each about `seconds` long, a tenth of it by chance."""
    chance = random.Random(seed)
    return [
        Asked(window, endpoint, seconds * chance.uniform(0.95, 1.05), True)
        for window in range(pairs)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("pairs", "ratio", "findings", "decided"),
    [
        (0, 1.0, [], False),
        (4, 1.0, [Finding.UNDECIDED] * 2, False),
        (5, 1.0, [Finding.WITHIN] * 2, True),
        (10, 1.5, [Finding.UNDECIDED] * 2, False),  # 2 ** -10 is above half of 0.001: two figures share it
        (12, 1.5, [Finding.SLOWER] * 2, True),
        (12, 1.25, [Finding.UNDECIDED] * 2, False),
    ],
)
def test_what_pairs_tell(pairs: int, ratio: float, findings: list[Finding], decided: bool) -> None:
    versus = compare_sides("v1", asked(pairs, 0.1), asked(pairs, 0.1 * ratio, seed=2), RULES)
    assert [one.compared.finding for one in versus.figures] == findings
    assert [one.name for one in versus.figures] == [REGRESSION, "GET /a (median)"][: len(findings)]
    assert versus.decided is decided


def test_one_endpoint_that_got_slower_is_found_though_the_p95_is_that_of_others() -> None:
    slow = asked(15, 0.4, 20, "POST /slow")
    old, new = asked(15, 0.1, 20), asked(15, 0.15, 20, seed=2)
    versus = compare_sides("v1", old + slow, new + slow, RULES)
    assert {one.name: one.compared.finding for one in versus.figures} == {
        REGRESSION: Finding.WITHIN,
        "GET /a (median)": Finding.SLOWER,
        "POST /slow (median)": Finding.WITHIN,
    }
    measures = {one.name: one.holds for one in versus_measures(versus)}
    assert measures == {REGRESSION: True, "GET /a (median)": False}


def test_how_often_a_slow_endpoint_came_up_in_a_window_is_no_difference() -> None:
    """One request of a hundred is slow: a window with six of them has another p95 than one without, of one version."""
    chance = random.Random(5)
    sides: list[list[Asked]] = [[], []]
    for side in sides:
        for window in range(12):
            slow = chance.choice([0, 1, 6])
            side += [Asked(window, "GET /a", chance.uniform(0.009, 0.011), True) for _ in range(100 - slow)]
            side += [Asked(window, "POST /slow", 0.5, True) for _ in range(slow)]
    pairs = figure_pairs(*sides)[REGRESSION]
    assert len(pairs) == 12 and all(0.8 < pair.candidate / pair.base < 1.25 for pair in pairs)


@pytest.mark.parametrize(("count", "pairs"), [(FEWEST_IN_WINDOW, 6), (FEWEST_IN_WINDOW - 1, 0)])
def test_a_window_with_too_few_requests_is_none(count: int, pairs: int) -> None:
    assert len(figure_pairs(asked(6, 0.1), asked(6, 0.1, count))[REGRESSION]) == pairs


@pytest.mark.parametrize(
    ("count", "windows", "compared"),
    [(FEWEST_OF_ENDPOINT, 8, True), (FEWEST_OF_ENDPOINT - 1, 10, False), (FEWEST_OF_ENDPOINT, 7, False)],
)
def test_a_rare_endpoint_is_not_compared(count: int, windows: int, compared: bool) -> None:
    both = asked(10, 0.1) + asked(windows, 0.1, count, "GET /rare")
    assert ("GET /rare (median)" in figure_pairs(both, both)) is compared


def test_only_the_endpoints_that_are_asked_most_are_compared() -> None:
    both = [one for number in range(MOST_ENDPOINTS + 1) for one in asked(5, 0.1, 40 - number, f"GET /{number}")]
    names = set(figure_pairs(both, both))
    assert names == {REGRESSION, *(f"GET /{number} (median)" for number in range(MOST_ENDPOINTS))}


def with_errors(found: list[Asked], failed: int) -> list[Asked]:
    return [one._replace(good=number >= failed) for number, one in enumerate(found)]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (5, 0, "v1 answered 5 of 300 requests with errors"),
        (0, 5, "the candidate answered 5 of 300 requests with errors"),
        (4, 4, ""),  # 1.3 % of 300, and still no more than a hiccup
    ],
)
def test_times_of_errors_are_not_compared(old: int, new: int, reason: str) -> None:
    versus = compare_sides("v1", with_errors(asked(10, 0.1), old), with_errors(asked(10, 0.1), new), RULES)
    assert versus.reason == reason
    assert versus.decided and bool(versus.figures) is not bool(reason)


def test_few_errors_of_many_requests_are_allowed() -> None:
    old = with_errors(asked(10, 0.1, 60), 6)
    assert compare_sides("v1", old, old, RULES).reason == ""


@pytest.mark.parametrize(
    ("ratio", "finding", "decided", "told"),
    [
        (1.6, Finding.UNDECIDED, True, "differences below 1 ms are not judged"),
        (2.5, Finding.SLOWER, True, "slower, by more than 25 %"),
    ],
)
def test_differences_below_the_floor_need_no_more_pairs(
    ratio: float, finding: Finding, decided: bool, told: str
) -> None:
    versus = compare_sides("v1", asked(12, 0.001), asked(12, 0.001 * ratio, seed=2), RULES)
    assert {one.compared.finding for one in versus.figures} == {finding}
    assert versus.decided is decided and f"{REGRESSION}: {told}: " in versus_notes(versus)[0]


@pytest.mark.parametrize(
    ("versus", "note"),
    [
        (Versus(rules=RULES), f"{REGRESSION}: inconclusive: no pair"),
        (Versus(rules=RULES, reason="nothing is live"), f"{REGRESSION}: not applicable: nothing is live"),
    ],
)
def test_nothing_to_compare_is_said_and_measures_nothing(versus: Versus, note: str) -> None:
    assert (versus_notes(versus), versus_measures(versus)) == ((note,), ())


def simulated(seed: int, factor: float) -> set[Finding]:
    """Return what 20 pairs tell, on a machine whose pace changes from pair to pair: what disturbs one window of a pair
    disturbs the other. Each request's own time is heavy-tailed.
    """
    chance = random.Random(seed)
    pace = [chance.lognormvariate(0, 0.7) for _ in range(20)]

    def side(times: float) -> list[Asked]:
        return [
            Asked(window, "GET /a", 0.01 * speed * times * chance.lognormvariate(0, 0.4), True)
            for window, speed in enumerate(pace)
            for _ in range(40)
        ]

    return {one.compared.finding for one in compare_sides("v1", side(1), side(factor), RULES).figures}


def test_of_a_hundred_unchanged_versions_none_is_slower() -> None:
    assert [seed for seed in range(100) if Finding.SLOWER in simulated(seed, 1)] == []


def test_of_twenty_that_take_half_as_long_again_none_passes_and_nearly_all_are_caught() -> None:
    found = [simulated(seed, 1.5) for seed in range(20)]
    assert sum(Finding.SLOWER in one for one in found) >= 18
    assert [one for one in found if one == {Finding.WITHIN}] == []
