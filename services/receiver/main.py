"""Take webhooks: GitHub's (`POST /github`) and Alertmanager's (`POST /alerts`, services/receiver/alerts.py). Verified,
written to disk and answered in milliseconds.

Beside it run the loops that hand them on (services/receiver/forward.py), ask GitHub for commits
(services/receiver/poll.py), follow the journals (services/notify/follow_journals.py) and tell GitHub what waits
(services/notify/github.py).
"""

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from control.plane import Control
from control.secret_references import alerts_token, secret_of
from deployments.environment import Environment
from gates.notify.webhooks import DELIVERY, Ignored, Refused, is_genuine, read_event
from host.errors import OutboxError, SlipwayError
from host.home import Home
from notify.channels import configured
from notify.outbox import IGNORED, INCOMING, Outbox
from services.logs import configure_logs
from services.notify.follow_journals import Follower
from services.notify.github import GitHubTeller
from services.receiver.alerts import Alerts
from services.receiver.forward import Forwarder
from services.receiver.intake import Intake
from services.receiver.poll import Poller
from services.receiver.read_body import Answered, read_body
from services.serving import serve
from settings.hosts import CI, pools, targets
from settings.notify import Notify, read_notify
from settings.pipeline import read_pipeline

PRUNE_EVERY_S = 6 * 3600.0

log = structlog.get_logger("receiver")


class Receiver:
    """The HTTP side. What it accepts is on the disk before it answers 202."""

    def __init__(self, notify: Notify, secret: str, intake: Intake, alerts: Alerts | None = None) -> None:
        self.notify = notify
        self.secret = secret
        self.intake = intake
        self.app = Starlette(
            routes=[
                Route("/github", self.github, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
                *([Route("/alerts", alerts.take, methods=["POST"])] if alerts else []),
            ]
        )

    async def health(self, request: Request) -> JSONResponse:
        """Say whether what arrives can be kept, and how much waits to be handed on. No secret is needed."""
        try:
            backlog = await run_in_threadpool(self.intake.outbox.backlog, INCOMING)
        except OutboxError:
            return JSONResponse({"ok": False}, status_code=503)
        return JSONResponse({"ok": True, "waiting": backlog.waiting})

    async def github(self, request: Request) -> JSONResponse:
        """Take one delivery: 202 when it is kept, 200 when nothing follows from it, else why it is refused."""
        try:
            status, said = await self._take(request)
        except Answered as refused:
            status, said = refused.status, str(refused)
        level = log.info if status < 400 else log.warning
        level("delivery", status=status, said=said, id=request.headers.get("x-github-delivery", "")[:64])
        return JSONResponse({"said": said}, status_code=status)

    async def _take(self, request: Request) -> tuple[int, str]:
        body = await read_body(request, self.notify.receiver.largest_bytes)
        signature = request.headers.get("x-hub-signature-256", "")
        if not is_genuine(self.secret, body, signature):
            raise Answered(401, "the signature is missing or does not fit this body and our secret")
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise Answered(415, "set the webhook's content type to application/json")
        delivery = request.headers.get("x-github-delivery", "")
        event = request.headers.get("x-github-event", "")
        if not DELIVERY.fullmatch(delivery) or not event:
            raise Answered(400, "X-GitHub-Delivery or X-GitHub-Event is missing or malformed")
        try:
            change = read_event(event, body, datetime.now(UTC))
        except Refused as error:
            raise Answered(400, str(error)) from error
        if isinstance(change, Ignored):
            await run_in_threadpool(self._count, change)
            return 200, f"ignored: {change.reason}"
        try:
            return await run_in_threadpool(self.intake.take, change, delivery, body)
        except OutboxError as error:
            log.error("cannot keep a delivery", error=str(error))
            raise Answered(503, "cannot be kept now; deliver it again later") from error

    def _count(self, ignored: Ignored) -> None:
        """Count what nothing follows from, for the exporter; that it cannot be counted is no reason to refuse it."""
        try:
            self.intake.outbox.count(f"{IGNORED}{ignored.counted_as}")
        except OutboxError as error:
            log.warning("cannot count an ignored delivery", error=str(error))


def keep_small(outbox: Outbox, stop: threading.Event, every_s: float = PRUNE_EVERY_S) -> None:
    """Have the outbox forget what is old, now and every `every_s` seconds, until `stop` is set."""
    while True:
        try:
            outbox.prune()
        except OutboxError as error:
            log.error("outbox", error=str(error))
        if stop.wait(every_s):
            return


def _places(home: Home) -> list[Environment]:
    app = read_pipeline().app.name
    return [Environment.open(target, app, home) for target in targets()]


def _loops(notify: Notify, home: Home, outbox: Outbox, intake: Intake) -> list[Callable[[threading.Event], None]]:
    """Return what else runs here: it tells how releases go, tells GitHub, and asks GitHub for commits."""
    places = _places(home)
    follower = Follower(notify, outbox, places, notify.ui_url or Control(home).url)
    loops: list[Callable[[threading.Event], None]] = [follower.run]
    if teller := GitHubTeller.of(notify, home, outbox):
        loops.append(teller.run)
    poller = Poller.of(notify, home, intake) if CI in pools() else None
    if poller:
        loops.append(poller.run)
    return loops


def main() -> int:
    """Run until SIGTERM. Exits 2 on bad configuration, which is said in one line."""
    configure_logs("receiver")
    try:
        home = Home.find()
        notify = read_notify()
        secret = secret_of(notify, "github.webhook_secret", home)
        if secret is None:
            raise SlipwayError("config/notify.toml: github.webhook_secret is not set: nothing could be verified")
        outbox = Outbox.of(home)
        configured(notify)  # a bad table is refused here, not when there is something to say
        outbox.prune()  # one that cannot be used is refused here too
        intake = Intake(notify, outbox)
        alerts = Alerts(notify, alerts_token(home), outbox, {place.name: place for place in _places(home)})
        loops = _loops(notify, home, outbox, intake)
        loops += [alerts.run, partial(keep_small, outbox)]
    except SlipwayError as error:
        sys.stderr.write(f"receiver: {error}\n")
        return 2
    stop = threading.Event()
    forwarder = Forwarder(notify, outbox, stop)
    intake.on_news = forwarder.news.set
    threads = [threading.Thread(target=forwarder.run), *(threading.Thread(target=one, args=(stop,)) for one in loops)]
    app, at = Receiver(notify, secret, intake, alerts).app, notify.receiver
    try:
        return serve(app, at.host, at.port, concurrency=64, grace_s=5, threads=threads, stop=stop)
    finally:
        forwarder.news.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
