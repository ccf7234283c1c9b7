"""What would happen to a first release, told without running anything: each row with its outcome and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from packaging.utils import canonicalize_name

from gates.adopt.propose import Proposal
from gates.adopt.tree import Tree, part, subtable, words
from gates.locks import read_lock
from gates.migrations.migrate_command import ToolKind
from gates.migrations.tools import choose_tool, telling
from gates.other_locks import is_other_lock


class Outcome(StrEnum):
    """How a row ends."""

    OK = "ok"
    BLOCKS = "blocks"
    UNKNOWN = "could not tell"


@dataclass(frozen=True)
class Row:
    """One question of a first release."""

    what: str
    outcome: Outcome
    why: str


@dataclass(frozen=True)
class Host:
    """What this host has. `python` is where the wanted one is, or why there is none; `engine` likewise, "" if no
    environment runs containers. `locks`: how other tools' locks would be taken, by their key, and why.
    """

    has_python: bool
    python: str
    has_engine: bool | None = None
    engine: str = ""
    locks: Mapping[str, tuple[Outcome, str]] = field(default_factory=dict)


def first_release(
    tree: Tree,
    proposal: Proposal,
    pipeline: Mapping[str, Any],
    settings: Mapping[str, Mapping[str, str]],
    host: Host,
) -> list[Row]:
    """Return the rows for a config/: `pipeline` is its pipeline.toml, `settings` are the keys of each environment."""
    if proposal.served is None:
        return [Row("app", Outcome.BLOCKS, proposal.draft.blocks[0].what)]
    python = f"{part(pipeline, 'app', 'python') or '3.11'}: {host.python}"
    rows = [Row("Python", Outcome.OK if host.has_python else Outcome.BLOCKS, python)]
    rows += [_lock(tree, key, part(pipeline, "locks", key), host) for key in ("runtime", "ci")]
    rows += [_command(proposal, pipeline), _health(proposal, pipeline), _migrations(tree, pipeline)]
    rows += _needs(proposal, settings)
    rows += _image(tree, proposal, pipeline, settings, host)
    rows.append(Row("licences", Outcome.UNKNOWN, "a lock names no licences; ci reads them in the wheels"))
    if not subtable(pipeline, "suites"):
        rows.append(Row("suites", Outcome.UNKNOWN, "none: nobody tests what is released"))
    told = {row.why for row in rows}
    rows += [
        Row("app", Outcome.BLOCKS, f"{one.what}; {one.cure}")
        for one in proposal.draft.blocks
        if not _is_told(one.what, told)
    ]
    return rows


def _is_told(what: str, told: Collection[str]) -> bool:
    return (
        any(what in why or why in what for why in told)
        or what.startswith(("migrations cannot", "the app needs"))
        or "is no lock" in what
    )


def _lock(tree: Tree, key: str, given: Any, host: Host) -> Row:
    file = given if isinstance(given, str) else str(part(given, "file") or "")
    what = f"lock {key}"
    if not file:
        return Row(what, Outcome.BLOCKS, "[locks] names none")
    if not tree.has(file):
        return Row(what, Outcome.BLOCKS, f"{file} is not in the repository; make it: slipway lock --write")
    if is_other_lock(file):
        return Row(what, *host.locks.get(key, (Outcome.UNKNOWN, f"{file} could not be read here")))
    lock = read_lock(tree.texts.get(file, ""))
    if lock.problems or not lock.packages:
        why = lock.problems[0] if lock.problems else "it names no package"
        return Row(what, Outcome.BLOCKS, f"{file}: {why}")
    return Row(what, Outcome.OK, f"{file}: {len(lock.packages)} packages, all with hashes")


def _command(proposal: Proposal, pipeline: Mapping[str, Any]) -> Row:
    command = words(subtable(pipeline, "run").get("command"))
    if not command:
        return Row("server", Outcome.BLOCKS, "[run] names no command")
    module = command[1:2] == ["-m"] and len(command) > 2
    package = command[2].partition(".")[0] if module else command[0]
    known = proposal.packages.where(str(canonicalize_name(package))) if proposal.packages else ""
    if known:
        return Row("server", Outcome.OK, f"{' '.join(command[2 * module :])} ({known})")
    if proposal.packages and proposal.packages.unread or not module and package == "python":
        return Row("server", Outcome.UNKNOWN, f"{' '.join(command)[:200]}: which package has it is not known here")
    return Row("server", Outcome.BLOCKS, f"{package} is not among the locked packages")


def _health(proposal: Proposal, pipeline: Mapping[str, Any]) -> Row:
    paths = words(subtable(pipeline, "health").get("paths")) or words(subtable(pipeline, "run").get("health"))
    known = {route.path.rstrip("/"): route.because for route in proposal.health}
    if found := [path for path in paths if path.rstrip("/") in known]:
        return Row("health", Outcome.OK, f"{found[0]} at {known[found[0].rstrip('/')]}")
    return Row("health", Outcome.UNKNOWN, f"{', '.join(paths) or 'no path'}: no route of that path was found")


def _migrations(tree: Tree, pipeline: Mapping[str, Any]) -> Row:
    migrate = words(subtable(pipeline, "run").get("migrate")) or None
    said = subtable(pipeline, "migrations")
    kind = ToolKind(said["kind"]) if said.get("kind") in list(ToolKind) else None
    config = str(said.get("config") or "")
    texts = {name: tree.texts.get(name, "") for name in telling(tree.names, config, migrate)}
    directory = str(subtable(pipeline, "app").get("directory") or ".")
    tool = choose_tool(kind, config, tree.names, texts, migrate, directory)
    if isinstance(tool, str):
        return Row("migrations", Outcome.BLOCKS, tool)
    if tool.kind is ToolKind.NONE:
        return Row("migrations", Outcome.OK, "none")
    if not migrate:
        return Row("migrations", Outcome.BLOCKS, f"{tool.kind} ({tool.config}) is there, and [run] migrate is not set")
    scheme = str(subtable(pipeline, "database").get("scheme") or "postgresql")
    judged = "its SQL is judged by ci" if scheme.startswith("postgres") else "nobody judges SQL but PostgreSQL's"
    return Row("migrations", Outcome.OK, f"{tool.kind} ({tool.config}); {judged}")


def _needs(proposal: Proposal, settings: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return a row for each variable that the app needs and an environment does not set."""
    wanted = {
        one.key.partition("_")[2]: one.because
        for one in proposal.draft.settings
        if one.key.startswith(("APP_", "SECRET_")) and (not one.off or one.key in _asked(proposal))
    }
    rows = []
    for name, because in wanted.items():
        unset = [where for where, keys in settings.items() if not {f"APP_{name}", f"SECRET_{name}"} & set(keys)]
        if unset:
            rows.append(Row("settings", Outcome.BLOCKS, f"{name} is not set in {', '.join(unset)} ({because})"))
    files = sorted({value for keys in settings.values() for value in keys.values() if value.startswith("file:")})
    rows += [Row("secrets", Outcome.UNKNOWN, f"{value}: it must be there when the app starts") for value in files]
    return rows or [
        Row("settings", Outcome.OK, f"{len(wanted)} that the app needs are set" if wanted else "the app needs none")
    ]


