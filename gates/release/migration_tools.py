"""With which tool does an app change its database's schema? Told by the commit's files; what is not known is named."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ToolKind(StrEnum):
    """The tools whose migrations can be judged."""

    ALEMBIC = "alembic"
    DJANGO = "django"
    SQL = "sql"
    NONE = "none"


@dataclass(frozen=True)
class MigrationTool:
    """A tool and the file, or folder, that it is set up by. `by_the_app`: only the app's own command can start it."""

    kind: ToolKind
    config: str = ""
    by_the_app: bool = False

    @property
    def folder(self) -> str:
        """Return the folder that the configuration lies in, "." for the repository's own."""
        return self.config.rpartition("/")[0] or "."


# Whose text tells something, by the file's name.
TOLD_BY = frozenset({"alembic.ini", "pyproject.toml", "manage.py"})
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
}
_TABLES = ("aerich", "yoyo", "liquibase")  # of pyproject.toml
NUMBERED_SQL = re.compile(r"(?:^|/)[VvRr]?[0-9]+[^/]*\.sql$")
_PLACE = re.compile(r"^\s*script_location\s*[=:]", re.MULTILINE)
KEYS = '[migrations] kind = "alembic", "django", "sql" or "none", and config = its path'


def choose_tool(
    kind: ToolKind | None, config: str, names: Sequence[str], texts: Mapping[str, str], migrates: Sequence[str] | None
) -> MigrationTool | str:
    """Return the tool, or why nobody can judge what it does, with the next move.

    `kind` and `config` are what pipeline.toml says, None and "" for nothing. `names` are the commit's files, `texts`
    what stands in those that TOLD_BY names. `migrates` is the command that migrates, as pipeline.toml has it.
    """
    if kind is ToolKind.NONE:
        return MigrationTool(kind)
    if kind is ToolKind.SQL:
        found = any(name.startswith(f"{config}/") or config == "." for name in names if NUMBERED_SQL.search(name))
        return MigrationTool(kind, config) if found else f"[migrations] config: {config} has no numbered files of SQL"
    known = _known(texts)
    if config:
        named = [one for one in known if one.kind is kind and one.config == config]
        return named[0] if named else f"[migrations] config: {config} is no configuration of {kind} in this commit"
    wanted = [one for one in known if kind in (None, one.kind)]
    others = [] if kind else _others(names, texts)
    if len(wanted) == 1 and not others:
        return wanted[0]
    if wanted or others:
        seen = [f"{one.kind} ({one.config})" for one in wanted] + others
        return f"the commit has {', '.join(seen[:5])}: say which one migrates the database: {KEYS}"
    return _nothing_known(kind, names, migrates)


def _nothing_known(kind: ToolKind | None, names: Sequence[str], migrates: Sequence[str] | None) -> MigrationTool | str:
    if kind:
        return f"[migrations] kind: the commit has no configuration of {kind}; name it: [migrations] config"
    if folders := sorted({name.rpartition("/")[0] or "." for name in names if NUMBERED_SQL.search(name)}):
        return f"the commit has numbered files of SQL in {', '.join(folders[:3])}: are these migrations? Say so: {KEYS}"
    if migrates:
        return f"[run] migrate is {' '.join(migrates)[:80]!r}, of a tool that is not known: say so: {KEYS}"
    return MigrationTool(ToolKind.NONE)


def _known(texts: Mapping[str, str]) -> list[MigrationTool]:
    """Return the tools that are set up, by path. An alembic.ini beside a pyproject.toml is one with it."""
    found: dict[str, MigrationTool] = {}
    django = []
    for name, text in sorted(texts.items()):
        folder, _, file = name.rpartition("/")
        beside = texts.get(f"{folder}/pyproject.toml".removeprefix("/"), "")
        if file == "alembic.ini":
            by_the_app = not _PLACE.search(text) and "alembic" not in _tables(beside)
            found[folder] = MigrationTool(ToolKind.ALEMBIC, name, by_the_app)
        elif file == "pyproject.toml" and "alembic" in _tables(text):
            found.setdefault(folder, MigrationTool(ToolKind.ALEMBIC, name))
        elif file == "manage.py" and ("DJANGO_SETTINGS_MODULE" in text or "django.core.management" in text):
            django.append(MigrationTool(ToolKind.DJANGO, name))
    return [*found.values(), *django]


def _tables(text: str) -> Mapping[str, Any]:
    """Return `[tool]` of a pyproject.toml; nothing of one that cannot be read: other checks name it."""
    try:
        tool = tomllib.loads(text).get("tool", {}) if text else {}
    except (tomllib.TOMLDecodeError, RecursionError):
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
