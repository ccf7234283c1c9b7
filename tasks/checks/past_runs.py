"""What earlier runs on the configured branch measured, for trends and for noticing what is gone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prefect.logging import get_run_logger

from control.signing_keys import signing_keys
from evidence.history import Record, recall, remember
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Outcome
from host.errors import SlipwayError
from host.home import Home
from settings.pipeline import App
from tasks.checks.coverage import figures
from tasks.load.figures import trend_data
from tasks.source.git import Source
from tasks.source.workspace import Looked

TESTS, COVERAGE, LOAD, CHECKS = "tests", "coverage", "load", "checks"


@dataclass(frozen=True)
class Past:
    """What earlier runs on the configured branch measured; records newest first."""

    tests: Mapping[str, frozenset[str]]
    coverage: Sequence[Record]
    load: Sequence[Record]


def recall_past(app: App) -> Past:
    """Return all that a run is compared with."""
    return Past(past_tests(app), past_coverage(app), _recall(app, LOAD))


def remember_run(app: App, source: Source, run: str, found: Mapping[str, Looked]) -> None:
    """Add a run to the history, when its commit is one of the configured branch and may be signed."""
    if not source.signable or source.branch != app.branch:
        return
    try:
        remember_suites(app, source, run, found)
        if "load" in found and found["load"].check.outcome is Outcome.PASSED and "trend" in found["load"].files:
            _remember(app, source, run, LOAD, trend_data(found["load"].files["trend"]))
        outcomes = {name: [str(one.check.outcome), one.check.seconds] for name, one in found.items()}
        _remember(app, source, run, CHECKS, outcomes)
    except (SlipwayError, OSError) as error:
        # The history is for comparing: what cannot be added to it must not undo what was signed.
        get_run_logger().warning("this run could not be added to the history: %s", error)


def past_tests(app: App) -> dict[str, frozenset[str]]:
    """Return each suite's tests in the last run on the configured branch that had the suite."""
    found: dict[str, frozenset[str]] = {}
    for record in reversed(_recall(app, TESTS)):
        found |= {suite: frozenset(names) for suite, names in record.data.items()}
    return found


def past_coverage(app: App) -> list[Record]:
    """Return the coverage figures of the last runs on the configured branch, newest first."""
    return _recall(app, COVERAGE)


def remember_suites(app: App, source: Source, run: str, found: Mapping[str, Looked]) -> None:
    """Keep which tests there were and what was covered. Call it for commits of the configured branch only."""
    tests = {name: read_tests(looked) for name, looked in found.items() if "tests" in looked.files}
    coverage = figures(found[COVERAGE]) if COVERAGE in found else {}
    for kind, data in ((TESTS, tests), (COVERAGE, coverage)):
        if data:
            _remember(app, source, run, kind, data)


def _remember(app: App, source: Source, run: str, kind: str, data: Mapping[str, Any]) -> None:
    home = Home.find()
    record = Record(kind, app.branch, source.commit, run, datetime.now(UTC), data)
    remember(Store(home.store), signing_keys(home), app.name, record)


def read_tests(looked: Looked) -> list[str]:
    """Return the names of the tests that a suite had."""
    return [str(name) for name in json.loads(looked.files["tests"].read_bytes())]


def _recall(app: App, kind: str) -> list[Record]:
    home = Home.find()
    return recall(Store(home.store), Keys(home.keys), app.name, kind, app.branch)
