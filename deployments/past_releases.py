"""What the journals, the evidence and the mirrored repositories say of past releases, for gates/delivery.py."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.journal.cache import Known, recall_past, remember_past
from deployments.journal.journal import GENESIS, Entry
from evidence.signing import Keys
from evidence.statements import read_checks
from evidence.store import Store
from gates.delivery import Operation
from host.errors import ServerAway, SlipwayError, SourceError
from host.git import git
from host.home import Home

PAGE = 200
MOST_RUNS = 2000
MOST_EVIDENCE = 200
# The kinds of entries that `fold` looks at: the others are verified and not read.
FOLDED = frozenset((b"begin", b"question", b"answer", b"step", b"routed", b"end"))
Graph = dict[str, tuple[int, tuple[str, ...]]]


@dataclass(frozen=True)
class Past:
    """One environment's journal: its operations, oldest first; (when, seconds) that approvals waited; and its head.

    `head` is the newest entry's number and hash: told to the outside it anchors the whole chain before it.
    """

    environment: str
    operations: tuple[Operation, ...]
    waited: tuple[tuple[datetime, float], ...]
    head: tuple[int, str]


@dataclass
class _Open:
    """An operation while its entries are read."""

    data: Mapping[str, Any]
    began: str
    took_traffic: str | None = None
    ended: str | None = None
    outcome: str = ""
    downtime_s: float = 0.0
    steps: list[tuple[str, float]] = field(default_factory=list)

    def close(self) -> Operation:
        data = self.data
        return Operation(
            id=data["id"],
            kind=data["operation"],
            version=data["version"],
            digest=data["digest"],
            commit=data["commit"],
            began=datetime.fromisoformat(self.began),
            took_traffic=datetime.fromisoformat(self.took_traffic) if self.took_traffic else None,
            ended=datetime.fromisoformat(self.ended) if self.ended else None,
            outcome=self.outcome,
            downtime_s=self.downtime_s,
            steps=tuple(self.steps),
        )


def read_past(place: Environment) -> Past:
    """Read an environment's journal, verified whole: once, then what came since. JournalError when it is damaged."""
    file = place.home.root / "reports" / f"{place.name}.past.json"
    with collecting_later():
        raw = place.journal.read()
        known = recall_past(file, raw) or Known(0, (0, GENESIS), (), ())
        fold, length, head = Fold(), 0, known.head
        for entry, length in place.journal.walk(raw[known.length :], known.head[1], FOLDED):
            fold.add(entry)
            head = (entry.seq, entry.hash)
        past = Past(place.name, (*known.operations, *fold.operations()), (*known.waited, *fold.waited), head)
        if length and fold.at_rest:
            remember_past(file, raw, Known(known.length + length, head, past.operations, past.waited))
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


class Fold:
    """Operations and approvals, from entries one by one: no more of a long journal is held than what comes of it."""

    def __init__(self) -> None:
        self.waited: list[tuple[datetime, float]] = []
        self._done: list[_Open] = []
        self._asked: dict[str, str] = {}

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations, oldest first."""
        return tuple(one.close() for one in self._done)

    @property
    def at_rest(self) -> bool:
        """Say whether nothing that was begun or asked is still open: what is read after it stands for itself."""
        return not self._asked and all(one.ended for one in self._done)

    def add(self, entry: Entry) -> None:
        """Take the next entry. Those that are neither are passed over quickly: there are many."""
        kind = entry.kind
        if kind == "begin":
            self._done.append(_Open(entry.data, entry.at))
        elif kind == "question":
            self._asked[entry.data["id"]] = entry.at
        elif kind == "answer":
            since = self._asked.pop(entry.data["id"], None)
            if since and entry.data["ruling"] in ("accepted", "rejected"):
                waited_s = (entry.time - datetime.fromisoformat(since)).total_seconds()
                self.waited.append((entry.time, waited_s))
        elif self._done and self._done[-1].ended is None:
            _add(self._done[-1], entry)


def _add(one: _Open, entry: Entry) -> None:
    data = entry.data
    if entry.kind == "step":
        one.steps.append((data["name"], data["seconds"]))
        one.downtime_s += data.get("downtime_s", 0.0)
    elif entry.kind == "routed":
        if one.took_traffic is None and data["live"] and data["live"]["digest"] == one.data["digest"]:
            one.took_traffic = entry.at
    elif entry.kind == "end" and data["id"] == one.data["id"]:
        one.ended, one.outcome = entry.at, data["outcome"]


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
