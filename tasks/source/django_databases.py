"""Which databases pytest-django looks for, as its tests' own: with --reuse-db it takes those that are there."""

import os
import re
from collections.abc import Mapping, Sequence

REUSED = "--reuse-db"  # pytest-django's option
# pytest-xdist's, as one word or two.
WORKERS = re.compile(r"(?:-n|--numprocesses)=?(?P<count>[0-9]+|auto|logical)?")
AUTOMATIC = "PYTEST_XDIST_AUTO_NUM_WORKERS"
MOST = 64


def copies(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ends of the names that a suite's databases have beside its first one, whose name follows `test_`: one
    for the suite itself, and one for each worker of pytest-xdist, 64 at most. None without --reuse-db.
    """
    if REUSED not in command:
        return ()
    return ("", *(f"_gw{number}" for number in range(min(_workers(command, environment), MOST))))


def _workers(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return how many workers a command of pytest starts; of `auto`, which counts cores, as many as there may be."""
    for word, following in zip(command, (*command[1:], "")):
        if match := WORKERS.fullmatch(word):
            count = match["count"] or following
            automatic = environment.get(AUTOMATIC) or str(os.cpu_count() or 1)
            count = automatic if count in ("auto", "logical") else count
            return int(count) if count.isdecimal() else 0
    return 0
