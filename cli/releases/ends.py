"""How a typed release or rollback ends: one line with the state and its reason, and an exit code for each state."""

from collections.abc import Mapping
from types import MappingProxyType

import typer

from cli.screen import fail, say

GOOD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"release": ("Promoted",), "rollback": ("RolledBack", "NothingToDo")}
)
# 1, 2 and 130 mean the same as everywhere: not done, a wrong command line, interrupted.
CODES: Mapping[str, int] = MappingProxyType(
    {
        "Blocked": 10,
        "Rejected": 11,
        "Expired": 12,
        "RolledBack": 13,
        "Restored": 14,
        "DowntimeExceeded": 15,
        "RestoreFailed": 16,
        "Unfinished": 17,
        "Superseded": 18,
        "Crashed": 19,
        "Cancelled": 20,
    }
)
OTHER = 21


def exit_code(flow: str, state: str) -> int:
    """Return the exit code for a run of `flow` that ended in this state: 0 only for what was asked for."""
    return 0 if state in GOOD[flow] else CODES.get(state, OTHER)


def leave(flow: str, state: str, message: str) -> None:
    """Print how it ended, as the last line. Raises typer.Exit with the state's code when it is not what was asked."""
    code = exit_code(flow, state)
    tell = fail if code else say
    tell(f"{state}: {message}" if message else state)
    if code:
        raise typer.Exit(code)
