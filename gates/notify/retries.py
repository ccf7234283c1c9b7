"""How long an HTTP answer asks us to wait before we ask again."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_S = 3600.0
SERVER_TROUBLE_S = 1.0
SECONDS = re.compile(r"[0-9]+")


def wait_of(status: int, headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds to wait, at most an hour; None when the answer is not about waiting.

    429, and 403 with a spent rate limit: `Retry-After` (seconds or a date), else `X-RateLimit-Reset` when nothing is
    left, else a minute (GitHub, "Rate limits for the REST API"). 5xx: a second, or what `Retry-After` says. The case of
    header names does not matter.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    asked = _retry_after(lower.get("retry-after", ""), now)
    spent = lower.get("x-ratelimit-remaining") == "0"
    if status >= 500:
        return SERVER_TROUBLE_S if asked is None else asked
    if status not in (403, 429) or (status == 403 and asked is None and not spent):
        return None
    if asked is not None:
        return asked
    reset = lower.get("x-ratelimit-reset", "")
    if spent and SECONDS.fullmatch(reset):
        return _clamped(int(reset[:12]) - now.timestamp())
    return 60.0


def _retry_after(raw: str, now: datetime) -> float | None:
    if SECONDS.fullmatch(raw.strip()):
        return _clamped(float(raw.strip()[:9]))
    try:
        return _clamped((parsedate_to_datetime(raw) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT_S)
