"""Whether something is under way that the control plane must not be changed under."""

from deployments.home import Home
from deployments.hosts import targets
from deployments.pipeline import read_pipeline
from deployments.place import Place
from evidence.errors import LeaseHeld


def refuse_when_busy(home: Home) -> None:
    """Raise LeaseHeld when a release, a rollback or an approval is under way: their processes run the old code."""
    app = read_pipeline().app.name
    for place in (Place.open(target, app, home) for target in targets()):
        if holder := place.holder():
            raise LeaseHeld(
                f"{place.name} is being changed ({holder.reason}, since {holder.since}); try again after it"
            )
        for question in place.ledger().questions.values():
            raise LeaseHeld(
                f"{place.name} waits for an approval until {question.expires:%Y-%m-%d %H:%M} UTC (run {question.run}); "
                "answer or cancel it first"
            )
