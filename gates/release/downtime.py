"""Was an environment down for longer than it may be?"""


def exceeded(down_s: float, limit_s: float) -> str:
    """Return what to say of a release's downtime when it is above the limit (both in seconds), else nothing."""
    if down_s <= limit_s:
        return ""
    return f"it was down for {down_s:.1f} s, limit {limit_s:g} s (MAX_DOWNTIME_SECONDS)"
