"""Slots, and which of them serves: started, stopped, published to the router, brought back.

Intent is journaled before each effect, and each may be repeated after a crash at any point.
"""

from contextlib import suppress

from deployments.candidate import Artifact, read_artifact
from deployments.environment import Environment
from deployments.instance import Instance
from deployments.journal import entries
from deployments.journal.endpoints import write_endpoints
from deployments.journal.lease import Lease
from deployments.journal.ledger import Ledger
from deployments.router.router import Routing
from deployments.runtimes.layout import Installed
from gates.release.operation import Live
from host.errors import HealthError, PortTaken, RestoreError, SlipwayError, ToolError
from host.probe import await_healthy

PORTS = 3


def start_slot(place: Environment, lease: Lease, slot: str, artifact: Artifact) -> str:
    """Start a version in a slot (evicting what is there) and wait until it is healthy; raises HealthError, which says
    why it is not.

    A port that somebody else listens on is given up for another one, `PORTS` in all. Nothing of the version is known
    then: its process could not answer. Returns what it answered, and who had the ports before.
    """
    installed = place.runtime.installed(artifact)
    taken: list[str] = []
    while len(taken) < PORTS:
        try:
            said = _start_once(place, lease, slot, artifact, installed)
        except PortTaken as error:
            taken.append(str(error))
        else:
            return "; ".join([said, *(f"given up: {who}" for who in taken)])
    raise HealthError(f"{PORTS} ports were tried, and others had them: {'; '.join(taken)}")


def _start_once(place: Environment, lease: Lease, slot: str, artifact: Artifact, installed: Installed) -> str:
    """Raises PortTaken if somebody else listens at the port that was chosen, before the version was healthy there."""
    runtime = place.runtime
    stop_slot(place, lease, slot)
    endpoints = runtime.choose_endpoints()
    written = write_endpoints(endpoints)
    place.journal.append(entries.SlotStarting(slot=slot, digest=artifact.digest, port=written), lease.epoch)
    try:
        runtime.start(slot, installed, endpoints)
    except ToolError:
        runtime.listening(slot, endpoints, alone=True)  # an engine refuses a port that is taken
        raise
    said = _await_slot(Instance.now(place, slot, endpoints), artifact)
    place.journal.append(entries.SlotStarted(slot=slot, digest=artifact.digest, port=written), lease.epoch)
    return said


def stop_slot(place: Environment, lease: Lease, slot: str) -> None:
    """Stop what runs in a slot. Safe to repeat."""
    place.journal.append(entries.SlotStopping(slot=slot), lease.epoch)
    place.runtime.stop(slot)
    place.journal.append(entries.SlotStopped(slot=slot), lease.epoch)


def publish(place: Environment, lease: Lease, live: Live | None, preview: str | None = None) -> float:
    """Make the router send all traffic to `live`; return the seconds from written to confirmed.

    The journal's intent comes before, its confirmation after; the singletons follow. Raises RouterError with the old
    configuration back in force.
    """
    ledger: Ledger = place.ledger()
    routing = Routing(
        version=f"e{lease.epoch}-{ledger.entries + 1}",
        endpoints={name: slot.endpoints for name, slot in ledger.slots.items() if slot.running},
        weights={live.slot: 100} if live else {},
        preview_slot=preview,
        preview_secret=place.preview_secret(),
    )
    written, served = routing.to_dict(), entries.LiveData.of(live)
    place.journal.append(entries.RoutingIntended(routing=written, live=served), lease.epoch)
    seconds = place.router.publish(routing)
    place.journal.append(entries.RoutingConfirmed(routing=written, live=served, seconds=round(seconds, 4)), lease.epoch)
    if preview is None:
        place.runtime.follow(live)
    return seconds


def restore(place: Environment, lease: Lease, before: Live | None) -> str:
    """Make `before` live again: start its slot when it is down, switch, drain and stop the other. Safe to repeat.

    Raises RestoreError, which says what a person must do.
    """
    try:
        if orchestrator := place.runtime.orchestrator:
            orchestrator.wait_ready()
        ledger = place.ledger()
        if before is None:
            publish(place, lease, None)
            for slot in [name for name, one in ledger.slots.items() if one.running]:
                stop_slot(place, lease, slot)
            return "nothing was live before, and nothing is now"
        ensure_slot(place, lease, before.slot, read_artifact(place.store, before.version.digest))
        seconds = publish(place, lease, before)
        other = "green" if before.slot == "blue" else "blue"
        if other in ledger.slots and ledger.slots[other].running:
            place.router.drain(other, place.settings.drain_seconds)
            stop_slot(place, lease, other)
            publish(place, lease, before)
        return f"{before.version} serves again in slot {before.slot}, confirmed in {seconds * 1000:.1f} ms"
    except SlipwayError as error:
        what = f"{before.version} in slot {before.slot}" if before else "the empty state"
        raise RestoreError(
            f"{place.name}: could not bring back {what}: {error}; look at `make status`, then docs/operations.md, "
            "'A restore that failed'"
        ) from error


def ensure_slot(place: Environment, lease: Lease, name: str, artifact: Artifact) -> None:
    """Make sure that a version runs healthily in a slot; start it when it does not, or when somebody took its port."""
    slot = place.ledger().slots.get(name)
    if slot and slot.running and slot.digest == artifact.digest and place.runtime.gone(name) is None:
        with suppress(PortTaken):
            _await_slot(Instance.now(place, name, slot.endpoints, alone=False), artifact)
            return
    start_slot(place, lease, name, artifact)


def _await_slot(instance: Instance, artifact: Artifact) -> str:
    """Wait until every endpoint of a slot is healthy; return what the last one answered."""
    said = ""
    place = instance.place
    for endpoint in instance.endpoints:
        said = await_healthy(
            endpoint.url,
            artifact.bundle.run.health,
            place.settings.health_timeout_seconds,
            gone=instance.gone,
            holds=instance.holds,
            rules=place.health_rules(artifact.bundle.run),
        )
    return said
