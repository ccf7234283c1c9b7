"""`slipway adopt`: look at a repository, ask what cannot be known, and write a proposed config/."""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.adopt.answers import ask_each
from cli.adopt.first_release import print_rows, rows_of
from cli.adopt.shown import as_json, print_proposal
from cli.screen import fail, say
from gates.adopt.emit import files
from gates.adopt.propose import propose
from host.errors import ConfigError
from host.home import CHECKOUT
from tasks.adopt.repository import open_repository, read_tree
from tasks.adopt.written import differences, standing, write

CURE = "--force replaces them, --output DIR writes elsewhere"


def adopt(
    repository: Annotated[str, typer.Argument(help="a checkout, or the address of a git repository")] = ".",
    output: Annotated[Path, typer.Option(help="where the files are written")] = CHECKOUT / "config",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="take the default of each question")] = False,
    force: Annotated[
        bool, typer.Option(help="replace files that are there; without it their difference is shown")
    ] = False,
    check: Annotated[bool, typer.Option(help="say what would happen to a first release; write nothing")] = False,
    machine: Annotated[bool, typer.Option("--json", help="print the proposal as JSON; ask and write nothing")] = False,
) -> None:
    """Write a proposed config/ for a repository: each line says what it was inferred from.

    Reads only: no code of the repository is run. Exits 1 when something keeps the app from its first release, and when
    files are there that it would replace (--force).
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="adopt-") as scratch:
        found = open_repository(repository, Path(scratch))
        tree = read_tree(found.files)
    proposal = propose(tree, found.about)
    seconds = time.monotonic() - started
    if not (yes or check or machine) and proposal.draft.questions:
        proposal = ask_each(proposal, lambda answers: propose(tree, found.about, answers))
    texts = files(proposal.draft, found.about.author, found.about.email) if proposal.served else {}
    if machine:
        rows = rows_of(tree, proposal, texts, output, found.place)
        typer.echo(json.dumps(as_json(tree, proposal, texts, rows, seconds), indent=1))
        raise typer.Exit(1 if proposal.draft.blocks else 0)
    if check:
        rows = rows_of(tree, proposal, texts, output, found.place)
        print_rows(rows)
        raise typer.Exit(1 if any(row.outcome == "blocks" for row in rows) else 0)
    print_proposal(tree, proposal, seconds)
    if not texts:
        raise ConfigError(proposal.draft.blocks[0].what)
    if os.path.exists(output) and not output.is_dir():
        raise ConfigError(f"{output}: it is no folder; --output DIR names one")
    if (there := standing(output, texts)) and not force:
        typer.echo(differences(output, texts))
        fail(f"{output} has {', '.join(there)}: nothing was written; {CURE}")
        raise typer.Exit(1)
    for path in write(output, texts):
        say(f"wrote {path}")
    raise typer.Exit(1 if proposal.draft.blocks else 0)
