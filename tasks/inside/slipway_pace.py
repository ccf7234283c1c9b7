"""A pytest plugin: how fast this machine was around each micro-benchmark, so that two runs can be told to compare.

A fixed piece of work is timed before and after each test; the slower of the two, in seconds, goes into the benchmark's
`extra_info` as `slipway_pace_s`. It is what nine of ten rounds did not exceed: other work comes and goes, and a median
may fall between its turns.
"""

import time

import pytest

ROUNDS = 200
SHARE = 0.9


def _work() -> int:
    """Do what interpreters mostly do: names, numbers, text, small objects. Some 0.2 ms."""
    words = {str(number): [number, number * 3] for number in range(600)}
    return sum(len(word) + pair[1] for word, pair in sorted(words.items()))


def _pace_s() -> float:
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        _work()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[int(SHARE * ROUNDS)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item):  # type: ignore[no-untyped-def]
    used = getattr(item, "funcargs", {}).get("benchmark")
    info = getattr(used, "extra_info", None)
    if not isinstance(info, dict):
        yield
        return
    before = _pace_s()
    yield
    info["slipway_pace_s"] = max(before, _pace_s())
