"""Keep the cockpit up to date in Prefect's UI: one page, and a variable for each environment. Told when it changed."""

import hashlib
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.overview import standing
from gates.release.condition import Condition
from host.errors import SlipwayError
from notify.outbox import Outbox
from notify.prefect_dashboard import KEY, cockpit_page, failed_runs, in_short, live_variable, variable_name
from settings.hosts import all_pools, pools
from settings.notify import read_notify

EVERY_S = 10.0

log = structlog.get_logger("cockpit")


class Cockpit:
    """The loop. Tells Prefect again after a restart, because its database may be another."""

    def __init__(self, places: Sequence[Environment], outbox: Outbox, api: PrefectApi) -> None:
        self.places = places
        self.outbox = outbox
        self.api = api
        self._told: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        trouble = ""
        while not stop.wait(EVERY_S):
            try:
                self.look()
                trouble = ""
            except (SlipwayError, OSError) as error:
                if str(error) != trouble:
                    log.error("cockpit", error=str(error))
                trouble = str(error)

    def look(self) -> None:
        """Tell what changed. Raises JournalError, OutboxError, ServerAway."""
        seen = []
        for place in self.places:
            ledger = place.ledger()
            condition = self._condition(place.name)
            seen.append((standing(place, ledger), condition))
            self._set_variable(variable_name(place.name), live_variable(ledger, condition))
        app = self.places[0].app
        ui_url = read_notify().ui_url or self.api.control.url
        page = cockpit_page(app, seen, failed_runs(self.api, datetime.now(UTC), ui_url))
        if self._is_news(KEY, page):
            body = {"key": _key(), "type": "markdown", "data": page, "description": in_short(app, seen)}
            self.api.call("POST", "/artifacts/", body)
            self._remember(KEY, page)

    def _condition(self, environment: str) -> str:
        known = self.outbox.recall(f"health:{environment}")
        return str(known["condition"]) if known else str(Condition.UNKNOWN)

    def _set_variable(self, name: str, value: dict[str, Any]) -> None:
        if not self._is_news(name, value):
            return
        if self.api.call("PATCH", f"/variables/name/{name}", {"value": value}) is None:
            self.api.call("POST", "/variables/", {"name": name, "value": value, "tags": ["slipway"]})
        self._remember(name, value)

    def _is_news(self, name: str, value: object) -> bool:
        return self._told.get(name) != _mark(value)

    def _remember(self, name: str, value: object) -> None:
        self._told[name] = _mark(value)


def _key() -> str:
    """Return the page's key: each host of an installation has a page of its own."""
    return KEY if pools() == all_pools() else f"{KEY}-{'-'.join(pools())}"


def _mark(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
