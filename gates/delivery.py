"""How well the team delivers: DORA's five figures, from what the journals say. Each is defined in docs/delivery.md.

No data is no figure, never 0: a team that released nothing has no change failure rate.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY_S = 86400.0
# A release within this time of a failure is taken for its repair.
REWORK_WITHIN = timedelta(days=7)


@dataclass(frozen=True)
class Operation:
    """A release or a rollback of one environment. Times are aware UTC.

    `took_traffic` is when its version first served the public, None when it never did. `outcome` is the journal's;
    "" while it goes on or when it was interrupted. `steps` are (name, seconds).
    """

    id: str
    kind: str
    version: str
    digest: str
    commit: str
    began: datetime
    took_traffic: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    downtime_s: float = 0.0
    steps: tuple[tuple[str, float], ...] = ()

    @property
    def seconds(self) -> float | None:
        """Return how long it took, None while it goes on."""
        return (self.ended - self.began).total_seconds() if self.ended else None


@dataclass(frozen=True)
class Deployment:
    """A release that reached people, and what became of it: `failed` says why it counts as a failure, "" when not.

    `restored` is when a version that is not it served again, None while it still serves (or nobody knows).
    `rework`: it is the first promoted release after a failure.
    """

    release: Operation
    at: datetime
    failed: str = ""
    restored: datetime | None = None
    rework: bool = False

    @property
    def restore_s(self) -> float | None:
        """Return the seconds from the failing version's first traffic to a good one's, None when it is not over."""
        return (self.restored - self.at).total_seconds() if self.failed and self.restored else None


@dataclass(frozen=True)
class Delivered:
    """A commit's first arrival in production, with the seconds from the commit to the end of its release."""

    commit: str
    at: datetime
    lead_s: float


