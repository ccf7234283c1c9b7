"""One start of a slot: what was started, as long as it is that which runs and answers."""

from dataclasses import dataclass

from deployments.environment import Environment
from host.errors import PortTaken
from host.ports import Endpoints


@dataclass(frozen=True)
class Instance:
    """A slot since its start, by the runtime's mark of it. Everything may raise what the runtime cannot tell.

    `alone`: nobody may listen beside it either. So a new version is judged; one that serves is not given up because
    somebody listens at an address to which nothing is sent.
    """

    place: Environment
    slot: str
    endpoints: Endpoints
    generation: str
    alone: bool = True

    @classmethod
    def now(cls, place: Environment, slot: str, endpoints: Endpoints, *, alone: bool = True) -> "Instance":
        """Return what runs in a slot now."""
        return cls(place, slot, endpoints, place.runtime.generation(slot), alone)

    def gone(self) -> str | None:
        """Return why it does not run any more, with its last words; None while it does."""
        return self.place.runtime.gone(self.slot, self.generation)

    def holds(self) -> frozenset[str]:
        """Return the sockets at which it listens. Raises PortTaken if anybody else does."""
        return self.place.runtime.listening(self.slot, self.endpoints, alone=self.alone)

    def problem(self) -> str | None:
        """Return why what answers at its endpoints is not what was started; None while it is."""
        try:
            held = self.holds()
        except PortTaken as error:
            return f"slot {self.slot}: {error}"
        if death := self.gone():
            return death
        where = ", ".join(map(str, self.endpoints))
        return None if held else f"slot {self.slot}: it runs, and does not listen on {where}"
