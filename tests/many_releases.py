"""A journal of thousands of releases, as the rollout writes it, without waiting for them."""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.journal.journal import FORMAT, GENESIS, Journal
from deployments.journal.ledger import read_ledger
from gates.release.operation import Operation

STEPS = (("install", 3.0), ("migrate", 1.5), ("start", 4.0), ("verify", 6.0), ("switch", 0.05), ("check", 5.0))
Row = tuple[datetime, str, dict[str, Any]]


def write_journal(file: Path, rows: Iterator[Row]) -> int:
    """Write entries as the journal does; return how many there are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    previous, seq = GENESIS, 0
    with open(file, "wb") as stream:
        for at, kind, data in rows:
            seq += 1
            body = {
                "v": FORMAT,
                "seq": seq,
                "at": at.isoformat(timespec="milliseconds"),
                "epoch": 1,
                "kind": kind,
                "data": data,
                "prev": previous,
            }
            body["hash"] = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
            previous = str(body["hash"])
            stream.write(json.dumps(body, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return seq


def operations_of(directory: Path) -> tuple[Operation, ...]:
    """Return the operations of the journal in a directory."""
    return tuple(read_ledger(Journal(directory).entries()).operations)


def releases(
    count: int, begin: datetime = datetime(2020, 1, 1, tzinfo=UTC), every: timedelta = timedelta(hours=5), seed: int = 1
) -> Iterator[Row]:
    """Yield the entries of `count` releases: most promoted, some rolled back at once, some by a person later."""
    chance = random.Random(seed)
    live: dict[str, Any] | None = None
    slot, at = "blue", begin
    for number in range(count):
        at = begin + every * number + timedelta(minutes=chance.uniform(0, 90))
        slot = "green" if slot == "blue" else "blue"
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        version = {"digest": digest, "version": f"v{number}", "commit": digest[:40]}
        fate = chance.choices(("good", "rolled back", "condemned"), (93, 5, 2))[0]
        for at, kind, data in _operation(number, "release", version, live, slot, at, fate, chance):
            yield at, kind, data
        if fate == "rolled back":
            continue
        if fate == "condemned" and live:
            back = {name: live[name] for name in ("digest", "version", "commit")}
            at += timedelta(minutes=chance.uniform(5, 60))
            yield at, "condemned", {"digest": digest, "reason": "a person saw it"}
            yield from _operation(number, "rollback", back, {**version, "slot": slot}, live["slot"], at, "good", chance)
            continue
        live = {**version, "slot": slot}


def _operation(
    number: int,
    kind: str,
    version: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    slot: str,
    at: datetime,
    fate: str,
    chance: random.Random,
) -> Iterator[Row]:
    mark = f"{kind[:3]}{number:09d}"
    if kind == "release":
        asked = at - timedelta(minutes=chance.uniform(1, 40))
        question = {
            "id": mark,
            "run": mark,
            "deployment": "release/prod",
            "parameters": {},
            "digest": version["digest"],
        }
        yield asked, "question", {**question, "expires": at.isoformat(), "pid": 1, "started": 1.0}
        yield at, "answer", {"id": mark, "ruling": "accepted", "reason": "Robin Reviewer"}
    yield at, "begin", {"id": mark, "operation": kind, "slot": slot, "run": mark, **version, "before": live}
    for name, seconds in STEPS:
        at += timedelta(seconds=seconds)
        if name == "start":
            for state in ("slot.starting", "slot.started"):
                yield at, state, {"slot": slot, "digest": version["digest"], "port": 20000 + number % 1000}
        if name in ("verify", "switch"):
            to = {**version, "slot": slot} if name == "switch" else live
            yield from _routed(at, number, slot, to)
        yield at, "step", {"name": name, "seconds": round(seconds * chance.uniform(0.8, 1.4), 3)}
    at += timedelta(seconds=60)
    good = fate != "rolled back"
    yield at, "judged", {"action": "promote" if good else "roll back", "reason": "error rate 0.00% within 1.00%"}
    yield at, "step", {"name": "bake", "seconds": 60.0}
    if not good:
        yield at, "condemned", {"digest": version["digest"], "reason": "error rate 4.00% exceeds 1.00%"}
        yield from _routed(at, number, slot, live)
        yield at, "slot.stopping", {"slot": slot}
        yield at, "slot.stopped", {"slot": slot}
    outcome = ("promoted" if kind == "release" else "rolled back") if good else "rolled back"
    yield at + timedelta(seconds=2), "step", {"name": "drain", "seconds": 2.0}
    yield at + timedelta(seconds=2), "end", {"id": mark, "outcome": outcome, "reason": "error rate 0.00%"}


def _routed(at: datetime, number: int, slot: str, live: Mapping[str, Any] | None) -> Iterator[Row]:
    weights = {live["slot"]: 100} if live else {}
    routing = {"version": f"e1-{number}", "ports": {"blue": 20001, "green": 20002}, "weights": weights}
    data = {"routing": {**routing, "preview_slot": slot, "preview_secret": "x" * 32}, "live": live}
    yield at, "routing", data
    yield at, "routed", {**data, "seconds": 0.005}
