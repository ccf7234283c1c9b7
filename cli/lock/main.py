"""The command `slipway lock`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.lock.options import dropped_options
from cli.lock.plans import Plan, Tool, plans, project_folder
from cli.lock.proposal import check, propose
from cli.screen import doing, errors, escape
from host.errors import ConfigError, SlipwayError
from host.files import write_atomically
from settings.pipeline import read_pipeline


def lock(
    path: Annotated[
        Path | None, typer.Argument(help="the app's folder, or one list of requirements in it; without it this folder")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="write it, instead of printing it")] = False,
    python: Annotated[
        str | None, typer.Option(help="for this minor version; without it app.python of config/pipeline.toml")
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="run the code of packages without wheels, to learn what they ask for")
    ] = False,
) -> None:
    """Propose a lock with hashes, of what the app's own files ask for.

    A project of uv gets its uv.lock by `uv lock`; requirements.in, requirements.txt and pyproject.toml are compiled by
    `uv pip compile --generate-hashes`. Poetry, PDM and Pipenv make theirs themselves, and config/pipeline.toml takes
    those as they are. uv works in the sandbox, with the network and without keys, on copies; nothing is written without
    --write.
    """
    path = (path or Path.cwd()).absolute()
    folder = project_folder(path)
    wanted, version = plans(path), python or _python()
    for plan in wanted:
        with doing(f"{plan.tool}: {plan.source}, for Python {version}"):
            text = propose(plan, folder, version, build)
        problems = check(plan, text)
        for problem in problems:
            errors.print(f"[yellow]ci will refuse[/yellow] {escape(problem)}")
        for option in dropped_options(folder, plan.source) if plan.tool is Tool.COMPILE else ():
            errors.print(f"[yellow]not in the lock[/yellow] {escape(option)}")
        _hand_over(plan, folder, text, write and not problems)
        if problems:
            raise ConfigError(f"{plan.made}: ci would refuse it, so it was not written; mend {plan.source}")
    _tell_next(wanted, write)


def _python() -> str:
    try:
        return read_pipeline().app.python
    except SlipwayError:
        return f"{sys.version_info.major}.{sys.version_info.minor}"


def _hand_over(plan: Plan, folder: Path, text: str, write: bool) -> None:
    file = folder / plan.made
    if not write:
        typer.echo(f"# {plan.made}\n{text}")
        return
    if file.is_symlink():
        raise ConfigError(f"{file}: it is a link, and is not replaced; remove it, or lock what it leads to")
    try:
        write_atomically(file, text.encode(), 0o644)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error
    errors.print(f"written: {escape(str(file))}")


def _tell_next(wanted: list[Plan], write: bool) -> None:
    names = ", ".join(plan.made for plan in wanted)
    groups = f'; with groups: {{ file = "{wanted[0].made}", groups = ["dev"] }}' if wanted[0].tool is Tool.LOCK else ""
    first = "" if write else "to write it, add --write; "
    errors.print(
        escape(f"{first}then commit {names} and name it in config/pipeline.toml, [locks] runtime and ci{groups}")
    )
