import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from assistant.api.health import judge_pool, worst
from assistant.api.oauth import exchange_code
from assistant.app import create_app
from tests.support import make_settings


@pytest.mark.parametrize(
    ("in_use", "status"),
    [(0, "healthy"), (7, "healthy"), (8, "degraded"), (9, "degraded"), (10, "unhealthy")],
)
def test_a_pool_is_judged_by_what_is_left(in_use: int, status: str) -> None:
    assert judge_pool(in_use, capacity=10)["status"] == status


def test_the_whole_is_as_good_as_its_worst_part() -> None:
    assert worst({"a": {"status": "healthy"}, "b": {"status": "degraded"}}) == "degraded"
    assert worst({"a": {"status": "unhealthy"}, "b": {"status": "degraded"}}) == "unhealthy"


def test_the_page_is_served_when_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>hello</p>")
    client = TestClient(create_app(make_settings(), static=tmp_path))
    answer = client.get("/")
    assert answer.text == "<p>hello</p>"
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get("/health/live").text == "alive"


def test_without_a_page_the_root_says_so(tmp_path: Path) -> None:
    client = TestClient(create_app(make_settings(), static=tmp_path / "absent"))
    assert client.get("/").json() == {"service": "assistant", "page": "not built"}


def test_most_answers_cost_little(tmp_path: Path) -> None:
    """Processor time, which other work on the machine does not use up: it catches accidents."""
    client = TestClient(create_app(make_settings(), static=tmp_path))
    seconds = []
    for _ in range(100):
        started = time.process_time()
        assert client.get("/health/live").status_code == 200
        seconds.append(time.process_time() - started)
    assert sorted(seconds)[94] < 1


def test_the_stand_in_for_a_provider_takes_its_own_codes_only() -> None:
    assert exchange_code("mail", "demo:ada@example.org") == "ada@example.org"
    for code in ("", "demo:", "demo: \x00", "real:ada"):
        with pytest.raises(ValueError, match="mail did not accept"):
            exchange_code("mail", code)
