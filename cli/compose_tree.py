"""The compose file of a tree of which nothing is built yet: laid out as an artifact of it would be, and looked at."""

from dataclasses import replace
from pathlib import Path

from deployments.environment import Environment
from deployments.runtimes.compose.adopting.looked import Looked, look
from deployments.runtimes.compose.adopting.tree import candidate
from deployments.runtimes.compose.contain import BY_ITSELF
from deployments.runtimes.compose.runtime import ComposeRuntime
from deployments.runtimes.layout import Installed
from host.errors import ConfigError
from settings.pipeline import Pipeline
from tasks.build.compose_builds import plan_builds, take_along, taken
from tasks.source.laid_out import LaidOut, lay_out_branch, lay_out_tree

HERE = "<the artifact's files>"


def lay_out(pipeline: Pipeline, place: Environment, app: Path | None, folder: Path) -> tuple[Installed, LaidOut]:
    """Lay out a git working tree, or without `app` the newest commit of the app's branch, in an empty folder.

    Raises ConfigError if [image.compose] names no file for the environment, and SourceError if there is no such tree.
    """
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


def look_at_tree(pipeline: Pipeline, place: Environment, tree: Installed, folder: Path) -> Looked:
    """Return all that can be told of a tree's compose file, and why images could not be built of it. Starts nothing.

    `folder` is where it was laid out; no text names that place.
    """
    looked = look(ComposeRuntime(place), tree)
    unbuildable = _unbuildable(pipeline, place, tree, folder) if looked.files else []
    problems = [*looked.problems, *(one for one in unbuildable if one not in looked.problems)]
    source = str(tree.source.resolve())
    return replace(
        looked,
        files={name: text.replace(source, HERE) for name, text in looked.files.items()},
        problems=[one.replace(source, HERE) for one in problems],
    )


def _unbuildable(pipeline: Pipeline, place: Environment, tree: Installed, folder: Path) -> list[str]:
    """Return why images could not be built of a tree for all environments."""
    if pipeline.image is None:
        return []
    try:
        plan_builds(ComposeRuntime(place).engine, pipeline.image, tree.source, folder / "read", lambda said: None)
    except ConfigError as error:
        return [str(error)]
    return []
