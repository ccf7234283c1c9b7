"""`slipway compose`: the compose files that a release would run, and everything that is in the way, before it."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import errors, escape
from deployments.candidate import verify_artifact
from deployments.environment import Environment
from deployments.preflight import choose_version
from deployments.runtimes.compose.adopting.label_patch import propose_labels
from deployments.runtimes.compose.adopting.looked import Looked, look
from deployments.runtimes.compose.adopting.tree import STAND_IN
from deployments.runtimes.compose.parse import text_of
from deployments.runtimes.compose.runtime import ComposeRuntime
from deployments.runtimes.layout import Installed
from host.errors import ConfigError
from host.home import Home
from settings.pipeline import read_pipeline
from settings.targets import Target

INCONCLUSIVE = 3
NOT_BUILT = f"nothing of it is built: images stand as {STAND_IN[:13]}..., and nobody looked into them"


def compose(
    environment: Annotated[str, typer.Argument(help="the name of its file config/<name>.env, or its SHORT")],
    app: Annotated[
        Path | None, typer.Option(help="a git working tree; without it the newest commit of the app's branch")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="instead a version, commit or digest that was built, or `live`")
    ] = None,
    write_labels: Annotated[
        bool, typer.Option("--write-labels", help="propose slipway.role for each service, as a patch for git apply")
    ] = False,
) -> None:
    """Print the compose files of a slot, of singletons and of shared services, made from the team's own file.

    Starts nothing and writes nothing. Secrets appear as ${NAME}, and values that look like one as ***. What of the
    team's file means nothing here is listed first. All that is in the way is told at once. Exits 1 when anything is,
    and 3 when nobody could look.
    """
    if version and (app or write_labels):
        raise ConfigError("--version names what was built, --app and --write-labels are about a tree: name one")
    pipeline = read_pipeline()
    place = Environment.open(Target.parse(environment), pipeline.app.name, Home.find())
    if version:
        _tell(look(ComposeRuntime(place), _released(place, version)))
        return
    with tempfile.TemporaryDirectory(prefix="slipway-tree-") as folder:
        from cli.compose_tree import lay_out, look_at_tree  # Prefect comes with them, which takes a second

        tree, laid_out = lay_out(pipeline, place, app, Path(folder))
        if write_labels:
            _write_labels(tree, place.name)
            return
        looked = look_at_tree(pipeline, place, tree, Path(folder))
        for line in (f"{laid_out.name}, for {place.name}: {NOT_BUILT}", *laid_out.notes):
            typer.echo(f"# {line}")
        _tell(looked)


def _released(place: Environment, version: str) -> Installed:
    live = place.ledger().live
    digest = live.version.digest if live and version == "live" else choose_version(place, version)
    return ComposeRuntime(place).laid_out(verify_artifact(place.store, digest))


def _write_labels(tree: Installed, environment: str) -> None:
    """Print a patch that gives each service its role, and why; apply nothing."""
    if tree.bundle.image is None:
        raise ConfigError(f"config/pipeline.toml: [image.compose] names no file for {environment}")
    name = tree.bundle.image.compose[environment]
    proposed = propose_labels(text_of(tree.source / name, name), name)
    for line in (*proposed.reasons, *proposed.undecided):
        errors.print(escape(line))
    typer.echo(proposed.patch, nl=False)
    if proposed.undecided:
        raise typer.Exit(1)


def _tell(looked: Looked) -> None:
    """Print what was seen; exit 1 when anything is in the way, 3 when nobody could look."""
    for line in looked.left_out:
        typer.echo(f"# Left out: {line}")
    for line in looked.notes:
        typer.echo(f"# {line}")
    typer.echo("\n---\n".join(looked.files.values()))
    for line in looked.problems:
        errors.print(f"[red]error:[/red] {escape(line)}")
    for line in looked.unseen:
        errors.print(f"[yellow]not looked at:[/yellow] {escape(line)}")
    if looked.problems:
        raise typer.Exit(1)
    if looked.unseen:
        raise typer.Exit(INCONCLUSIVE)
