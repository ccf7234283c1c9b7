"""How long the often-used pieces take. The limits are in seconds of processor time, which other
work on the machine does not use up: they catch accidents, such as an exponential pattern; a trend
is read from the benchmark's own figures."""

import time
from datetime import date
from typing import Any

import pytest

from assistant.logs import JsonFormatter
from assistant.metrics import ErrorRate, Metrics
from assistant.parsing import parse_task
from assistant.security import hash_password, read_token, sign_token, verify_password
from tests.unit.test_logs import make_record

pytestmark = pytest.mark.benchmark(max_time=0.1, min_rounds=5, warmup=False)

TODAY = date(2026, 3, 4)


def test_parsing_a_line(benchmark: Any) -> None:
    assert benchmark(parse_task, "- [ ] Pay the rent by 2026-04-01", TODAY).title == "Pay the rent"


def test_parsing_hostile_lines() -> None:
    started = time.process_time()
    for line in (" " * 60_000, "- " * 30_000, "by " * 20_000, "1" * 60_000, ", today" * 8_000):
        parse_task(line, TODAY)
    assert time.process_time() - started < 2


def test_reading_a_token(benchmark: Any) -> None:
    token = sign_token("key", "session", 1, 100)
    assert benchmark(read_token, "key", "session", token, 1) == 1


def test_writing_a_log_line(benchmark: Any) -> None:
    benchmark(JsonFormatter().format, make_record(fields={"status": 200}))


def test_counting_an_answer(benchmark: Any) -> None:
    benchmark(Metrics().answered, "GET", "/api/tasks", 200, 0.01)


def test_the_error_rate_of_a_busy_minute(benchmark: Any) -> None:
    rate = ErrorRate()
    for number in range(10_000):
        rate.record(500 if number % 10 == 0 else 200)
    assert benchmark(rate.value) == pytest.approx(0.1)


def test_a_password_costs_what_it_should() -> None:
    """At the cost used in production a check takes time, but nobody waits seconds for it."""
    stored = hash_password("correct horse", 14)
    started = time.process_time()
    assert verify_password("correct horse", stored)
    assert 0.005 < time.process_time() - started < 2
