"""Look after the environments of this host, every few seconds, without a flow.

Repairs what an interrupted run left, retires the warm old slot after its window, asks a question again whose process
died, and tells Prefect the outcome of runs that could not tell it themselves. Needs neither Prefect nor a worker for
the first two. Beside that, in a thread for each environment, it follows how they are
(services/watch/health.py), and keeps the cockpit up to date (services/watch/cockpit.py).
"""

import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType

import structlog

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.journal.ledger import Ledger
from deployments.recovery import needs_repair, reconcile
from deployments.slots import publish, stop_slot
from gates.release.recovery import Repair
from host.errors import LeaseHeld, SlipwayError
from host.home import Home
from host.wait import back_off_s
from notify.outbox import Outbox
from services.logs import configure_logs
from services.watch.certificates import CertificateFollower
from services.watch.cockpit import Cockpit
from services.watch.health import HealthFollower
from services.watch.outcomes import report_outcomes
from services.watch.questions import ask_again, dead
from settings.hosts import targets
from settings.pipeline import read_pipeline

EVERY_S = 2.0
# A repair that fails is tried again, but a place that cannot be repaired must not be hammered.

log = structlog.get_logger("watch")


def repair(place: Environment) -> str | None:
    """Reconcile when something is unfinished and the lease is free. Returns what was done."""
    if place.holder() is not None or not place.supervisor.answers():
        return None
    if needs_repair(place)[0] is Repair.NOTHING:
        return None
    with place.lease("watch: reconcile") as lease:
        done, reason = reconcile(place, lease)
    return None if done is Repair.NOTHING else f"{done}: {reason}"


def retire(place: Environment, now: datetime) -> str | None:
    """Stop the warm old slot after the rollback window. Returns what was done."""
    warm = place.ledger().warm(timedelta(seconds=place.settings.rollback_window_seconds))
    if warm is None or now < warm[1] or place.holder() is not None or not place.supervisor.answers():
        return None
    with place.lease("watch: retire the old slot") as lease:
        still = place.ledger().warm(timedelta(seconds=place.settings.rollback_window_seconds))
        if still != warm:
            return None
        stop_slot(place, lease, warm[0])
        publish(place, lease, place.ledger().live)
    return f"slot {warm[0]} is retired: its rollback window ended at {warm[1]:%H:%M:%S} UTC"


def certificate(place: Environment) -> str | None:
    """Serve a new certificate. Returns what was done."""
    return place.front.renew() if place.supervisor.answers() else None


def questions(place: Environment, ledger: Ledger) -> str | None:
    """Ask again what a dead process asked. Returns what was done."""
    for question in list(ledger.questions.values()):
        if dead(question):
            return ask_again(place, question, datetime.now(UTC))
    return None


class Watch:
    """The loop over the environments of this host."""

    def __init__(self, places: list[Environment]) -> None:
        self.places = places
        self.stop = threading.Event()
        self._trouble: dict[str, tuple[int, datetime]] = {}

    def run(self) -> None:
        """Look until `stop` is set."""
        while not self.stop.wait(EVERY_S):
            for place in self.places:
                self._look(place)

    def _look(self, place: Environment) -> None:
        chores: dict[str, Callable[[], str | None]] = {
            "repair": lambda: repair(place),
            "certificate": lambda: certificate(place),
            "retire": lambda: retire(place, datetime.now(UTC)),
            "question": lambda: questions(place, place.ledger()),
            "report": lambda: report_outcomes(place),
        }
        for name, chore in chores.items():
            key = f"{place.name}/{name}"
            failures, after = self._trouble.get(key, (0, datetime.now(UTC)))
            if failures and datetime.now(UTC) < after:
                continue
            try:
                if done := chore():
                    log.info(name, environment=place.name, done=done)
                self._trouble.pop(key, None)
            except LeaseHeld:
                continue  # somebody began in this moment: the next look sees what they did
            except (SlipwayError, OSError) as error:
                pause = back_off_s(failures + 1)
                self._trouble[key] = (failures + 1, datetime.now(UTC) + timedelta(seconds=pause))
                log.error(name, environment=place.name, error=str(error), tries=failures + 1, again_in_s=pause)


def _loops(app: str, home: Home) -> list[Callable[[threading.Event], None]]:
    """Return what runs beside the chores. Places of their own: what is kept in one is not made for two threads."""
    followers = [
        HealthFollower(Environment.open(target, app, home), Outbox.of(home), PrefectApi()) for target in targets()
    ]
    cockpit = Cockpit([Environment.open(target, app, home) for target in targets()], Outbox.of(home), PrefectApi())
    asking = [Environment.open(target, app, home) for target in targets()]
    certificates = [CertificateFollower(place) for place in asking if place.settings.domains]
    return [*(one.run for one in followers), *(one.run for one in certificates), cockpit.run]


def main() -> int:
    """Run until SIGTERM. Exits 2 on bad configuration, which is said in one line; 1 when a loop broke."""
    configure_logs("watch")
    try:
        home = Home.find()
        app = read_pipeline().app.name
        watch = Watch([Environment.open(target, app, home) for target in targets()])
        loops = _loops(app, home)
    except SlipwayError as error:
        sys.stderr.write(f"watch: {error}\n")
        return 2

    broken: list[BaseException] = []

    def end(number: int, frame: FrameType | None) -> None:
        watch.stop.set()

    def follow(loop: Callable[[threading.Event], None]) -> None:
        """Run a loop. One that breaks ends the whole process, which the supervisor starts anew: none is missing."""
        try:
            loop(watch.stop)
        except Exception as error:
            log.exception("a loop broke")
            broken.append(error)
            watch.stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    log.info("watching", environments=[place.name for place in watch.places])
    threads = [threading.Thread(target=follow, args=(one,)) for one in loops]
    for thread in threads:
        thread.start()
    follow(lambda stop: watch.run())
    for thread in threads:
        thread.join()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
