from collections.abc import Mapping

import pytest

from gates.check import Outcome
from gates.checks.benchmarks import Paired, judge_benchmarks, not_compared
from gates.checks.pairs import Compared, Finding

SAME = Compared(finding=Finding.WITHIN, ratio=1.02, low=0.97, high=1.06, pairs=8)
SLOWER = Compared(finding=Finding.SLOWER, ratio=1.5, low=1.45, high=1.56, pairs=10)
OPEN = Compared(finding=Finding.UNDECIDED, ratio=1.2, low=0.9, high=1.4, pairs=7)


def paired(compared: Mapping[str, Compared], **more: tuple[str, ...]) -> Paired:
    return Paired(base="v1", compared=compared, ended="60 s are spent", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "compared, outcome, reason, conclusive",
    [
        ({"a": SAME, "b": SAME}, Outcome.PASSED, "2 of 2 compared with v1", True),
        ({"a": SAME, "b": OPEN}, Outcome.PASSED, "1 of 2 compared with v1, 1 inconclusive", False),
        ({"a": OPEN}, Outcome.NOT_APPLICABLE, "0 of 1 compared with v1, 1 inconclusive", False),
        ({}, Outcome.NOT_APPLICABLE, "inconclusive: 60 s are spent", False),
        (
            {"a": SAME, "b": SLOWER, "c": OPEN},
            Outcome.FAILED,
            "b: 1.50 times as long as v1 [1.45, 1.56], 10 pairs; allowed are 25 % more",
            False,
        ),
        (
            {"a": SLOWER},
            Outcome.FAILED,
            "a: 1.50 times as long as v1 [1.45, 1.56], 10 pairs; allowed are 25 % more",
            True,
        ),
    ],
)
def test_only_what_is_slower_for_certain_fails(
    compared: Mapping[str, Compared], outcome: Outcome, reason: str, conclusive: bool
) -> None:
    found = paired(compared)
    check = judge_benchmarks(found, 25)
    assert (check.outcome, check.reason, found.conclusive) == (outcome, reason, conclusive)


def test_the_figures_are_percent_more_and_what_is_open_has_none() -> None:
    check = judge_benchmarks(paired({"b": SLOWER, "a": SAME, "c": OPEN}), 25)
    assert [(one.name, one.value, one.holds) for one in check.measures] == [
        ("a", pytest.approx(2.0), True),
        ("b", pytest.approx(50.0), False),
    ]
    assert check.notes[2] == (
        "c: inconclusive: 1.20 times as long as v1 [0.90, 1.40], 7 pairs: "
        "that does not tell it from 25 % more; 60 s are spent"
    )


def test_what_only_one_side_has_is_named() -> None:
    check = judge_benchmarks(paired({"a": SAME}, only_base=("old",), only_candidate=("new",)), 25)
    assert check.outcome is Outcome.PASSED
    assert check.notes[1:] == (
        "new: v1 does not have it: nothing to compare with",
        "old: v1 has it, this commit does not",
    )
    other = judge_benchmarks(paired({}, only_base=("old",), only_candidate=("new",)), 25)
    assert (other.outcome, other.reason) == (Outcome.NOT_APPLICABLE, "v1 has none of these benchmarks")
    assert len(other.notes) == 2


def test_nothing_to_compare_with_is_no_pass() -> None:
    assert not_compared("nothing is live yet").outcome is Outcome.NOT_APPLICABLE


def test_what_is_decided_is_told_with_its_figures_and_no_doubt() -> None:
    check = judge_benchmarks(paired({"b": SLOWER, "a": SAME}), 25)
    assert check.notes == (
        "a: 1.02 times as long as v1 [0.97, 1.06], 8 pairs",
        "b: 1.50 times as long as v1 [1.45, 1.56], 10 pairs",
    )


def test_a_decided_benchmark_without_a_ratio_has_no_figure() -> None:
    check = judge_benchmarks(paired({"a": SAME.model_copy(update={"ratio": None})}), 25)
    assert [(one.value, one.holds, one.limit) for one in check.measures] == [(None, None, 25)]
