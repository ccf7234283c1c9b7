"""What becomes of a change that GitHub told or that we found by asking: kept once, in order, or refused."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from gates.notify.webhooks import Change, Kind, line_of, overtaken, too_old, wanted
from notify.outbox import INCOMING, Outbox
from settings.notify import Notify

OLDER_KEPT = 20


class Intake:
    """Keeps changes on disk for the forwarder. Safe between threads. Methods raise OutboxError."""

    def __init__(self, notify: Notify, outbox: Outbox) -> None:
        self.notify = notify
        self.outbox = outbox
        self.on_news: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def take(self, change: Change, delivery: str, body: bytes, now: datetime | None = None) -> tuple[int, str]:
        """Keep a change; return an HTTP status and the reason.

        The delivery's id is not signed, so a repeated body is refused under any id. What is refused as too old was
        accepted, if ever, at a time when it is not remembered any more.
        """
        github = self.notify.github
        now = now or datetime.now(UTC)
        window = timedelta(hours=self.notify.receiver.replay_hours)
        if ignored := wanted(change, github.repository, github.branches, github.forks):
            return 200, f"ignored: {ignored.reason}"
        if too_old(change, now, window):
            return 409, f"it happened more than {window} ago"
        with self._lock:
            newest = self.newest(line_of(change))
            if newest and overtaken(change, (datetime.fromisoformat(newest["at"]), newest["commit"], newest["before"])):
                return 409, "out of order: a later change of the same branch is known"
            names = [f"delivery:{delivery}", f"body:{hashlib.sha256(body).hexdigest()}"]
            until = max(now, change.at) + 2 * window
            if newest and is_known(newest, change.commit, change.target):
                new = self.outbox.first(names, until)
                return (202, "the newest commit already: nothing new") if new else (409, "it was received before")
            if not self.outbox.accept(names, until, INCOMING, "change", encode(change, delivery)):
                return 409, "it was received before"
            self._remember(change, newest)
        self.on_news()
        return 202, f"{change.kind} of {change.commit[:12]} is kept"

    def newest(self, line: str) -> dict[str, Any] | None:
        """Return what is known of a line: its newest change's `at`, `commit`, `before` and `target`, and the `older`
        commits.
        """
        known: dict[str, Any] | None = self.outbox.recall(f"line:{line}")
        return known

    def _remember(self, change: Change, newest: dict[str, Any] | None) -> None:
        older = [*newest["older"], newest["commit"]] if newest else []
        older = [commit for commit in older if commit != change.commit][-OLDER_KEPT:]
        known = {"at": change.at.isoformat(), "commit": change.commit, "before": change.before, "older": older}
        known["target"] = change.target
        self.outbox.remember(f"line:{line_of(change)}", known)


def is_known(newest: Mapping[str, Any], commit: str, target: str) -> bool:
    """Say whether the newest change of a line is of this commit, and on its way to the same branch."""
    return bool(newest["commit"] == commit and newest.get("target", target) == target)


def encode(change: Change, delivery: str) -> dict[str, Any]:
    """Return a change as JSON."""
    return {**asdict(change), "at": change.at.isoformat(), "delivery": delivery}


def decode(body: dict[str, Any]) -> tuple[Change, str]:
    """Return a change and its delivery's id."""
    fields = {name: value for name, value in body.items() if name != "delivery"}
    return (
        Change(**{**fields, "kind": Kind(fields["kind"]), "at": datetime.fromisoformat(fields["at"])}),
        body["delivery"],
    )
