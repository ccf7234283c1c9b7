"""Measure a new version in its idle slot before it gets traffic: answers, queries, memory, processor."""

import time
from collections.abc import Mapping

from deployments.environment import Environment
from evidence.bundle import Bundle
from gates.release.verification import Figures, FitLimits, judge_figures
from gates.verdict import Action
from host.app_metrics import read_histogram
from host.errors import HealthError
from host.probe import PATIENCE_S, timed

ASKED_PER_SECOND = 20


class Fitness:
    """One measurement, from its making to `judge`: smoke tests may run in between, and their queries count."""

    def __init__(self, place: Environment, slot: str, bundle: Bundle) -> None:
        self.place, self.slot, self.bundle = place, slot, bundle
        self._rules = place.health_rules(bundle.run)
        self._queries = self._read()

    def _read(self) -> Mapping[float, float] | None:
        """Return the app's own histogram of query times, asked at the slot's endpoints and added up; None when the app
        names none.
        """
        metrics = self.bundle.metrics
        if metrics is None:
            return None
        counts: dict[float, float] = {}
        for endpoint in self.place.ledger().slots[self.slot].endpoints:
            found = read_histogram(endpoint.url, metrics.path, metrics.query, headers=self._rules.headers)
            for bound, count in found.items():
                counts[bound] = counts.get(bound, 0.0) + count
        return counts

    def judge(self, headers: Mapping[str, str]) -> str:
        """Ask the health paths for VERIFY_SECONDS, evenly, through the preview (or public) route; judge the figures.

        Raises HealthError with the reason when the version is not fit for traffic.
        """
        settings = self.place.settings
        before = self.place.runtime.usage(self.slot)
        times, failed = self._ask(headers)
        after = self.place.runtime.usage(self.slot)
        queries = self._read()
        seen = Figures(
            times_s=tuple(times),
            failed=failed,
            queries=None if queries is None or self._queries is None else (self._queries, queries),
            before=before,
            after=after,
        )
        limits = FitLimits(
            settings.max_p95_seconds,
            settings.max_query_p95_seconds,
            settings.max_memory_percent,
            settings.max_cpu_percent,
        )
        verdict = judge_figures(seen, limits)
        if verdict.action is not Action.PROMOTE:
            death = self.place.runtime.gone(self.slot)
            raise HealthError(f"not fit for traffic: {verdict.reason}" + (f"; {death}" if death else ""))
        return verdict.reason

    def _ask(self, headers: Mapping[str, str]) -> tuple[list[float], int]:
        settings, paths = self.place.settings, self.bundle.run.health
        times: list[float] = []
        failed = 0
        start = time.monotonic()
        for number in range(max(5, int(settings.verify_seconds * ASKED_PER_SECOND))):
            time.sleep(max(0.0, start + number / ASKED_PER_SECOND - time.monotonic()))
            taken, good = timed(self.place.url, paths[number % len(paths)], headers, self._rules)
            failed += not good
            times += [taken] if good else []
            if not good and taken > PATIENCE_S:  # it hangs, and each of the others would take as long
                break
        return times, failed
