"""What an environment looks like right now, for a person: `make status`, `monitor/<environment>`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployments.ledger import Ledger
from deployments.place import Place
from deployments.probe import look
from evidence.bundle import read_bundle
from evidence.errors import SlipwayError
from gates.verdict import Action


@dataclass(frozen=True)
class Overview:
    """One look. `problems` is empty when all is well."""

    environment: str
    url: str
    live: str
    health: str
    warm: str
    last: str
    doing: str
    problems: tuple[str, ...]

    def line(self) -> str:
        """Return it in one line."""
        return f"{self.environment}: {self.live}, {self.health}" + (f"; {self.doing}" if self.doing else "")

    def page(self) -> str:
        """Return it as markdown."""
        rows = {
            "address": self.url,
            "live": self.live,
            "health": self.health,
            "warm old version": self.warm or "none",
            "last operation": self.last or "none",
            "doing now": self.doing or "nothing",
            "problems": "; ".join(self.problems) or "none",
        }
        table = "\n".join(f"| {name} | {value.replace('|', '/')} |" for name, value in rows.items())
        return f"# {self.environment}\n\n| | |\n|---|---|\n{table}\n"


def overview(place: Place) -> Overview:
    """Look at journal, supervisor, router and health. Raises JournalError when the journal cannot be trusted."""
    ledger = place.ledger()
    holder = place.holder()
    warm = ledger.warm(timedelta(seconds=place.settings.rollback_window_seconds))
    health, problems = _health(place, ledger)
    if ledger.unfinished and holder is None:
        problems.append(f"the {ledger.unfinished.kind} {ledger.unfinished.id} was interrupted; watch will tidy up")
    last = ledger.operations[-1] if ledger.operations else None
    return Overview(
        environment=place.name,
        url=place.url,
        live=_live(ledger),
        health=health,
        warm=(
            f"{ledger.versions[ledger.slots[warm[0]].digest]} in {warm[0]} until {warm[1]:%H:%M:%S} UTC" if warm else ""
        ),
        last=f"{last.kind} of {last.version}: {last.outcome or 'unfinished'}" if last else "",
        doing=_doing(ledger, f"{holder.reason} (pid {holder.pid}, since {holder.since})" if holder else ""),
        problems=tuple(problems),
    )


def _live(ledger: Ledger) -> str:
    if ledger.live is None:
        return "nothing is live"
    age = datetime.now(UTC) - ledger.live.since
    return f"{ledger.live.version} in slot {ledger.live.slot} for {str(age).split('.', maxsplit=1)[0]}"


def _doing(ledger: Ledger, held: str) -> str:
    waiting = [f"waits for approval until {one.expires:%H:%M:%S} UTC" for one in ledger.questions.values()]
    return "; ".join([held, *waiting] if held else waiting)


def _health(place: Place, ledger: Ledger) -> tuple[str, list[str]]:
    if not place.supervisor.answers():
        return "not up", [f"{place.name} is not up on this host; run: make up"]
    if ledger.live is None:
        return "up", []
    problems = []
    expected = ledger.routing["version"] if ledger.routing else None
    if (seen := place.router.version()) != expected:
        problems.append(f"the router serves {seen or 'nothing'}, the journal says {expected}")
    try:
        paths = read_bundle(place.store, ledger.live.version.digest).run.health
    except SlipwayError as error:
        return "unknown", [*problems, str(error)]
    verdicts = [look(place.url, path) for path in paths]
    problems += [verdict.reason for verdict in verdicts if verdict.action is not Action.PROMOTE]
    return ("healthy" if not problems else "unhealthy"), problems
