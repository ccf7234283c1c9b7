"""How long to wait, from what the other side says."""

from datetime import UTC, datetime

import pytest

from gates.notify.retries import LONGEST_WAIT_S, wait_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESET = str(int(NOW.timestamp()) + 90)


@pytest.mark.parametrize(
    ("status", "headers", "wanted"),
    [
        (200, {}, None),
        (404, {"retry-after": "5"}, None),
        (403, {}, None),
        (429, {"Retry-After": "5"}, 5),
        (429, {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        (429, {"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        (429, {"retry-after": "-5"}, 60),
        (429, {"retry-after": "999999999999999999999"}, LONGEST_WAIT_S),
        (429, {"retry-after": "5²"}, 60),
        (429, {"retry-after": "٥"}, 60),
        (429, {}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}, 90),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9²"}, 60),
        (403, {"x-ratelimit-remaining": "12", "x-ratelimit-reset": RESET}, None),
        (403, {"retry-after": "7"}, 7),
        (500, {}, 1),
        (503, {"retry-after": "20"}, 20),
    ],
)
def test_wait(status: int, headers: dict[str, str], wanted: float | None) -> None:
    assert wait_of(status, headers, NOW) == wanted
