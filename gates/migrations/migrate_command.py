"""Which tool does `[run] migrate` start, and with what? Read where plain; a command of another kind tells nothing."""

import argparse
import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn


class ToolKind(StrEnum):
    """The tools whose migrations can be judged."""

    ALEMBIC = "alembic"
    DJANGO = "django"
    SQL = "sql"
    NONE = "none"


@dataclass(frozen=True)
class Command:
    """What a command says. `config` is the file that it names, "" for the tool's own default; `section` and `arguments`
    are alembic's -n and -x, or Django's options; `flask` are the words of a `flask db upgrade`, () for any other.
    """

    kind: ToolKind
    config: str = ""
    section: str = ""
    arguments: tuple[str, ...] = ()
    flask: tuple[str, ...] = ()


# Programs that start another one in the app's environment.
_RUNNERS = frozenset({("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("pipenv", "run"), ("hatch", "run")})
_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.[0-9]+)?)?")
_SHELL = re.compile(r"(?:.*/)?(?:ba|da)?sh")
_SHELL_SIGNS = frozenset(";&|<>$`(){}*?\n\\")


def read_command(words: Sequence[str] | None) -> Command | None:
    """Return what a command that migrates says; None of one that is not known, or that migrates nothing."""
    name, given = _program(list(words or ()))
    try:
        if name in ("alembic", "alembic.config"):
            return _alembic(given)
        if name == "flask":
            return _flask(given)
        if name in ("django-admin", "django") or posixpath.basename(name) == "manage.py":
            return _django(name, given)
    except ValueError:
        return None
    return None


def _program(words: list[str]) -> tuple[str, list[str]]:
    """Return the program, a module's name or a script's path, and the words that it is given; "" if none is plain."""
    if words and _SHELL.fullmatch(words[0]):
        words = _typed(words)
    if tuple(words[:2]) in _RUNNERS:
        words = _without_flags(words[2:])
    if words and _PYTHON.fullmatch(words[0]):
        at = next((number for number, word in enumerate(words[1:], 1) if word == "-m" or word[:1] != "-"), len(words))
        words = words[at + 1 :] if words[at : at + 1] == ["-m"] else words[at:]
        return (words[0], words[1:]) if words else ("", [])
    if not words:
        return "", []
    name = posixpath.basename(words[0])
    return (words[0] if name == "manage.py" else name), words[1:]


def _without_flags(words: list[str]) -> list[str]:
    return words[next((number for number, word in enumerate(words) if word[:1] != "-"), len(words)) :]


def _typed(words: list[str]) -> list[str]:
    """Return the words of a `sh -c` that holds one plain command."""
    if len(words) != 3 or not re.fullmatch("-[elux]*c", words[1]) or _SHELL_SIGNS & set(words[2]):
        return []
    try:
        typed = shlex.split(words[2])
    except ValueError:
        return []
    return typed[1:] if typed[:1] == ["exec"] else typed


class _Options(argparse.ArgumentParser):
    """A parser that neither prints nor ends the process. Raises ValueError of words that it does not understand."""

    def __init__(self) -> None:
        super().__init__(add_help=False)

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _alembic(words: list[str]) -> Command | None:
    options = _Options()
    options.add_argument("-c", "--config", action="append", default=[])
    options.add_argument("-n", "--name", default="")
    options.add_argument("-x", action="append", default=[])
    options.add_argument("--raiseerr", action="store_true")
    options.add_argument("-q", "--quiet", action="store_true")
    options.add_argument("rest", nargs=argparse.REMAINDER)
    said = options.parse_args(words)
    if said.rest[:1] != ["upgrade"] or "--sql" in said.rest or len(said.config) > 1:
        return None
    return Command(ToolKind.ALEMBIC, _path(*said.config), said.name, tuple(said.x))


def _flask(words: list[str]) -> Command | None:
    at = next((at for at in range(len(words)) if words[at : at + 2] == ["db", "upgrade"]), None)
    if at is None or "--sql" in words:
        return None
    options = _Options()
    options.add_argument("-d", "--directory", default="")
    said, _ = options.parse_known_args(words[at + 2 :])
    config = _path(f"{said.directory}/alembic.ini") if said.directory else ""
    return Command(ToolKind.ALEMBIC, config, flask=("flask", *words))


def _django(name: str, words: list[str]) -> Command | None:
    if "migrate" not in words:
        return None
    options = _Options()
    for option in ("settings", "pythonpath", "database"):
        options.add_argument(f"--{option}")
    said, _ = options.parse_known_args(words)
    given = tuple(f"--{option}={value}" for option, value in vars(said).items() if value)
    return Command(ToolKind.DJANGO, _path(name) if name.endswith(".py") else "", arguments=given)


def _path(name: str = "") -> str:
    return posixpath.normpath(name) if name else ""
