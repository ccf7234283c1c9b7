"""Refusal of commands that would change the control plane during a release or a question."""

from deployments.environment import Environment
from host.errors import LeaseHeld
from host.home import Home
from settings.hosts import targets
from settings.pipeline import read_pipeline


def refuse_when_busy(home: Home) -> None:
    """Raises LeaseHeld if a release, a rollback or an approval is under way: their processes run the old code."""
    app = read_pipeline().app.name
    for place in (Environment.open(target, app, home) for target in targets()):
        if holder := place.holder():
            raise LeaseHeld(
                f"{place.name} is being changed ({holder.reason}, since {holder.since}); try again after it"
            )
        for question in place.ledger().questions.values():
            raise LeaseHeld(
                f"{place.name} waits for an approval until {question.expires:%Y-%m-%d %H:%M} UTC (run {question.run}); "
                "answer or cancel it first"
            )
