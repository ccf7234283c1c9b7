import pytest

from gates.benchmarks import Benchmark, Benchmarks, judge_benchmarks, notch
from gates.requirements import Outcome


def run(median: float, iqr: float = 0.0, rounds: int = 100, machine: str = "m", name: str = "one") -> Benchmarks:
    return Benchmarks(machine=machine, benchmarks={name: Benchmark(median=median, iqr=iqr, rounds=rounds)})


def test_the_notch() -> None:
    found = notch(Benchmark(median=10, iqr=2, rounds=100))
    assert (found.low, found.high) == pytest.approx((10 - 0.314, 10 + 0.314))
    assert notch(Benchmark(median=10, iqr=1000, rounds=1)).low == pytest.approx(1)


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        pytest.param(run(1.0), Outcome.PASSED, id="the same"),
        pytest.param(run(1.5), Outcome.PASSED, id="at the limit"),
        pytest.param(run(1.51), Outcome.FAILED, id="beyond the limit"),
        pytest.param(run(1.51, iqr=0.5), Outcome.NOT_APPLICABLE, id="beyond the limit, but it scatters"),
        pytest.param(run(9.0, rounds=19), Outcome.NOT_APPLICABLE, id="too few rounds"),
        pytest.param(run(9.0, rounds=20), Outcome.FAILED, id="just enough rounds"),
        pytest.param(run(9.0, machine="n"), Outcome.NOT_APPLICABLE, id="another machine"),
        pytest.param(run(9.0, name="new"), Outcome.NOT_APPLICABLE, id="a new benchmark"),
    ],
)
def test_a_median_is_held_against_the_earlier_ones(now: Benchmarks, outcome: Outcome) -> None:
    check = judge_benchmarks(now, [run(1.0)], max_percent=50, min_rounds=20)
    assert check.outcome is outcome
    assert any("inconclusive" in note for note in check.notes) is (outcome is Outcome.NOT_APPLICABLE)


def paced(median: float, pace_s: float | None) -> Benchmarks:
    return Benchmarks(machine="m", benchmarks={"one": Benchmark(median=median, iqr=0, rounds=100, pace_s=pace_s)})


@pytest.mark.parametrize(
    ("pace_s", "outcome"),
    [
        pytest.param(1.0, Outcome.FAILED, id="the machine was as fast"),
        pytest.param(1.2, Outcome.FAILED, id="hardly slower"),
        pytest.param(1.3, Outcome.NOT_APPLICABLE, id="the machine itself was slower"),
        pytest.param(0.8, Outcome.NOT_APPLICABLE, id="the machine itself was faster"),
        pytest.param(None, Outcome.FAILED, id="nobody measured it"),
    ],
)
def test_runs_of_a_machine_that_was_as_fast_are_compared(pace_s: float | None, outcome: Outcome) -> None:
    check = judge_benchmarks(paced(1.9, pace_s), [paced(1.0, 1.0)], 50, 20)
    assert check.outcome is outcome
    assert any("the machine's own pace" in note for note in check.notes) is (outcome is Outcome.NOT_APPLICABLE)
    both = judge_benchmarks(paced(1.9, pace_s), [paced(1.0, 1.0), paced(1.0, pace_s)], 50, 20)
    assert both.outcome is Outcome.FAILED  # the one that can be compared counts


@pytest.mark.parametrize(
    ("fastest", "before", "outcome"),
    [
        pytest.param(1.6, 1.0, Outcome.FAILED, id="slower at its best, too"),
        pytest.param(1.1, 1.0, Outcome.NOT_APPLICABLE, id="disturbed"),
        pytest.param(None, 1.0, Outcome.FAILED, id="not kept now"),
        pytest.param(1.1, None, Outcome.FAILED, id="not kept then"),
    ],
)
def test_what_is_slower_is_slower_in_its_fastest_round(
    fastest: float | None, before: float | None, outcome: Outcome
) -> None:
    now, then = (
        Benchmarks(machine="m", benchmarks={"one": Benchmark(median=median, iqr=0, rounds=99, fastest=best)})
        for median, best in ((1.9, fastest), (1.1, before))
    )
    check = judge_benchmarks(now, [then], 50, 20)
    assert check.outcome is outcome
    assert any("its fastest round is not" in note for note in check.notes) is (outcome is Outcome.NOT_APPLICABLE)


def test_the_slower_one_is_named() -> None:
    both = {"fast": Benchmark(median=1, iqr=0, rounds=99), "slow": Benchmark(median=2, iqr=0, rounds=99)}
    before = {name: Benchmark(median=1, iqr=0, rounds=99) for name in both}
    check = judge_benchmarks(
        Benchmarks(machine="m", benchmarks=both), [Benchmarks(machine="m", benchmarks=before)], 50, 20
    )
    assert (check.outcome, check.reason) == (Outcome.FAILED, "slow 100 %, wanted <= 50 %")


def test_one_that_is_gone_is_told() -> None:
    check = judge_benchmarks(run(1.0, name="new"), [run(1.0, name="old")], 50, 20)
    assert "old: measured by the earlier run, gone now" in check.notes


def test_no_benchmark_is_no_verdict() -> None:
    check = judge_benchmarks(Benchmarks(machine="m", benchmarks={}), [run(1.0)], 50, 20)
    assert check.outcome is Outcome.NO_VERDICT


def test_the_first_run_compares_with_nothing_and_is_no_pass() -> None:
    assert judge_benchmarks(run(1.0), [], 50, 20).outcome is Outcome.NOT_APPLICABLE
