"""Get and renew the certificates that come from an ACME authority. Serving them is a chore of `watch` itself."""

import threading
from datetime import UTC, datetime

import structlog

from deployments.acme import Acme
from deployments.environment import Environment
from host.errors import SlipwayError
from tasks.source.locked_environments import own_tools

EVERY_S = 10.0

log = structlog.get_logger("certificates")


class CertificateFollower:
    """Asks for one environment. It waits for others: so it has a thread of its own."""

    def __init__(self, place: Environment) -> None:
        self.place = place
        self.acme = Acme(place)

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.wait(EVERY_S):
            self.look(datetime.now(UTC))

    def look(self, now: datetime) -> None:
        """Ask if it is time. The router must answer for us, so it is up."""
        if not self.acme.due(now) or not self.place.supervisor.answers() or not self.place.router.ready():
            return
        names = ", ".join(self.place.settings.domains)
        try:
            self.acme.obtain(own_tools("acme") / "bin" / "python")
            log.info("certificate", environment=self.place.name, names=names)
        except (SlipwayError, OSError) as error:
            log.error("certificate", environment=self.place.name, names=names, error=str(error))
