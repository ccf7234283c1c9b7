"""Watch a new version under real traffic until it can be judged."""

import time

from deployments.environment import Environment
from deployments.instance import Instance
from evidence.bundle import Run
from gates.release.analysis import SILENT_TO_BLAME_S, Judge, Limits, Probes, SlotCounters, observe
from gates.verdict import Action, Verdict
from host.errors import SlipwayError
from host.probe import PATIENCE_S, ask
from host.resources.patience import Patience

LOOK_EVERY_S = 0.5
PROBES_AT_ONCE = 10


def bake(
    place: Environment, instance: Instance, run: Run, baseline: tuple[SlotCounters, SlotCounters] | None = None
) -> tuple[Verdict, int]:
    """Judge the slot on the router's figures: ROLL_BACK as soon as it is bad, PROMOTE not before BAKE_SECONDS.

    Our own probes (BAKE_PROBES_PER_SECOND, through the public route) make up the number on a quiet service and are
    counted apart. One without an answer in time makes us wait for more; SILENT_TO_BLAME_S of nothing but those, by the
    time that the host could spare, are ROLL_BACK. So is a slot that is not the one that was started any more, whatever
    the figures say; nothing is judged while its keeper cannot be asked.
    What cannot be judged after BAKE_MAX_SECONDS is WAIT: missing data neither promotes nor condemns.
    Returns the verdict, and how many of our own probes failed.
    """
    settings, slot = place.settings, instance.slot
    limits = Limits(settings.min_requests, settings.max_error_rate, settings.max_p95_seconds, settings.max_p95_ratio)
    before = observe(baseline[1].since(baseline[0])) if baseline else None
    start = time.monotonic()
    judge = Judge(place.router.counters().get(slot, SlotCounters()), limits, before)
    probing = _Probing(place, run)
    while True:
        elapsed = time.monotonic() - start
        probing.catch_up(int(elapsed * settings.bake_probes_per_second))
        probes = probing.probes
        verdict = _same(instance, judge.look(place.router.counters().get(slot, SlotCounters()), probes))
        if verdict.action is Action.ROLL_BACK or (
            verdict.action is Action.PROMOTE and elapsed >= settings.bake_seconds
        ):
            return verdict, probes.failed
        if elapsed >= settings.bake_max_seconds and verdict.action is Action.WAIT:
            reason = f"inconclusive after {settings.bake_max_seconds:g} s: {verdict.reason}"
            return Verdict(Action.WAIT, reason), probes.failed
        time.sleep(LOOK_EVERY_S)


class _Probing:
    """Our own requests, one after the other."""

    def __init__(self, place: Environment, run: Run) -> None:
        self.place, self.path, self.rules = place, run.health[0], place.health_rules(run)
        self.probes = Probes()
        self._silence: Patience | None = None

    def catch_up(self, wanted: int) -> None:
        """Send until so many were sent, at most PROBES_AT_ONCE: a slow service is asked less often, not later."""
        for _ in range(min(wanted - self.probes.sent, PROBES_AT_ONCE)):
            since = self._silence or Patience(SILENT_TO_BLAME_S)
            asked = ask(self.place.url, self.path, patience_s=PATIENCE_S, rules=self.rules)
            self._silence = since if asked.late else None
            self.probes = self.probes.after(good=asked.good, late=asked.late, silent=asked.late and since.over())


def _same(instance: Instance, verdict: Verdict) -> Verdict:
    """Return the verdict of figures that are the slot's own; else ROLL_BACK, and WAIT when nobody can tell."""
    try:
        problem = instance.problem()
    except SlipwayError as error:
        waits = verdict.action is Action.PROMOTE
        return Verdict(Action.WAIT, f"the slot cannot be asked for: {error}") if waits else verdict
    return Verdict(Action.ROLL_BACK, problem) if problem and verdict.action is not Action.ROLL_BACK else verdict
