"""Caches of this host, by what they hold: who recalls what, and how large each may get."""

import logging
from pathlib import Path
from typing import Literal

from evidence.scopes import Scope
from host.home import Home
from host.keeping import bound, first_complete, hold, kept_below

Kind = Literal["environments", "wheels", "built", "builds", "downloads", "tools"]
Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
progress = logging.getLogger("slipway.progress")
# Of each kind, on this host. What was not used for longest goes first; what a run uses stays until it ends.
LARGEST_BYTES: dict[Kind, int] = {
    "environments": 10_000_000_000,  # node_modules too
    "wheels": 5_000_000_000,
    "built": 2_000_000_000,  # wheels of packages that have none
    "builds": 2_000_000_000,
    "downloads": 5_000_000_000,
    "tools": 2_000_000_000,
}
LARGEST_UV_BYTES = 10_000_000_000


def kept(kind: Kind, scope: Scope, key: str) -> Path:
    """Return where this scope recalls what is kept under a key, else where it is to be made (`once`).

    It stays until this process ends.
    """
    top = Home.find().cache / kind
    return first_complete([top / name / key for name in scope.reads])


def own(kind: Kind, scope: Scope, name: str) -> Path:
    """Return the directory of a cache that the app's code changes in place: of this branch alone, for this process."""
    directory = Home.find().cache / kind / scope.own / name
    hold(directory)
    return directory


def uv_cache() -> Path:
    """Return the cache of uv, which stays until this process ends. One that got too large begins anew."""
    directory = Home.find().cache / "uv"
    for line in bound([directory], LARGEST_UV_BYTES):
        progress.info("removed to make room: %s", line)
    hold(directory)
    return directory


def tidy(kind: Kind, log: Log) -> None:
    """Remove the oldest of a kind until the rest is no larger than it may be; say what was removed in the log."""
    for line in bound(kept_below(Home.find().cache / kind), LARGEST_BYTES[kind]):
        log.info("removed to make room: %s", line)
