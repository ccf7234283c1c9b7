"""What an environment looks like right now, for a person: `make status`, `monitor/<environment>`."""

from dataclasses import dataclass
from datetime import timedelta

from deployments.environment import Environment
from deployments.health import Probe, look_until_sure
from deployments.journal.ledger import Ledger
from gates.notify.messages import plain_markdown
from gates.release.condition import Condition, worst


@dataclass(frozen=True)
class Standing:
    """What the journal and the lease say of an environment. Texts are plain."""

    environment: str
    url: str
    live: str
    since: str
    warm: str
    last: str
    doing: str
    waits: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """One look. `problems` is empty when all is well."""

    standing: Standing
    health: str
    looked: tuple[Probe, ...]
    problems: tuple[str, ...]

    def line(self) -> str:
        """Return it in one line."""
        one = self.standing
        doing = "; ".join([*([one.doing] if one.doing else []), *one.waits])
        return f"{one.environment}: {one.live}, {self.health}" + (f"; {doing}" if doing else "")

    def page(self) -> str:
        """Return it as markdown: how the environment stands, and what was looked at."""
        one = self.standing
        rows = {
            "address": one.url,
            "live": one.live + (f", since {one.since}" if one.since else ""),
            "health": self.health,
            "warm old version": one.warm or "none",
            "last operation": one.last or "none",
            "doing now": one.doing or "nothing",
            "waits": "; ".join(one.waits) or "nothing",
            "problems": "; ".join(self.problems) or "none",
        }
        table = [f"| {name} | {plain_markdown(value)} |" for name, value in rows.items()]
        return "\n".join(
            [f"# {one.environment}", "", table[0], "|---|---|", *table[1:], "", looks_table(self.looked), ""]
        )


def looks_table(looked: tuple[Probe, ...]) -> str:
    """Return what was looked at, as a Markdown table; "" when nothing was."""
    if not looked:
        return ""
    rows = ["| looked at | found | why | seconds |", "|---|---|---|---:|"]
    for one in looked:
        found = plain_markdown(one.look.reason)
        rows.append(f"| {plain_markdown(one.what)} | {one.look.condition} | {found} | {one.seconds:.3f} |")
    return "\n".join(rows)


def standing(place: Environment, ledger: Ledger) -> Standing:
    """Return how an environment stands, without looking at what serves."""
    holder = place.holder()
    warm = ledger.warm(timedelta(seconds=place.settings.rollback_window_seconds))
    last = ledger.operations[-1] if ledger.operations else None
    live = ledger.live
    return Standing(
        environment=place.name,
        url=place.public_url,
        live=f"{live.version} in slot {live.slot}" if live else "nothing is live",
        since=f"{live.since:%Y-%m-%d %H:%M:%S} UTC" if live else "",
        warm=(
            f"{ledger.versions[ledger.slots[warm[0]].digest]} in {warm[0]} until {warm[1]:%H:%M:%S} UTC" if warm else ""
        ),
        last=f"{last.kind} of {last.version}: {last.outcome or 'unfinished'}" if last else "",
        doing=f"{holder.reason} (pid {holder.pid}, since {holder.since})" if holder else "",
        waits=tuple(
            f"waits for approval until {one.expires:%Y-%m-%d %H:%M:%S} UTC" for one in ledger.questions.values()
        ),
    )


def overview(place: Environment) -> Overview:
    """Look at journal, supervisor, router and health. Raises JournalError when the journal cannot be trusted."""
    ledger = place.ledger()
    losses = place.journal.losses()
    looked: tuple[Probe, ...] = ()
    problems: list[str] = []
    if not place.supervisor.answers():
        health = "not up"
        problems.append(f"{place.name} is not up on this host; run: make up")
    else:
        looked = look_until_sure(place, ledger)
        problems += [*place.front.problems(), *place.front.notes()]
        health = str(worst([one.look for one in looked]).condition) if looked else "up"
        problems += [one.look.reason for one in looked if _is_problem(one)]
    if ledger.unfinished and place.holder() is None:
        problems.append(f"the {ledger.unfinished.kind} {ledger.unfinished.id} was interrupted; watch will tidy up")
    problems += [f"{one}; see docs/operations.md, 'A lost end of the journal'" for one in losses if one.lost]
    return Overview(standing(place, ledger), health, looked, tuple(problems))


def _is_problem(one: Probe) -> bool:
    """Say whether somebody must do something: an app that calls itself degraded serves, and knows why it says so."""
    if one.what.startswith("/"):
        return one.look.condition is Condition.UNHEALTHY
    return one.look.condition is not Condition.HEALTHY