def _asked(proposal: Proposal) -> set[str]:
    return {question.key for question in proposal.draft.questions}


def _image(
    tree: Tree, proposal: Proposal, pipeline: Mapping[str, Any], settings: Mapping[str, Mapping[str, str]], host: Host
) -> list[Row]:
    """Return the rows of containers; one that says that there are none where no environment runs any."""
    users = in_containers(settings)
    if not users:
        return [Row("image", Outcome.OK, "none is needed: RUNTIME=process")]
    rows = [Row("engine", Outcome.OK if host.has_engine else Outcome.BLOCKS, host.engine)]
    for name in users:
        if not has_compose_file(tree, pipeline, name):
            file = _compose_file(pipeline, name) or "no file"
            rows.append(Row("compose", Outcome.BLOCKS, f"{name}: [image.compose] names {file}, which is not there"))
    rows += _roles(tree, proposal)
    return rows


def in_containers(settings: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the environments that run containers."""
    return [name for name, keys in settings.items() if keys.get("RUNTIME") == "compose"]


def has_compose_file(tree: Tree, pipeline: Mapping[str, Any], environment: str) -> bool:
    """Say whether the compose file that [image.compose] names for an environment is there."""
    file = _compose_file(pipeline, environment)
    return tree.has(file) or file.startswith("{release}")


def _compose_file(pipeline: Mapping[str, Any], environment: str) -> str:
    return str(subtable(pipeline, "image", "compose").get(environment) or "")


def _roles(tree: Tree, proposal: Proposal) -> list[Row]:
    stack = proposal.stack
    if stack is None:
        return []
    services = subtable(tree.yamls[stack.file].value, "services")
    rows: list[Row] = []
    unlabelled = [one for one in stack.services if one.role and one.open]
    if unlabelled:
        shown = ", ".join(f"{one.name}: {one.role}" for one in unlabelled)
        rows.append(Row("compose roles", Outcome.BLOCKS, f"{stack.file}: label slipway.role on each service ({shown})"))
    surplus: Sequence[str] = [
        one.name for one in stack.services if not one.role and not part(services, one.name, "profiles")
    ]
    if surplus:
        rows.append(Row("compose roles", Outcome.BLOCKS, f"{stack.file}: take out or label {', '.join(surplus)}"))
    targets = {name: part(one, "build", "target") for name, one in services.items() if part(one, "build") is not None}
    if targets:
        shown = ", ".join(f"{name} builds {target or 'the last stage'}" for name, target in list(targets.items())[:6])
        rows.append(Row("image target", Outcome.OK, shown))
    return rows or [Row("compose roles", Outcome.OK, "every service has one")]
