"""With which tool does an app change its database's schema? Told by the commit's files; what is not known is named."""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gates.migrations.migrate_command import Command, ToolKind, read_command
from gates.repository_paths import TOP, below, is_top
from gates.strict_toml import TomlError, parse


@dataclass(frozen=True)
class MigrationTool:
    """A tool and the file, or folder, that it is set up by. `by_the_app`: only the app's own command can start it.
    `section` and `arguments` are what `[run] migrate` gives it, `named` is how it names the file from where it starts.
    """

    kind: ToolKind
    config: str = ""
    by_the_app: bool = False
    section: str = ""
    arguments: tuple[str, ...] = ()
    named: str = ""

    @property
    def folder(self) -> str:
        """Return where the tool starts, "." for the repository's own folder: beside its file, if nothing else says."""
        return self.config.removesuffix(self.named or self.config.rpartition("/")[2]).rstrip("/") or "."

    @property
    def file(self) -> str:
        """Return the path of its file from there."""
        return self.config if self.folder == "." else self.config.removeprefix(f"{self.folder}/")


# Whose text tells something, by the file's name.
_TOLD_BY = frozenset({"alembic.ini", "pyproject.toml", "manage.py"})
# Tools that nobody can judge here, by a file's path.
_OTHERS: Mapping[str, re.Pattern[str]] = {
    "aerich": re.compile(r"(?:^|/)aerich\.ini$"),
    "yoyo": re.compile(r"(?:^|/)yoyo\.ini$"),
    "piccolo": re.compile(r"(?:^|/)piccolo_migrations/|(?:^|/)piccolo_conf\.py$"),
    "Prisma": re.compile(r"(?:^|/)prisma/migrations/|(?:^|/)schema\.prisma$"),
    "Flyway": re.compile(r"(?:^|/)flyway\.(?:conf|toml)$"),
    "Liquibase": re.compile(r"(?:^|/)liquibase\.properties$|(?:^|/)db\.changelog[^/]*$"),
    "Sqitch": re.compile(r"(?:^|/)sqitch\.(?:plan|conf)$"),
    "Atlas": re.compile(r"(?:^|/)atlas\.(?:hcl|sum)$"),
    "peewee_migrate": re.compile(r"(?:^|/)peewee_migrate[^/]*\.py$"),
    "dbmate": re.compile(r"(?:^|/)db/migrations/[^/]+\.sql$"),
    "tern": re.compile(r"(?:^|/)tern\.conf$"),
}
_TABLES = ("aerich", "yoyo", "liquibase")  # of pyproject.toml
_NUMBERED_SQL = re.compile(r"(?:^|/)[VvRr]?[0-9]+[^/]*\.sql$", re.IGNORECASE)
# What lies in a folder of this name changes a schema, or only sounds so: asked, never guessed.
_SOUNDS_SO = re.compile(
    r"(?:^|/)(?:migrations?|alembic)/(?:[^/]+/)*(?!__init__\.py$)[^/]+\.(?:sql|py)$"
    r"|(?:^|/)versions/[0-9a-f]{4,}_[^/]*\.py$",
    re.IGNORECASE,
)
# Whose files are seldom those of the app itself.
_ASIDE = re.compile(r"(?:^|/)(?:tests?|testing|fixtures|docs?|examples?|samples?|templates?|vendor)/")
_PLACE = re.compile(r"^\s*script_location\s*[=:]", re.MULTILINE)
KEYS = '[migrations] kind = "alembic", "django", "sql" or "none", and config = its path'


def choose_tool(
    kind: ToolKind | None,
    config: str,
    names: Sequence[str],
    texts: Mapping[str, str],
    migrates: Sequence[str] | None,
    directory: str = TOP,
) -> MigrationTool | str:
    """Return the tool, or why nobody can judge what it does, with the next move.

    `kind` and `config` are what pipeline.toml says, None and "" for nothing. `names` are the commit's files, `texts`
    what stands in those that `telling` names. `migrates` is the command that migrates, as pipeline.toml has it, and
    `directory` where it starts: what lies there comes before what lies elsewhere.
    """
    if kind is ToolKind.NONE:
        return MigrationTool(kind)
    command = read_command(migrates)
    if kind and config:
        chosen = _said(kind, config, names, texts)
    elif command and command.config and kind in (None, command.kind):
        chosen = _named(command, names, texts, directory)
    else:
        near, told = _near(directory, names, texts, kind or (command.kind if command else None))
        chosen = _found(kind, command, near, told, migrates)
    return chosen if isinstance(chosen, str) or command is None else _held(chosen, command, names, directory)


