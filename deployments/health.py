"""Look at what serves an environment: its health endpoints through the public route, its router, its slot."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from deployments.candidate import read_artifact
from deployments.environment import Environment
from deployments.journal.ledger import Ledger
from gates.release.condition import Condition, Look, worst
from gates.release.operation import Live
from host.errors import PortTaken, SlipwayError
from host.probe import examine

SURE_AFTER = 3
PAUSE_S = 1.0


@dataclass(frozen=True)
class Probe:
    """One thing that was looked at, what was found, and how long that took."""

    what: str
    look: Look
    seconds: float


def look_around(place: Environment, ledger: Ledger, full: bool) -> tuple[Probe, ...]:
    """Look once at what is live; at nothing when nothing is.

    At the first health path; `full`: at every health path, the router, the slot or its engine, and the singletons. Only
    a health path makes the environment UNHEALTHY: while it answers well people are served, and the rest is DEGRADED.
    """
    live = ledger.live
    if live is None:
        return ()
    try:
        run = read_artifact(place.store, live.version.digest).bundle.run
    except SlipwayError as error:
        return (Probe("artifact", Look(Condition.DEGRADED, str(error)), 0.0),)
    paths = run.health if full else run.health[:1]
    rules = place.health_rules(run)
    # Side by side: an app that hangs costs one time-out, not one for each path.
    with ThreadPoolExecutor(max_workers=len(paths)) as pool:
        asked = [pool.submit(_timed, path, partial(examine, place.url, path, rules)) for path in paths]
        seen = [one.result() for one in asked]
    if full:
        seen.append(_timed("router", lambda: _router(place, ledger)))
        seen.append(_timed(f"slot {live.slot}", lambda: _slot(place, ledger, live)))
        seen += _singletons(place)
    return tuple(seen)


def look_until_sure(place: Environment, ledger: Ledger) -> tuple[Probe, ...]:
    """Look at everything; again when it is bad, because one bad look is none. Returns the last look."""
    for attempt in range(SURE_AFTER):
        if attempt:
            time.sleep(PAUSE_S)
        seen = look_around(place, ledger, full=True)
        if worst([one.look for one in seen]).condition is not Condition.UNHEALTHY:
            break
    return seen


def _timed(what: str, find: Callable[[], Look]) -> Probe:
    began = time.monotonic()
    return Probe(what, find(), time.monotonic() - began)


def _router(place: Environment, ledger: Ledger) -> Look:
    expected = ledger.routing["version"] if ledger.routing else None
    seen = place.router.version()
    if seen == expected:
        return Look(Condition.HEALTHY, f"serves {seen}")
    return Look(Condition.DEGRADED, f"the router serves {seen or 'nothing'}, the journal says {expected}")


def _slot(place: Environment, ledger: Ledger, live: Live) -> Look:
    """Ask the supervisor or the engine. One that does not answer is told as that: what it ran may still serve.

    UNHEALTHY if somebody else gets what people send to the slot, however well he answers.
    """
    known = ledger.slots.get(live.slot)
    try:
        place.runtime.listening(live.slot, known.endpoints if known else (), alone=False)
        gone = place.runtime.gone(live.slot)
        programs = place.runtime.programs(live.slot)
    except PortTaken as error:
        return Look(Condition.UNHEALTHY, f"slot {live.slot}: {error}")
    except (SlipwayError, OSError) as error:
        return Look(Condition.DEGRADED, f"slot {live.slot}: cannot be asked for: {error}")
    if gone:
        return Look(Condition.DEGRADED, f"slot {live.slot}: {gone}")
    return Look(Condition.HEALTHY, f"runs {live.version.version}" + f": {', '.join(programs)}" * (len(programs) > 1))


def _singletons(place: Environment) -> list[Probe]:
    """Look at the singletons, where there are any. Without one people are served, and its work waits."""
    began = time.monotonic()
    try:
        programs = place.runtime.programs()
    except (SlipwayError, OSError) as error:
        look = Look(Condition.DEGRADED, f"singletons: cannot be asked for: {error}")
    else:
        if not programs:
            return []
        bad = "; ".join(f"{name}: {state}" for name, state in programs.items() if state != "running")
        look = Look(Condition.DEGRADED, f"singletons: {bad}") if bad else Look(Condition.HEALTHY, ", ".join(programs))
    return [Probe("singletons", look, time.monotonic() - began)]
