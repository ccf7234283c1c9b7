"""What the journals, the evidence and the mirrored repositories say of past releases, for gates/delivery.py."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.journal.cache import CachedHistory, recall_past, remember_past
from deployments.journal.entries import EventKind
from deployments.journal.ledger import Approval, Ledger
from evidence.signing import Keys
from evidence.statements import read_checks
from evidence.store import Store
from gates.release.operation import Operation
from host.errors import ServerAway, SlipwayError, SourceError
from host.git import git
from host.home import Home

PAGE = 200
MOST_RUNS = 2000
MOST_EVIDENCE = 200
# The kinds of entries that operations and approvals are made of: the others are verified and not read.
HISTORY_KINDS = frozenset(
    kind.encode()
    for kind in (
        EventKind.BEGIN,
        EventKind.QUESTION,
        EventKind.ANSWER,
        EventKind.STEP,
        EventKind.ROUTED,
        EventKind.END,
    )
)
Graph = dict[str, tuple[int, tuple[str, ...]]]


@dataclass(frozen=True)
class Past:
    """One environment's journal: its operations and the approvals that were answered, oldest first; and its head.

    `head` is the newest entry's number and hash: told to the outside it anchors the whole chain before it.
    """

    environment: str
    operations: tuple[Operation, ...]
    approvals: tuple[Approval, ...]
    head: tuple[int, str]


def read_past(place: Environment) -> Past:
    """Read an environment's journal, verified whole: once, then what came since. Raises JournalError if it is
    damaged.
    """
    file = place.home.root / "reports" / f"{place.name}.past.json"
    with collecting_later():
        raw = place.journal.read()
        known = recall_past(file, raw) or CachedHistory()
        ledger = Ledger(live=known.live, operations=[*known.operations], approvals=[*known.approvals])
        length, head = 0, known.head
        for entry, length in place.journal.walk(raw[known.length :], known.head[1], HISTORY_KINDS):
            ledger.add(entry)
            head = (entry.seq, entry.hash)
        past = Past(place.name, tuple(ledger.operations), tuple(ledger.approvals), head)
        if length and not ledger.unfinished and not ledger.questions:
            news = CachedHistory(known.length + length, head, past.operations, past.approvals, ledger.live)
            remember_past(file, raw, news)
    return past


@contextmanager
def collecting_later() -> Iterator[None]:
    """Hold the garbage collector back: it would look through the same 200,000 new objects again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def commit_graph(home: Home) -> Graph:
    """Return committer date and parents of every commit in the repositories mirrored here. Fetches nothing.

    A repository that cannot be read is left out: its commits then have no lead time.
    """
    graph: Graph = {}
    for repository in sorted((home.cache / "repositories").glob("*.git")):
        for line in _log(repository).splitlines():
            commit, seconds, *parents = line.split()
            graph[commit] = (int(seconds), tuple(parents))
    return graph


def _log(repository: Path) -> str:
    try:
        return git("log", "--all", "--format=%H %ct %P", at=repository)
    except SourceError:
        return ""


@dataclass(frozen=True)
class CiRun:
    """One finished run of `ci`."""

    at: datetime
    seconds: float
    good: bool


def ci_runs(api: PrefectApi, since: datetime) -> list[CiRun] | None:
    """Return the finished `ci` runs since then, oldest first; None when the server is away: no data, not none."""
    found: list[CiRun] = []
    wanted: dict[str, Any] = {
        "flows": {"name": {"any_": ["ci"]}},
        "flow_runs": {
            "state": {"type": {"any_": ["COMPLETED", "FAILED"]}},
            "start_time": {"after_": since.isoformat()},
        },
        "sort": "START_TIME_DESC",
        "limit": PAGE,
    }
    try:
        for offset in range(0, MOST_RUNS, PAGE):
            page = api.call("POST", "/flow_runs/filter", {**wanted, "offset": offset}) or []
            found += [_ci_run(one) for one in page if one.get("start_time") and one.get("end_time")]
            if len(page) < PAGE:
                break
    except (ServerAway, SlipwayError):
        return None
    return sorted(found, key=lambda one: one.at)


def _ci_run(found: Mapping[str, Any]) -> CiRun:
    begin, end = (datetime.fromisoformat(found[name]) for name in ("start_time", "end_time"))
    return CiRun(begin.astimezone(UTC), (end - begin).total_seconds(), found["state_type"] == "COMPLETED")


@dataclass(frozen=True)
class Tested:
    """The suites of one commit: the seconds of the slowest (they run side by side) and the tests that were flaky."""

    at: datetime
    seconds: float
    flaky: tuple[str, ...]


def tested(home: Home, suites: Sequence[str], since: datetime) -> list[Tested]:
    """Return what the newest signed evidence says of the suites, oldest first. What is not genuine is left out."""
    store, keys = Store(home.store), Keys(home.keys)
    found: list[Tested] = []
    for digest in store.artifacts()[-MOST_EVIDENCE:]:
        try:
            checked = read_checks(store, keys, digest)
        except SlipwayError:
            continue
        if checked is None or checked.at < since:
            continue
        mine = [check for check in checked.checks if check.name in suites and not check.source_run]
        notes = [note for check in mine for note in check.notes if note.startswith("flaky: ")]
        if mine:
            flaky = tuple(note.removeprefix("flaky: ").split(" failed,")[0] for note in notes)
            found.append(Tested(checked.at, max(check.seconds for check in mine), flaky))
    return sorted(found, key=lambda one: one.at)


def window(days: float, until: datetime | None = None) -> tuple[datetime, datetime]:
    """Return the last `days` days, up to now."""
    until = until or datetime.now(UTC)
    return until - timedelta(days=days), until
