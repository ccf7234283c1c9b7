"""Is what was seen still news? Scans grow stale: advisories appear for code that did not change."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gates.check import Check

CLOCKS_DIFFER = timedelta(minutes=5)


def stale_scans(
    version: str,
    commit: str,
    required: Sequence[str],
    checks: Sequence[Check],
    at: datetime,
    now: datetime,
    limit: timedelta,
) -> str:
    """Return why the required scans are too old to be relied on, "" when they are not. Times are aware.

    Older than the limit blocks; so does a time in the future (by over 5 minutes), which would never grow old.
    """
    names = [check.name for check in checks if check.name in required]
    if not names:
        return ""
    which = f"{names[0]} scan is" if len(names) == 1 else f"scans ({', '.join(names)}) are"
    age = now - at
    if age < -CLOCKS_DIFFER:
        return f"{version}: {which} dated {at:%Y-%m-%d %H:%M} UTC, which is in the future; look at the clocks"
    if age > limit:
        hours = f"{age / timedelta(hours=1):.0f} h old, limit {limit / timedelta(hours=1):g} h"
        return f"{version}: {which} {hours}; run: prefect deployment run security/nightly -p commit={commit[:12]}"
    return ""
