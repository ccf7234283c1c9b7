"""Collect how well the team delivers: from the journals, the evidence, the mirrored repositories and Prefect's history.

No Prefect is imported: `make report` works without a server, and then says so where its history is missing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from control.plane import Control
from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.past_releases import CiRun, Past, Tested, ci_runs, commit_graph, read_past, tested, window
from gates.delivery import (
    CI,
    DEPLOYING,
    ROLLING_BACK,
    TESTS,
    Delivered,
    Deployment,
    Figure,
    deployments_of,
    dora_figures,
    first_arrivals,
    median,
    timing,
)
from gates.release.approval import Ruling
from gates.release.operation import Operation, OperationKind, Outcome
from host.errors import ConfigError
from host.home import Home
from settings.hosts import targets
from settings.pipeline import read_pipeline
from settings.targets import Target


@dataclass(frozen=True)
class Report:
    """Everything that the page shows of one environment, for [since, until). `heads` are of all environments."""

    app: str
    environment: str
    since: datetime
    until: datetime
    figures: tuple[Figure, ...]
    times: tuple[Figure, ...]
    deployments: tuple[Deployment, ...]
    arrivals: tuple[Delivered, ...]
    steps: tuple[tuple[str, float], ...]
    ci: tuple[CiRun, ...]
    tests: tuple[Tested, ...]
    flaky: tuple[tuple[str, int], ...]
    heads: tuple[tuple[str, int, str], ...]
    notes: tuple[str, ...]


def collect(home: Home, days: float, environment: Target, until: datetime | None = None) -> Report:
    """Read everything and compute the figures.

    Raises JournalError if a journal cannot be trusted, ConfigError if the environment is another host's.
    """
    if environment not in targets():
        raise ConfigError(f"{environment.value} is another host's, and so is its journal; make the report there")
    pipeline = read_pipeline()
    places = [Environment.open(target, pipeline.app.name, home) for target in targets()]
    pasts = [read_past(place) for place in places]
    past = next(one for one in pasts if one.environment == environment)
    since, until = window(days, until)
    deployments = deployments_of(past.operations)
    arrivals, odd = first_arrivals(past.operations, commit_graph(home))
    runs = ci_runs(PrefectApi(Control(home)), since)
    looked = tested(home, list(pipeline.suites), since)
    notes = [f"{place.name}: {loss}" for place in places for loss in place.journal.losses()]
    if odd:
        notes.append(f"{odd} commits are dated after their release and have no lead time")
    if runs is None:
        notes.append("the Prefect server does not answer: there is no data of ci's runs")
    return Report(
        app=pipeline.app.name,
        environment=past.environment,
        since=since,
        until=until,
        figures=dora_figures(deployments, arrivals, since, until),
        times=_times(past, runs, looked, since, until),
        deployments=tuple(one for one in deployments if since <= one.at < until),
        arrivals=tuple(one for one in arrivals if since <= one.at < until),
        steps=_steps(
            [one for one in past.operations if one.kind == OperationKind.RELEASE and since <= one.began < until]
        ),
        ci=tuple(runs or ()),
        tests=tuple(looked),
        flaky=tuple(Counter(name for one in looked for name in one.flaky).most_common(10)),
        heads=tuple((one.environment, *one.head) for one in pasts),
        notes=tuple(notes),
    )


def _times(
    past: Past, runs: Sequence[CiRun] | None, looked: Sequence[Tested], since: datetime, until: datetime
) -> tuple[Figure, ...]:
    ended = [one for one in past.operations if one.seconds is not None and since <= one.began < until]
    releases = [
        one.seconds or 0 for one in ended if one.kind == OperationKind.RELEASE and one.outcome == Outcome.PROMOTED
    ]
    rollbacks = [
        one.seconds or 0 for one in ended if one.kind == OperationKind.ROLLBACK and one.outcome == Outcome.ROLLED_BACK
    ]
    decided = [one for one in past.approvals if one.ruling in (Ruling.ACCEPTED, Ruling.REJECTED)]
    waits = [one.waited_s for one in decided if since <= one.answered < until]
    none = "none in this time"
    ci_none = "the Prefect server does not answer" if runs is None else none
    return (
        timing("CI", [run.seconds for run in runs or () if run.good], CI, ci_none),
        timing("test execution", [one.seconds for one in looked], TESTS, none),
        timing("deployment", releases, DEPLOYING, none),
        timing("rollback", rollbacks, ROLLING_BACK, none),
        Figure("waiting for approval", median(waits), "s", len(waits), None, "" if waits else none),
    )


def _steps(releases: Sequence[Operation]) -> tuple[tuple[str, float], ...]:
    """Return the median seconds of each step of promoted releases, in their order."""
    seconds: dict[str, list[float]] = {}
    for one in releases:
        for step in one.steps if one.outcome == Outcome.PROMOTED else ():
            seconds.setdefault(step.name, []).append(step.seconds)
    return tuple((name, median(took) or 0.0) for name, took in seconds.items() if name != "down")
