"""`slipway compose`: the compose files that a release would run, and everything that is in the way, before it."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.screen import errors, escape
from deployments.candidate import verify_artifact
from deployments.environment import Environment
from deployments.preflight import choose_version
from deployments.runtimes.compose.adopting.label_patch import propose_labels
from deployments.runtimes.compose.adopting.looked import Looked, look
from deployments.runtimes.compose.adopting.tree import STAND_IN, candidate
from deployments.runtimes.compose.contain import BY_ITSELF
from deployments.runtimes.compose.parse import text_of
from deployments.runtimes.compose.runtime import ComposeRuntime
from deployments.runtimes.layout import Installed
from host.errors import ConfigError
from host.home import Home
from settings.pipeline import Pipeline, read_pipeline
from settings.targets import Target

if TYPE_CHECKING:
    from tasks.source.laid_out import LaidOut

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
        tree, laid_out = _tree(pipeline, place, app, Path(folder))
        if write_labels:
            _write_labels(tree, place.name)
            return
        looked = look(ComposeRuntime(place), tree)
        for line in (f"{laid_out.name}, for {place.name}: {NOT_BUILT}", *laid_out.notes):
            typer.echo(f"# {line}")
        built = _unbuildable(place, pipeline, tree, Path(folder)) if looked.files else []
        _tell(looked, [one for one in built if one not in looked.problems], str(tree.source.resolve()))


def _released(place: Environment, version: str) -> Installed:
    live = place.ledger().live
    digest = live.version.digest if live and version == "live" else choose_version(place, version)
    return ComposeRuntime(place).laid_out(verify_artifact(place.store, digest))


def _tree(pipeline: Pipeline, place: Environment, app: Path | None, folder: Path) -> tuple[Installed, "LaidOut"]:
    """Lay out a tree as an artifact of it would be."""
    from tasks.build.compose_builds import take_along, taken  # Prefect comes with them, which takes a second
    from tasks.source.laid_out import lay_out_branch, lay_out_tree

    wanted = pipeline.image
    name = wanted.compose.get(place.target) if wanted else None
    tree = candidate(pipeline, folder / "installed", taken(name) if name else BY_ITSELF[0], place.name)
    scratch = folder / "scratch"
    scratch.mkdir()
    if app:
        laid_out = lay_out_tree(app.resolve(), tree.source, scratch)
    else:
        laid_out = lay_out_branch(pipeline.app, tree.source, scratch)
    if wanted and name:
        take_along(wanted, tree.source)
        return tree, laid_out
    found = [one for one in BY_ITSELF if (tree.source / one).is_file()]
    raise ConfigError(
        f"config/pipeline.toml: [image.compose] names no file for {place.name}; write there: {place.name} = "
        f'"{found[0] if found else "<path of the compose file>"}"'
    )


def _unbuildable(place: Environment, pipeline: Pipeline, tree: Installed, folder: Path) -> list[str]:
    """Return why images could not be built of a tree for all environments."""
    from tasks.build.compose_builds import plan_builds

    if pipeline.image is None:
        return []
    try:
        plan_builds(ComposeRuntime(place).engine, pipeline.image, tree.source, folder / "read", lambda said: None)
    except ConfigError as error:
        return [str(error)]
    return []


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


def _tell(looked: Looked, more: Iterable[str] = (), source: str = "") -> None:
    """Print what was seen; exit 1 when anything is in the way, 3 when nobody could look."""
    for line in looked.left_out:
        typer.echo(f"# Left out: {line}")
    for line in looked.notes:
        typer.echo(f"# {line}")
    text = "\n---\n".join(looked.files.values())
    typer.echo(text.replace(source, "<the artifact's files>") if source else text)
    problems = [*looked.problems, *more]
    for line in problems:
        said = line.replace(source, "<the artifact's files>") if source else line
        errors.print(f"[red]error:[/red] {escape(said)}")
    for line in looked.unseen:
        errors.print(f"[yellow]not looked at:[/yellow] {escape(line)}")
    if problems:
        raise typer.Exit(1)
    if looked.unseen:
        raise typer.Exit(INCONCLUSIVE)
