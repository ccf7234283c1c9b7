"""Take Alertmanager's webhooks, `POST /alerts`: kept once, then told to Prefect as events and to people.

An event `slipway.alert` for each, and `slipway.unhealthy` for a critical one about an environment. Only an alert of our
own rules that names the live digest may start a rollback: one that names none may be about the router or the host.
"""

import hmac
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.journal.ledger import Ledger, read_ledger
from gates.notify.alertmanager import Fired, Malformed, read_alerts, runbook_link
from gates.notify.texts import Alert, alert_posts
from gates.release.condition import Condition, Look
from gates.release.operation import Version
from host.errors import OutboxError, SlipwayError
from host.wait import back_off_s
from notify.announce import Entry, entries
from notify.condition_events import NAMESPACE, condition_event
from notify.outbox import ALERTS, Item, Outbox
from services.notify.queue_loop import run_queue
from services.receiver.read_body import Answered, read_body
from settings.alert_rules import critical_alerts
from settings.notify import Notify

LARGEST_BYTES = 1_000_000
# Alertmanager sends a firing alert again and again: the same beginning is the same alert for this long.
REMEMBERED = timedelta(days=30)
EVERY_S = 1.0
TOLD_SEVERITIES = ("critical", "warning")

log = structlog.get_logger("alerts")


class Alerts:
    """The HTTP side, and the loop that tells what it kept."""

    def __init__(
        self,
        notify: Notify,
        token: str,
        outbox: Outbox,
        places: Mapping[str, Environment],
        api: PrefectApi | None = None,
    ) -> None:
        self.notify = notify
        self.token = token
        self.outbox = outbox
        self.places = places
        self.news = threading.Event()
        self._api = api or PrefectApi()

    async def take(self, request: Request) -> JSONResponse:
        """Take one body: 202 when all of it is kept, else why it is refused."""
        try:
            status, said = await self._take(request)
        except Answered as refused:
            status, said = refused.status, str(refused)
        (log.info if status < 400 else log.warning)("alerts", status=status, said=said)
        return JSONResponse({"said": said}, status_code=status)

    async def _take(self, request: Request) -> tuple[int, str]:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(errors="replace"), f"Bearer {self.token}".encode()):
            raise Answered(401, "the bearer token is missing or not ours (keys/alertmanager)")
        body = await read_body(request, LARGEST_BYTES)
        try:
            fired = read_alerts(body, tuple(self.places))
        except Malformed as error:
            raise Answered(400, str(error)) from error
        try:
            new = await run_in_threadpool(lambda: sum(self._keep(one) for one in fired))
        except OutboxError as error:
            log.error("cannot keep an alert", error=str(error))
            raise Answered(503, "cannot be kept now; send it again later") from error
        self.news.set()
        return 202, f"{new} of {len(fired)} alerts are new"

    def _keep(self, one: Fired) -> bool:
        names = [f"alert:{one.mark}/{'over' if one.over else 'firing'}"]
        body = asdict(one) | {"starts": one.starts.isoformat()}
        return self.outbox.accept(names, datetime.now(UTC) + REMEMBERED, ALERTS, "alert", body)

    def run(self, stop: threading.Event) -> None:
        """Tell until `stop` is set."""
        run_queue(self.work, ALERTS, stop, EVERY_S, self.news)

    def work(self) -> None:
        """Tell what is due, once. What Prefect does not take is tried again. Raises OutboxError."""
        for kind, tell in (("alert", self._tell), ("event", self._emit)):
            for item in self.outbox.due(ALERTS):
                if item.kind == kind:
                    self._try(item, tell)

    def _try(self, item: Item, tell: Any) -> None:
        try:
            tell(item)
        except OutboxError:
            raise
        except (SlipwayError, OSError) as error:
            wait_s = back_off_s(item.tries + 1)
            log.warning(item.kind, error=str(error), again_in_s=wait_s)
            self.outbox.postpone(item, wait_s, str(error))

    def _tell(self, item: Item) -> None:
        """Have people told, and note the event; both or neither."""
        one = _read(item)
        posts = self._posts(one)
        name = f"alert:{one.fingerprint}"
        known = self.outbox.recall(name)
        newest = {"starts": one.starts.isoformat(), "over": one.over}
        late = known is not None and known["starts"] > newest["starts"]
        self.outbox.write([*posts, (ALERTS, "event", item.body)], {} if late else {name: newest})
        self.outbox.done(item)

    def _posts(self, one: Fired) -> list[Entry]:
        place = self.places.get(one.environment)
        if one.severity not in TOLD_SEVERITIES or (place is not None and not place.settings.alerts):
            return []
        link = runbook_link(one.runbook, self.notify.runbook_url or "")
        reason = one.summary if link or not one.runbook else f"{one.summary} (runbook: {one.runbook})"
        alert = Alert(one.environment or "Slipway", one.name, reason, link, over=one.over)
        return entries(self.notify, *alert_posts(f"alert:{one.environment}:{one.name}:{one.mark}", alert))

    def _emit(self, item: Item) -> None:
        one = _read(item)
        events = [_alert_event(one)]
        place = self.places.get(one.environment)
        if place is not None and one.critical and not one.over and self._still_fires(one):
            events.append(_unhealthy_event(place, one))
        self._api.call("POST", "/events", events)
        self.outbox.done(item)
        log.info("events", alert=one.name, environment=one.environment, events=[event["event"] for event in events])

    def _still_fires(self, one: Fired) -> bool:
        """Say whether its end is not known yet: what was told late must not undo what is good again."""
        known = self.outbox.recall(f"alert:{one.fingerprint}")
        return not (known and known["starts"] == one.starts.isoformat() and known["over"])


def _read(item: Item) -> Fired:
    return Fired(**{**item.body, "starts": datetime.fromisoformat(item.body["starts"])})


def _alert_event(one: Fired) -> dict[str, Any]:
    ending = "over" if one.over else "firing"
    return {
        "id": str(uuid.uuid5(NAMESPACE, f"slipway.alert/{one.mark}/{ending}")),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "slipway.alert",
        "resource": {
            "prefect.resource.id": f"slipway.environment.{one.environment}" if one.environment else "slipway.control",
            "prefect.resource.name": one.environment or "control",
            "slipway.alert": one.name,
            "slipway.severity": one.severity,
            "slipway.status": ending,
        },
        "payload": {"alert": one.name, "summary": one.summary[:500], "runbook": one.runbook[:500], "status": ending},
    }


def _unhealthy_event(place: Environment, one: Fired) -> dict[str, Any]:
    ledger = place.ledger()
    blamed, note = _blamed(place, ledger, one)
    look = Look(Condition.UNHEALTHY, f"{one.name}: {one.summary}")
    known = one.name in critical_alerts()
    if not known:
        note += f"; {one.name} is no critical alert of config/monitoring/alerts.yml: no rollback"
    event = condition_event(place, ledger, look, "alertmanager", one.mark, blamed, note)
    if not (known and one.digest):
        event["resource"]["slipway.rollback"] = "no"
    return event


def _blamed(place: Environment, ledger: Ledger, one: Fired) -> tuple[Version | None, str]:
    """Return the version that an alert blames: by its digest, else what was live when it began."""
    if one.digest:
        known = [version for digest, version in ledger.versions.items() if digest.startswith(one.digest)]
        blamed = known[0] if len(known) == 1 else Version(one.digest, "", "")
        return blamed, "named by the alert"
    then = read_ledger([entry for entry in place.journal.entries() if entry.time <= one.starts])
    return (then.live.version if then.live else None), "not named by the alert: what was live when it began"
