"""Follow how one environment is: an event for each transition, an alert and its end. Never a flow run.

What was told last is kept in the outbox, so that a restart tells nothing twice. Prefect and people are told apart from
each other: neither waits for the other, and of a time when the server was away it learns what is, not what was.
"""

import threading
import time
from collections import deque
from typing import Any

import structlog

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.health import look_around
from deployments.journal.ledger import Ledger
from gates.notify.messages import as_text, cut
from gates.notify.texts import Alert, alert_message, alert_posts
from gates.release.condition import Condition, Damping, Look, judge_condition, worst
from host.errors import SlipwayError
from notify.announce import Entry, entries
from notify.condition_events import condition_event
from notify.outbox import Outbox
from settings.notify import Notify, read_notify

EVERY_S = 4.0
SOURCE = "watch"
LONGEST_REASON = 600

log = structlog.get_logger("health")


class HealthFollower:
    """Looks every few seconds while nobody changes the environment: a release watches for itself."""

    def __init__(self, place: Environment, outbox: Outbox, api: PrefectApi, damping: Damping | None = None) -> None:
        self.place = place
        self.outbox = outbox
        self.api = api
        self.damping = damping or Damping()
        self._looks: deque[Look] = deque(maxlen=self.damping.of)
        self._digest = ""
        self._now = Look(Condition.UNKNOWN, "")
        self._read: tuple[tuple[int, int], Ledger] | None = None
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set. Waits by the monotonic clock: one that is set back or forth changes nothing."""
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() + EVERY_S
            try:
                self.look()
                self._say_trouble("")
            except (SlipwayError, OSError) as error:
                self._say_trouble(str(error))

    def _say_trouble(self, error: str) -> None:
        """Log what is wrong once, not at every look."""
        if error and error != self._trouble:
            log.error("look", environment=self.place.name, error=error)
        self._trouble = error

    def look(self) -> Condition:
        """Look once, and tell what changed; return the condition of what is live. JournalError, OutboxError,
        ServerAway.
        """
        if self.place.holder() is not None:
            return self._now.condition
        ledger = self._ledger()
        if ledger.live is None or ledger.unfinished:
            return self._now.condition
        self._begin(ledger.live.version.digest)
        full = self.place.settings.watch == "full"
        seen = worst([one.look for one in look_around(self.place, ledger, full)])
        if self.place.holder() is not None:
            return self._now.condition  # somebody began while we looked
        self._looks.append(Look(seen.condition, cut(seen.reason, LONGEST_REASON)))
        self._now = judge_condition(self._now.condition, tuple(self._looks), self.damping)
        if self._now.condition is not Condition.UNKNOWN:
            self._tell(self._now)
            self._emit(ledger, self._now)
        return self._now.condition

    def _begin(self, digest: str) -> None:
        """Forget what was seen of another version: it says nothing about this one. A restart goes on as it was told."""
        if digest == self._digest:
            return
        known = self._told("health")
        self._now = Look(Condition(known["condition"]) if known["digest"] == digest else Condition.UNKNOWN, "")
        self._looks.clear()
        self._digest = digest

    def _ledger(self) -> Ledger:
        """Read the journal, once for each of its versions."""
        file = self.place.journal.file
        stamp = (file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else (0, 0)
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, self.place.ledger())
        return self._read[1]

    def _told(self, whom: str) -> dict[str, Any]:
        """Return the condition that was told last, of which digest, and how many were."""
        known: dict[str, Any] | None = self.outbox.recall(f"{whom}:{self.place.name}")
        return known or {"condition": str(Condition.UNKNOWN), "digest": "", "number": 0}

    def _tell(self, now: Look) -> None:
        """Write a transition down with its message, both or neither."""
        known = self._told("health")
        before = Condition(known["condition"])
        if now.condition is before:
            return
        number = known["number"] + 1
        log.info("condition", environment=self.place.name, condition=now.condition, reason=now.reason)
        fresh = {"condition": str(now.condition), "digest": self._digest, "number": number}
        alert: list[Entry] = []
        if self.place.settings.alerts and Condition.UNHEALTHY in (before, now.condition):
            over = now.condition is not Condition.UNHEALTHY
            mark = str(number - 1 if over else number)
            alert = self._alert(read_notify(), mark, now, over)
        self.outbox.write(alert, {f"health:{self.place.name}": fresh})

    def _alert(self, notify: Notify, mark: str, now: Look, over: bool) -> list[Entry]:
        what = str(Condition.UNHEALTHY)
        alert = Alert(self.place.name, what, now.reason, notify.runbook_url or "", over=over)
        log.warning("alert", text=as_text(alert_message(alert)))
        return entries(notify, *alert_posts(f"alert:{self.place.name}:{what}:{mark}", alert))

    def _emit(self, ledger: Ledger, now: Look) -> None:
        """Have Prefect know the condition; what it was told last is remembered only once it took it."""
        known = self._told("event")
        if (known["condition"], known["digest"]) == (now.condition, self._digest):
            return
        number = known["number"] + 1
        event = condition_event(self.place, ledger, now, SOURCE, f"{self._digest}/{number}")
        self.api.call("POST", "/events", [event])
        fresh = {"condition": str(now.condition), "digest": self._digest, "number": number}
        self.outbox.remember(f"event:{self.place.name}", fresh)
        log.info("event", environment=self.place.name, event_name=event["event"], labels=event["resource"])
