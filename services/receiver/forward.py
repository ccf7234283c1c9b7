"""Hand on what the receiver kept: Prefect events that start `ci`, the end of runs that a newer commit replaces, and the
event that releases a green push to development. Kept on disk until Prefect took it; repeating does no harm.
"""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from control.prefect_api import PrefectApi
from gates.notify.webhooks import FINAL, Change, Kind, Run, line_of, superseded
from host.errors import SlipwayError
from host.wait import back_off_s
from notify.outbox import GITHUB, INCOMING, Item, Outbox
from services.notify.queue_loop import run_queue
from services.receiver.intake import decode, encode
from settings.notify import Notify

EVERY_S = 1.0
# An automation starts the run within a second of the event; a run that never came is given up after this.
RUN_COMES_WITHIN = timedelta(minutes=10)
RUN_ENDS_WITHIN = timedelta(hours=12)
# The event's id follows from the delivery's: the server drops one that it has seen.
NAMESPACE = uuid.UUID("5f6d2b0e-6a3e-4d0c-9a58-0c6f2c1f4b7d")

log = structlog.get_logger("forward")


class Forwarder:
    """The loop over the outbox's queue of what arrived."""

    def __init__(self, notify: Notify, outbox: Outbox, stop: threading.Event, api: PrefectApi | None = None) -> None:
        self.notify = notify
        self.outbox = outbox
        self.stop = stop
        self.news = threading.Event()
        self._api = api or PrefectApi()
        self._runs: list[Run] | None = None

    def run(self) -> None:
        """Work until `stop` is set."""
        run_queue(self.work, INCOMING, self.stop, EVERY_S, self.news)

    def work(self) -> None:
        """Handle everything that is due once. What fails is tried again later. Raises OutboxError."""
        self._runs = None
        kinds: dict[str, Callable[[Item], None]] = {"change": self._emit_change, "follow": self._follow}
        for item in self.outbox.due(INCOMING):
            if self.stop.is_set():
                return
            try:
                kinds[item.kind](item)
            except SlipwayError as error:
                wait_s = back_off_s(item.tries + 1)
                log.warning(item.kind, error=str(error), tries=item.tries + 1, again_in_s=wait_s)
                self.outbox.postpone(item, wait_s, str(error))

    def _emit_change(self, item: Item) -> None:
        change, delivery = decode(dict(item.body))
        if self._pushed_too(change):
            log.info("change", said="the push of the same commit starts ci", commit=change.commit)
            self.outbox.done(item)
            return
        self._emit(f"slipway.github.{change.kind}", change, delivery)
        self.outbox.put(INCOMING, "follow", encode(change, delivery), wait_s=1)
        self.outbox.done(item)
        log.info("event", kind=str(change.kind), branch=change.branch, commit=change.commit, fork=change.fork)

    def _pushed_too(self, change: Change) -> bool:
        """Say whether a pull request's commit is also the newest of a configured branch, for which ci starts anyway."""
        if change.kind is not Kind.PULL_REQUEST or change.fork or change.branch not in self.notify.github.branches:
            return False
        return self._newest(f"branch/{change.branch}") == change.commit

    def _newest(self, line: str) -> str | None:
        known = self.outbox.recall(f"line:{line}")
        return str(known["commit"]) if known else None

    def _emit(self, name: str, change: Change, delivery: str) -> None:
        labels = {
            "prefect.resource.id": f"slipway.github.{line_of(change)}",
            "prefect.resource.name": line_of(change),
            "slipway.repository": change.repository,
            "slipway.branch": change.branch,
            "slipway.fork": str(change.fork).lower(),
        }
        event = {
            "id": str(uuid.uuid5(NAMESPACE, f"{name}/{delivery}")),
            "occurred": datetime.now(UTC).isoformat(),
            "event": name,
            "resource": labels,
            # Strings only: Prefect refuses a run whose str parameter gets a number, and says so nowhere.
            "payload": {
                "repository": change.repository,
                "branch": change.branch,
                "target": change.target,
                "commit": change.commit,
                "before": change.before,
                "author": change.author,
                "number": str(change.number),
                "fork": str(change.fork).lower(),
                "delivery": delivery,
            },
        }
        self._api.call("POST", "/events", [event])

    def _follow(self, item: Item) -> None:
        """Cancel what this commit replaces, and release it to development once `ci` found it good."""
        change, delivery = decode(dict(item.body))
        self._cancel_older(change)
        mine = [run for run in self._ci_runs() if run.commit == change.commit]
        age = datetime.now(UTC) - item.created
        if any(run.state == "COMPLETED" for run in mine):
            self._release(change, delivery)
            self.outbox.done(item)
        elif all(run.state in FINAL for run in mine) if mine else age > RUN_COMES_WITHIN:
            log.info("not green", branch=change.branch, commit=change.commit, runs=[run.state for run in mine])
            self._tell_unfinished(change, mine)
            self.outbox.done(item)
        elif age > RUN_ENDS_WITHIN:
            self.outbox.done(item)
        else:
            self.outbox.postpone(item, 1.0)

    def _tell_unfinished(self, change: Change, runs: list[Run]) -> None:
        """End the pending status of a run that cannot do so itself any more: it was cancelled, or its process died."""
        github = self.notify.github
        told = any(run.state in ("COMPLETED", "FAILED") for run in runs)
        if told or not runs or not (github.statuses and github.repository and github.token):
            return
        body = {"commit": change.commit, "context": "slipway/ci", "state": "error", "url": ""}
        self.outbox.put(GITHUB, "status", {**body, "description": f"its run ended {runs[0].state.lower()}"})

    def _release(self, change: Change, delivery: str) -> None:
        if change.kind is not Kind.PUSH or change.branch not in self.notify.github.release_on_green:
            return
        if self._newest(line_of(change)) != change.commit:
            log.info("green, but a newer push is known", branch=change.branch, commit=change.commit)
            return
        self._emit("slipway.github.green", change, delivery)
        log.info("green", branch=change.branch, commit=change.commit)

    def _cancel_older(self, change: Change) -> None:
        known = self.outbox.recall(f"line:{line_of(change)}") or {}
        if known.get("commit") != change.commit:
            return
        heads = [self._newest(f"branch/{branch}") or "" for branch in self.notify.github.branches]
        for run in superseded(self._ci_runs(), known["older"], [*heads, change.commit]):
            kind = "CANCELLED" if run.state == "SCHEDULED" else "CANCELLING"
            self._api.set_state(run.id, kind, kind.title(), f"{change.commit[:12]} is newer on {change.branch}")
            log.info("cancelled", run=run.id, commit=run.commit, newer=change.commit)
            self._runs = None

    def _ci_runs(self) -> list[Run]:
        """Return the newest runs of `ci/push`; asked for once in a pass."""
        if self._runs is None:
            wanted = {"deployments": {"name": {"any_": ["push"]}}, "flows": {"name": {"any_": ["ci"]}}}
            query = {**wanted, "sort": "EXPECTED_START_TIME_DESC", "limit": 200}
            self._runs = [_run(found) for found in self._api.call("POST", "/flow_runs/filter", query) or []]
        return self._runs


def _run(found: dict[str, Any]) -> Run:
    made_by = found.get("created_by") or {}
    commit = str((found.get("parameters") or {}).get("commit") or "")
    return Run(str(found["id"]), commit, str(found["state_type"]), made_by.get("type") == "AUTOMATION")