def _near(
    directory: str, names: Sequence[str], texts: Mapping[str, str], expected: ToolKind | None
) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the files of the app's own folder when a tool is set up right there, else those below it when they tell
    of one, else all.
    """
    if is_top(directory):
        return names, texts
    inside = [name for name in names if below(directory, name)]
    told = {name: text for name, text in texts.items() if below(directory, name)}
    right_there = {name: text for name, text in told.items() if posixpath.dirname(name) == directory}
    if _wanted(right_there, expected):
        return inside, right_there
    return (inside, told) if _wanted(told, expected) or _others(inside, told) else (names, texts)


def _wanted(texts: Mapping[str, str], expected: ToolKind | None) -> list[MigrationTool]:
    return [one for one in _known(texts) if expected in (None, one.kind)]


def telling(names: Sequence[str], config: str, migrates: Sequence[str] | None) -> list[str]:
    """Return the files of a commit whose text tells something of its tool."""
    command = read_command(migrates)
    named = _files_named(command.config, names) if command and command.config else []
    return [name for name in names if name.rpartition("/")[2] in _TOLD_BY or name == config or name in named]


def _files_named(path: str, names: Sequence[str], directory: str = TOP) -> list[str]:
    """Return the files that a command may mean: the one that it names from the app's folder; without such a folder, or
    such a file there, it starts in one that nobody knows here.
    """
    tail = posixpath.basename(path) if path.startswith("/") else path
    meant = posixpath.normpath(posixpath.join(directory, path))
    if not is_top(directory) and meant in names:
        return [meant]
    return [name for name in names if name == tail or name.endswith(f"/{tail}")]


def _said(kind: ToolKind, config: str, names: Sequence[str], texts: Mapping[str, str]) -> MigrationTool | str:
    """Return the tool that pipeline.toml names, which is believed: the tool itself fails when it is not set up so."""
    if kind is ToolKind.SQL:
        below = "" if config == "." else f"{config}/"
        found = any(name.startswith(below) and name.lower().endswith(".sql") for name in names)
        return MigrationTool(kind, config) if found else f"[migrations] config: {config} has no files of SQL"
    if config not in names:
        return f"[migrations] config: {config} is no file of this commit"
    if (kind is ToolKind.DJANGO) != config.endswith(".py"):
        expected = "its manage.py" if kind is ToolKind.DJANGO else "its .ini, .cfg or pyproject.toml"
        return f"[migrations] config: {config} is no configuration of {kind}, expected {expected}"
    return MigrationTool(kind, config, kind is ToolKind.ALEMBIC and _is_without_place(config, texts))


def _named(command: Command, names: Sequence[str], texts: Mapping[str, str], directory: str) -> MigrationTool | str:
    """Return the tool whose configuration the command names."""
    files = _files_named(command.config, names, directory)
    if len(files) == 1:
        return _said(command.kind, files[0], names, texts)
    meant = f"may be any of {', '.join(files[:5])}" if files else "is no file of this commit"
    return f"[run] migrate names {command.config}, which {meant}: say which file sets up {command.kind}: {KEYS}"


def _held(tool: MigrationTool, command: Command, names: Sequence[str], directory: str) -> MigrationTool | str:
    """Return the tool with what the command gives it, or in what the two contradict each other."""
    if tool.kind is not command.kind:
        return (
            f"[run] migrate starts {command.kind}, and {tool.config or tool.kind} is of {tool.kind}: say which one "
            f"migrates the database: {KEYS}; or let [run] migrate start that one"
        )
    if command.config and tool.config not in _files_named(command.config, names, directory):
        return (
            f"[run] migrate names {command.config}, and [migrations] config is {tool.config}: expected the same file; "
            "say which one migrates the database in both"
        )
    relative = command.config if command.kind is ToolKind.ALEMBIC and command.config[:1] != "/" else ""
    return replace(tool, section=command.section, arguments=command.arguments, named=relative)


def _found(
    kind: ToolKind | None,
    command: Command | None,
    names: Sequence[str],
    texts: Mapping[str, str],
    migrates: Sequence[str] | None,
) -> MigrationTool | str:
    """Return the one tool that the files tell."""
    expected = kind or (command.kind if command else None)
    wanted = _wanted(texts, expected)
    others = [] if expected else _others(names, texts)
    if not wanted and not others:
        return _nothing_known(kind, command, names, migrates)
    shown = ", ".join([f"{one.kind} ({one.config})" for one in wanted][:5] + others[:5])
    if len(wanted) > 1 or others:
        return f"the commit has {shown}: say which one migrates the database: {KEYS}"
    if migrates and not expected:
        return (
            f"[run] migrate is {' '.join(migrates)[:80]!r}, of a tool that is not known, and the commit has {shown}: "
            f"say whether that is what it starts: {KEYS}"
        )
    if not kind and _ASIDE.search(wanted[0].config):
        return f"the commit has {shown} alone, in a folder of another use: say whether it migrates the database: {KEYS}"
    return wanted[0]


def _nothing_known(
    kind: ToolKind | None, command: Command | None, names: Sequence[str], migrates: Sequence[str] | None
) -> MigrationTool | str:
    if kind:
        return f"[migrations] kind: the commit has no configuration of {kind}; name it: [migrations] config"
    if command:
        return f"[run] migrate starts {command.kind}, and the commit has no configuration of it: name it: {KEYS}"
    if folders := _folders(name for name in names if _NUMBERED_SQL.search(name)):
        return f"the commit has numbered files of SQL in {', '.join(folders[:3])}: are these migrations? Say so: {KEYS}"
    if migrates:
        return f"[run] migrate is {' '.join(migrates)[:80]!r}, of a tool that is not known: say so: {KEYS}"
    if folders := _folders(name for name in names if _SOUNDS_SO.search(name) and not _ASIDE.search(name)):
        return (
            f"the commit has files in {', '.join(folders[:3])}: are these migrations, and of what tool? Say so: {KEYS}"
        )
    return MigrationTool(ToolKind.NONE)


def _folders(names: Iterable[str]) -> list[str]:
    return sorted({name.rpartition("/")[0] or "." for name in names})


def _known(texts: Mapping[str, str]) -> list[MigrationTool]:
    """Return the tools that are set up, by path. An alembic.ini beside a pyproject.toml is one with it."""
    found: dict[str, MigrationTool] = {}
    django = []
    for name, text in sorted(texts.items()):
        folder, _, file = name.rpartition("/")
        if file == "alembic.ini":
            found[folder] = MigrationTool(ToolKind.ALEMBIC, name, _is_without_place(name, texts))
        elif file == "pyproject.toml" and "alembic" in _tables(text):
            found.setdefault(folder, MigrationTool(ToolKind.ALEMBIC, name))
        elif file == "manage.py" and ("DJANGO_SETTINGS_MODULE" in text or "django.core.management" in text):
            django.append(MigrationTool(ToolKind.DJANGO, name))
    return [*found.values(), *django]


def _is_without_place(config: str, texts: Mapping[str, str]) -> bool:
    """Return whether neither an .ini nor the pyproject.toml beside it says where the revisions are."""
    beside = texts.get(f"{config.rpartition('/')[0]}/pyproject.toml".removeprefix("/"), "")
    told = config.endswith(".toml") or _PLACE.search(texts.get(config, "")) or "alembic" in _tables(beside)
    return not told


def _tables(text: str) -> Mapping[str, Any]:
    """Return `[tool]` of a pyproject.toml; nothing of one that cannot be read: other checks name it."""
    try:
        tool = parse(text).get("tool", {}) if text else {}
    except TomlError:
        return {}
    return tool if isinstance(tool, dict) else {}


def _others(names: Sequence[str], texts: Mapping[str, str]) -> list[str]:
    """Return the tools that are there and not known, each with the file that told it."""
    found = {}
    for tool, pattern in _OTHERS.items():
        if file := next((name for name in names if pattern.search(name)), None):
            found[tool] = file
    for name, text in texts.items():
        if name.rpartition("/")[2] == "pyproject.toml":
            found |= {table: name for table in _TABLES if table in _tables(text)}
    return [f"{tool} ({file})" for tool, file in found.items()]