@dataclass(frozen=True)
class Target:
    """What a figure should be: at least or at most `limit`, in the figure's unit; `text` for people."""

    limit: float
    at_least: bool
    text: str

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """One figure. `value` None: no data, and `note` says why. `unit`: "/day", "s" or "" (a fraction)."""

    name: str
    value: float | None
    unit: str
    samples: int
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Return whether the target is met, None without data or target."""
        return None if self.value is None or self.target is None else self.target.met(self.value)


DAILY = Target(1.0, True, "daily")
LEAD = Target(3600, False, "under 1 h")
RESTORE = Target(1800, False, "under 30 min")
FAILURES = Target(0.05, False, "under 5 %")
CI = Target(35 * 60, False, "25 to 35 min")
TESTS = Target(25 * 60, False, "15 to 25 min")
DEPLOYING = Target(10 * 60, False, "5 to 10 min")
ROLLING_BACK = Target(5 * 60, False, "under 5 min")


def deployments_of(operations: Sequence[Operation]) -> list[Deployment]:
    """Return the deployments among an environment's operations, oldest first.

    A release counts when it reached people: its version took traffic, or its downtime was theirs. It failed when it was
    rolled back or restored, or when a rollback later left its version while it was live.
    """
    made: list[Deployment] = []
    owed = None  # when the failure was that the next promoted release repairs
    for index, one in enumerate(operations):
        if one.kind != "release" or not (one.took_traffic or one.downtime_s > 0):
            continue
        at = one.took_traffic or one.began
        failed, restored = _fate(one, (operations[later] for later in range(index + 1, len(operations))))
        rework = bool(owed and at - owed <= REWORK_WITHIN and one.outcome == "promoted")
        made.append(Deployment(one, at, failed, restored, rework))
        if failed:
            owed = at
        elif one.outcome == "promoted":
            owed = None
    return made


def _fate(one: Operation, later: Iterable[Operation]) -> tuple[str, datetime | None]:
    if one.outcome == "rolled back":
        return "rolled back by its own release", one.ended
    if one.outcome == "restored":
        return "could not be finished", one.ended
    if one.outcome != "promoted":
        return "", None
    for next_one in later:
        if next_one.kind == "rollback" and next_one.outcome == "rolled back":
            return "rolled back later", next_one.took_traffic or next_one.ended
        if next_one.kind == "release" and next_one.outcome == "promoted":
            break  # it left production the ordinary way
    return "", None


def first_arrivals(
    operations: Iterable[Operation], graph: Mapping[str, tuple[int, tuple[str, ...]]]
) -> tuple[list[Delivered], int]:
    """Return each commit's first arrival by a promoted release, and how many are dated after it (left out).

    `graph` maps a commit to its committer date (epoch seconds) and its parents. What the first release brought is
    history, not change, and is left out.
    """
    arrived: set[str] = set()
    found: list[Delivered] = []
    odd = 0
    first = True
    for one in operations:
        if one.kind != "release" or one.outcome != "promoted" or one.ended is None:
            continue
        new = _unseen(one.commit, graph, arrived)
        for commit in () if first else new:
            lead_s = one.ended.timestamp() - graph[commit][0]
            if lead_s < 0:
                odd += 1
            else:
                found.append(Delivered(commit, one.ended, lead_s))
        first = False
    return found, odd


def _unseen(start: str, graph: Mapping[str, tuple[int, tuple[str, ...]]], seen: set[str]) -> list[str]:
    """Return the ancestors of a commit, itself included, that were not seen before, and mark them as seen."""
    new: list[str] = []
    waiting = [start]
    while waiting:
        commit = waiting.pop()
        if commit in seen or commit not in graph:
            continue
        seen.add(commit)
        new.append(commit)
        waiting += graph[commit][1]
    return new


def median(values: Sequence[float]) -> float | None:
    """Return the median, None without values."""
    return statistics.median(values) if values else None


def dora_figures(
    deployments: Sequence[Deployment], arrivals: Sequence[Delivered], since: datetime, until: datetime
) -> tuple[Figure, ...]:
    """Return DORA's figures for what happened in [since, until)."""
    seen = [one for one in deployments if since <= one.at < until]
    days = (until - since).total_seconds() / DAY_S
    if deployments:  # an installation that is younger than the window is not blamed for the time before it
        days = min(days, max((until - deployments[0].at).total_seconds() / DAY_S, 1.0))
    failed = [one for one in seen if one.failed]
    restored = [one.restore_s for one in failed if one.restore_s is not None]
    leads = [one.lead_s for one in arrivals if since <= one.at < until]
    none = "nothing was deployed in this time"
    count = len(seen)
    unrestored = len(failed) - len(restored)
    return (
        Figure("deployment frequency", count / days if count else None, "/day", count, DAILY, "" if count else none),
        Figure(
            "lead time", median(leads), "s", len(leads), LEAD, "" if leads else "no commit with a known date arrived"
        ),
        Figure(
            "change failure rate", len(failed) / count if count else None, "", count, FAILURES, "" if count else none
        ),
        Figure(
            "time to restore",
            median(restored),
            "s",
            len(restored),
            RESTORE,
            (f"{unrestored} not restored yet" if unrestored else "") if restored else "no failure was restored",
        ),
        Figure(
            "rework rate",
            sum(one.rework for one in seen) / count if count else None,
            "",
            count,
            None,
            "" if count else none,
        ),
    )


def timing(name: str, seconds: Sequence[float], target: Target, none: str) -> Figure:
    """Return the median of durations against a target."""
    return Figure(name, median(seconds), "s", len(seconds), target, "" if seconds else none)


def in_words(figure: Figure) -> str:
    """Return a figure as people say it: "2.5 a day", "42 min", "3.1 %", "no data"."""
    if figure.value is None:
        return "no data"
    if figure.unit == "/day":
        return f"{figure.value:.1f} a day" if figure.value >= 1 else f"one in {1 / figure.value:.1f} days"
    if figure.unit == "":
        return f"{figure.value * 100:.1f} %"
    return duration(figure.value)


def duration(seconds: float) -> str:
    """Return seconds as people say them: "0.4 s", "12 s", "3.5 min", "2.1 h", "4.0 days"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    if seconds < 2 * DAY_S:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / DAY_S:.1f} days"
