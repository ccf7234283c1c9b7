"""A repository's files as they were read: names, and the texts of those that tell something."""

import configparser
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gates.strict_json import JsonError
from gates.strict_json import parse as parse_json
from gates.strict_toml import TomlError
from gates.strict_toml import parse as parse_toml

Table = Mapping[str, Any]
# Folders whose files are seldom those of the app that is served.
ASIDE = re.compile(
    r"(?:^|/)(?:tests?|testing|test_[^/]*|[^/]*_tests?|fixtures|docs?(?:_src)?|examples?|samples?|templates?|vendor"
    r"|benchmarks?|scripts?|bin|tools?|e2e[^/]*|\.[^/]+|migrations|alembic)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest|setup|noxfile|fabfile)\.py$"
)


@dataclass(frozen=True)
class Yaml:
    """A YAML file's value. `lines` says where each key or entry stands (from 1), by its path."""

    value: Any
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)

    def line(self, *path: str | int) -> int:
        """Return the line of a key or an entry, else of what holds it."""
        there = path
        while there and there not in self.lines:
            there = there[:-1]
        return self.lines.get(there, 1)


@dataclass(frozen=True)
class Tree:
    """What was read. `names` are the regular files, paths from the top; `texts` and `yamls` what stands in some of
    them; `left_out` is what nobody looked at, each with why; `migrations` are those that speak of extensions.
    """

    names: tuple[str, ...]
    texts: Mapping[str, str]
    yamls: Mapping[str, Yaml] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    migrations: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _parsed(self) -> dict[str, tuple[Table, str]]:
        return {}

    @cached_property
    def known(self) -> frozenset[str]:
        """Return the names, for questions whether a file is there."""
        return frozenset(self.names)

    @cached_property
    def folders(self) -> frozenset[str]:
        """Return every folder that holds something, at any depth."""
        found: set[str] = set()
        for name in self.names:
            folder = posixpath.dirname(name)
            while folder and folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(found)

    def has(self, name: str) -> bool:
        """Return whether a file is there."""
        return name in self.known

    def table(self, name: str) -> Table:
        """Return what a TOML, JSON or INI file holds; nothing of one that is not there or cannot be read."""
        if name not in self._parsed:
            self._parsed[name] = _parse(name, self.texts.get(name, ""))
        return self._parsed[name][0]

    def broken(self) -> list[tuple[str, str]]:
        """Return the files that were asked for and cannot be read, each with why."""
        return [(name, why) for name, (_, why) in sorted(self._parsed.items()) if why]

    def where(self, name: str, pattern: str = "") -> str:
        """Return file and line of the first match of a regular expression, the file alone without one."""
        line = line_of(self.texts.get(name, ""), pattern) if pattern else 0
        return f"{name}:{line}" if line else name

    def called(self, *patterns: str) -> list[str]:
        """Return the files whose own name matches one of these regular expressions whole, the least deep first."""
        wanted = re.compile("|".join(f"(?:{one})" for one in patterns))
        found = [name for name in self.names if wanted.fullmatch(posixpath.basename(name))]
        return sorted(found, key=lambda name: (name.count("/"), name))


def line_of(text: str, pattern: str) -> int:
    """Return the line (from 1) of the first match, 0 without one."""
    found = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 0


def joined(folder: str, name: str) -> str:
    """Return a path below a folder; "" and "." are the top."""
    return posixpath.normpath(posixpath.join(folder or ".", name))


def below(folder: str, name: str) -> bool:
    """Return whether a path lies in a folder; everything lies in "." and ""."""
    return folder in ("", ".") or name == folder or name.startswith(f"{folder}/")


def relative(folder: str, name: str) -> str:
    """Return a path as a command that starts in a folder names it."""
    return posixpath.relpath(name or ".", folder or ".")


def part(table: Any, *keys: str) -> Any:
    """Return a value inside of tables, None where there is none."""
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def subtable(table: Any, *keys: str) -> Table:
    """Return a table inside of tables, an empty one where there is none."""
    found = part(table, *keys)
    return found if isinstance(found, Mapping) else {}


def words(value: Any) -> list[str]:
    """Return the texts of a list; nothing of what is none."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _parse(name: str, text: str) -> tuple[Table, str]:
    if not text:
        return {}, ""
    try:
        if name.endswith((".toml", "Pipfile")) or posixpath.basename(name) in ("uv.lock", "poetry.lock", "pdm.lock"):
            return parse_toml(text), ""
        if name.endswith((".json", "Pipfile.lock")):
            found = parse_json(text)
            return (found, "") if isinstance(found, dict) else ({}, "it is no object")
        return _ini(text), ""
    except (TomlError, JsonError) as error:
        return {}, str(error)
    except configparser.Error as error:
        return {}, f"not valid: {type(error).__name__}"


def _ini(text: str) -> Table:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def first(names: Iterable[str], known: frozenset[str]) -> str:
    """Return the first of these files that is there, "" when none is."""
    return next((name for name in names if name in known), "")
