"""`slipway adopt --check`: what would happen to a first release, by the files and this host, without running ci."""

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from rich.table import Table

from cli.adopt.compose_rows import compose_rows
from cli.adopt.locks import read_locks
from cli.screen import console, escape
from gates.adopt.draft import ALL
from gates.adopt.propose import Proposal
from gates.adopt.pythons import MINOR
from gates.adopt.readiness import Host, Outcome, Row, first_release, has_compose_file, in_containers
from gates.adopt.tree import Tree, part
from gates.strict_toml import parse
from host.docker.engine import Engine
from host.errors import ConfigError, SlipwayError
from host.virtual_environments import interpreter
from settings.env_files import read_env_file
from settings.toml_files import read_toml
from tasks.adopt.written import write

COLOURS = {Outcome.OK: "green", Outcome.BLOCKS: "red", Outcome.UNKNOWN: "yellow"}


def rows_of(tree: Tree, proposal: Proposal, files: Mapping[str, str], folder: Path, repository: Path) -> list[Row]:
    """Return the rows for what is in `folder` if that is this app's, else for what would be written there. `repository`
    is where the checkout is, if there is one.
    """
    pipeline: Mapping[str, Any] = parse(files["pipeline.toml"]) if files else {}
    settings: dict[str, Mapping[str, str]] = {name: _keys(files.get(f"{name}.env", "")) for name in ALL}
    if not files:
        return first_release(tree, proposal, pipeline, settings, _host(tree, pipeline, settings))
    about, written = Row("config", Outcome.OK, f"as it would be proposed; nothing of this app is in {folder}"), False
    try:
        if found := _written(folder, pipeline):
            (pipeline, settings), written = found, True
            about = Row("config", Outcome.OK, f"as it stands in {folder}")
    except ConfigError as error:
        about = Row("config", Outcome.BLOCKS, f"{error}; what follows is of a new proposal")
    rows = [about, *first_release(tree, proposal, pipeline, settings, _host(tree, pipeline, settings))]
    asked = [name for name in in_containers(settings) if has_compose_file(tree, pipeline, name)]
    if not asked:
        return rows
    with tempfile.TemporaryDirectory(prefix="adopt-") as scratch:
        write(Path(scratch), {} if written else files)
        return rows + compose_rows(folder if written else Path(scratch), repository, asked)


def _keys(text: str) -> dict[str, str]:
    return {key: value or "" for key, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items()}


def _written(
    folder: Path, proposed: Mapping[str, Any]
) -> tuple[Mapping[str, Any], dict[str, Mapping[str, str]]] | None:
    """Return the config/ of a folder, None when it is of another app or not there. Raises ConfigError if it cannot be
    read.
    """
    if not os.path.exists(folder / "pipeline.toml"):
        return None
    pipeline = read_toml(folder / "pipeline.toml")
    if part(pipeline, "app", "name") != part(proposed, "app", "name"):
        return None
    return pipeline, {file.stem: read_env_file(file) for file in sorted(folder.glob("*.env"))}


def _host(tree: Tree, pipeline: Mapping[str, Any], settings: Mapping[str, Mapping[str, str]]) -> Host:
    """Return what this host has of what they ask for."""
    wanted = str(part(pipeline, "app", "python") or "3.11")
    locks: Mapping[str, tuple[Outcome, str]] = {}
    try:
        has_python, python = True, interpreter(wanted)
        locks = read_locks(tree, pipeline, wanted) if MINOR.fullmatch(wanted) else {}
    except SlipwayError as error:
        has_python, python = False, str(error)
    used = in_containers(settings)
    if not used:
        return Host(has_python, python, locks=locks)
    engine = Engine(settings[used[0]].get("DOCKER_HOST", ""))
    try:
        return Host(has_python, python, True, f"{engine.name}: Docker {engine.info().get('ServerVersion')}", locks)
    except SlipwayError as error:
        return Host(has_python, python, False, str(error), locks)


def print_rows(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    table = Table("what", "", "why")
    for row in rows:
        colour = COLOURS[row.outcome]
        table.add_row(escape(row.what), f"[{colour}]{row.outcome}[/{colour}]", escape(row.why))
    console.print(table)
