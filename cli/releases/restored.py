"""`slipway restored`: record that an environment's database was put back to before its last migrations."""

from typing import Annotated

import typer

from cli.screen import say
from deployments.environment import Environment
from deployments.journal.entries import SchemaRestored
from host.home import Home
from settings.pipeline import read_pipeline
from settings.targets import Target


def restored(
    environment: Annotated[str, typer.Argument(help="the name of its file config/<name>.env, or its SHORT")],
    reason: Annotated[str, typer.Option(help="which dump, and why; written into the journal")],
) -> None:
    """Record in the journal that the old schema is back, so that a rollback may go to older versions again.

    Restore the dump first (docs/operations.md, "Dumps before migrations"), then run this, then roll back. Changes
    nothing else. Slipway does not check it: the journal takes your word.
    """
    place = Environment.open(Target.parse(environment), read_pipeline().app.name, Home.find())
    with place.lease("the database was restored") as lease:
        left = sorted(place.ledger().unsafe)
        place.journal.append(SchemaRestored(safe=left, reason=reason), lease.epoch)
    say(f"{len(left)} versions may be gone back to again: {', '.join(one[:12] for one in left) or 'none'}")
