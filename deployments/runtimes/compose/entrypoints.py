"""What the app's containers start with, read from the image and from the scripts inside it, without starting them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from deployments.runtimes.compose.model import Stack
from gates.compose_roles import Role
from gates.scans.entrypoints import migration_in, scripts_in, words_of
from host.docker.engine import Engine

LABEL = "slipway.migrates"
DEPTH = 3
MOST_SCRIPTS = 20
LARGEST_SCRIPT = 256 * 1024
WAY_OUT = (
    "take it out and let Slipway run it: [run] migrate of config/pipeline.toml (docs/adopt.md, 5); if it does not run "
    f'when the container starts, label the service {LABEL}: "no"'
)


def self_migrating(engine: Engine, stack: Stack, images: Mapping[str, str]) -> list[str]:
    """Return what is wrong with services of the app that migrate when they start: two colours would race.

    `images` are the artifact's that services run, by service. Looks at the command line and at shell scripts that it
    leads to. An image that is not on the engine yet has nothing said of it, and is looked at once it is.
    """
    known = {image: engine.image(image) for image in dict.fromkeys(images.values())}
    found = []
    for name in [*stack.services(Role.SLOT), *stack.services(Role.SINGLETON), *stack.services(Role.TASK)]:
        service, image = stack.service(name), images.get(name, "")
        info = known.get(image)
        if info and not _labelled(service):
            command = _command(service, info["Config"])
            if seen := _find(engine, image, command, info["Config"].get("WorkingDir") or "/"):
                found.append(f"service {name}: {seen} runs when the container starts; {WAY_OUT}")
    return found


def migrating_commands(stack: Stack) -> list[str]:
    """Return which services of the app migrate when they start, as the file itself says: no image is looked into."""
    found = []
    for name in [*stack.services(Role.SLOT), *stack.services(Role.SINGLETON), *stack.services(Role.TASK)]:
        service = stack.service(name)
        line = " ".join([*words_of(service.get("entrypoint")), *words_of(service.get("command"))])
        if not _labelled(service) and (seen := migration_in(line)):
            found.append(f"service {name}: `{seen}` runs when the container starts; {WAY_OUT}")
    return found


def _labelled(service: Mapping[str, Any]) -> bool:
    return str((service.get("labels") or {}).get(LABEL, "")).lower() in ("no", "false")


def _command(service: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return what runs, as compose has it: an entrypoint of the file's own drops the image's command."""
    entrypoint, command = service.get("entrypoint"), service.get("command")
    if entrypoint is not None:
        return [*words_of(entrypoint), *words_of(command)]
    given = words_of(command) if command is not None else words_of(config.get("Cmd"))
    return [*words_of(config.get("Entrypoint")), *given]


def _find(engine: Engine, image: str, command: Sequence[str], directory: str) -> str | None:
    line = " ".join(command)
    if found := migration_in(line):
        return f"`{found}`"
    waiting = _absolute([*command, *scripts_in(line)], directory)
    seen: set[str] = set()
    for _ in range(DEPTH):
        waiting = [path for path in waiting if path not in seen][:MOST_SCRIPTS]
        seen |= set(waiting)
        texts = read_scripts(engine, image, waiting)
        for path, text in texts.items():
            if found := migration_in(text):
                return f"`{found}` in {path} of the image"
        waiting = [one for text in texts.values() for one in _absolute(scripts_in(text), directory)]
    return None


def _absolute(words: Iterable[str], directory: str) -> list[str]:
    paths = [word for word in words if word and not word.startswith("-") and not any(sign in word for sign in " =$;")]
    return list(dict.fromkeys(str(PurePosixPath(directory) / one) for one in paths))


def read_scripts(engine: Engine, image: str, paths: Sequence[str]) -> dict[str, str]:
    """Return those of the paths that are scripts of a shell in the image: by their first line or their name."""
    found = {}
    for path, content in engine.files_of(image, paths, LARGEST_SCRIPT).items():
        first = content.split(b"\n", 1)[0]
        if (first.startswith(b"#!") and b"sh" in first) or path.endswith((".sh", ".bash")):
            found[path] = content.decode(errors="replace")
    return found
