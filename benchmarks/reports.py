"""How long the delivery report takes over a journal of thousands of releases: read whole, and again."""

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from control.plane import Control
from host.home import Home
from settings.targets import Target
from tasks.delivery.collect import collect
from tests.many_releases import releases, write_journal

COUNT = 10_000
DAYS = 3000
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Figures:
    """Seconds: nothing remembered, and with what the journal added up to remembered."""

    entries: int
    first_s: float
    again_s: float


def run() -> Figures:
    """Write the journal of 10,000 releases into a home of its own, and compute its figures twice."""
    before = os.environ.get("SLIPWAY_HOME")
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
        home = Home(Path(directory) / "state")
        home.create()
        Control(home).create_auth()
        entries = write_journal(home.place("production") / "journal.jsonl", releases(COUNT))
        os.environ["SLIPWAY_HOME"] = str(home.root)
        try:
            return Figures(entries, _timed(home), _timed(home))
        finally:
            if before is None:
                del os.environ["SLIPWAY_HOME"]
            else:
                os.environ["SLIPWAY_HOME"] = before


def _timed(home: Home) -> float:
    began = time.monotonic()
    collect(home, DAYS, Target("production"), UNTIL)
    return time.monotonic() - began
