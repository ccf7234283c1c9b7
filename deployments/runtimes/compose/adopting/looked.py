"""All that can be told of a compose file before anything runs: what would run, and everything that is in the way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.runtimes.compose.adopting.tree import is_tree, with_images
from deployments.runtimes.compose.entrypoints import migrating_commands
from deployments.runtimes.compose.files import unveiled
from deployments.runtimes.compose.left_out import untaken
from deployments.runtimes.compose.model import Stack
from deployments.runtimes.compose.problems import Unusable
from deployments.runtimes.compose.runtime import ComposeRuntime
from deployments.runtimes.compose.shown import without_secrets
from deployments.runtimes.layout import Installed
from gates.compose_roles import Role
from gates.folded import fold_services
from host.errors import ConfigError, ToolError

UNSEEN = "nobody could look whether ports, names, volumes and networks are somebody else's: {}"


@dataclass(frozen=True)
class Looked:
    """What was seen. `files`: those that would run, by name, as a person reads them; `unseen`: at what nobody could
    look, each with why.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    left_out: Sequence[str] = ()
    unseen: Sequence[str] = ()


def look(runtime: ComposeRuntime, installed: Installed) -> Looked:
    """Read and judge an artifact's compose file, or that of a tree which is none yet. Starts and writes nothing.

    No value is shown that looks like a secret.
    """
    absent = runtime.secrets.absent()
    try:
        stack = runtime.stack(installed)
    except Unusable as error:
        needs = [_needs(runtime, error.stack)] if error.stack else []
        found, unseen = _asked(lambda: _in_the_way(runtime, needs))
        return Looked(problems=fold_services([*error.problems, *absent, *found]), unseen=unseen)
    except ConfigError as error:
        return Looked(problems=[str(error), *absent])
    except ToolError as error:
        return Looked(problems=absent, unseen=[f"nobody could read the compose file: {error}"])
    if is_tree(installed):
        installed, in_images = with_images(installed, stack, runtime.place.name), migrating_commands(stack)
    else:
        in_images = runtime.image_problems(installed, stack)
    made = runtime.made(installed, stack)
    found, unseen = _asked(lambda: _in_the_way(runtime, made))
    problems = [*runtime.file_problems(installed, stack), *in_images, *absent, *found]
    taken = untaken(stack, runtime.place.settings.secrets)
    return Looked(
        _shown(runtime, made),
        fold_services(problems),
        [f"No container gets SECRET_{name}: the compose file does not name it." for name in taken],
        fold_services(runtime.left_out(installed)),
        unseen,
    )


def _asked(ask: Callable[[], Iterable[str]]) -> tuple[list[str], list[str]]:
    """Return what an engine says, and why nobody could ask it."""
    try:
        return list(ask()), []
    except ToolError as error:
        return [], [UNSEEN.format(error)]


def _in_the_way(runtime: ComposeRuntime, files: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    runtime.engine.info()
    return [why for file in files for why in runtime.obstacles(file)]


def _needs(runtime: ComposeRuntime, stack: Stack) -> dict[str, Any]:
    """Return what a file that cannot be made yet needs of an engine for its shared services."""
    names = stack.services(Role.SHARED)
    ports = {name: {"ports": stack.service(name).get("ports") or ()} for name in names}
    outside = {
        kind: {key: {"name": one["name"], "external": True} for key, one in (stack.model.get(kind) or {}).items()}
        for kind in ("networks", "volumes")
    }
    needs = {"name": runtime.names.shared, "services": ports, **outside}
    whole: dict[str, Any] = unveiled({**needs, "x-existing": list(runtime.place.settings.external)})
    return whole


def _shown(runtime: ComposeRuntime, made: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    once = [file for file in made if file["name"] == runtime.names.task]  # one project, one after another
    names = {id(file): f"{file['name']} {' '.join(file['services'])}" for file in once}
    return {names.get(id(file), file["name"]): runtime.projects.text(without_secrets(file)) for file in made}
