"""The complexity limit (C901) of flake8, kept on whatever the app's own settings say of it."""

import configparser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.strict_toml import TomlError, parse

COMPLEXITY = 10  # where the app's own settings have no limit
LARGEST_SETTINGS_BYTES = 1_000_000
CODE = "C901"
LIMIT = "--max-complexity"
LISTS = ("select", "extend-select", "ignore", "extend-ignore")


@dataclass(frozen=True)
class Complexity:
    """What keeps flake8's complexity limit on: options to add, what to tell, and why it is off if it is."""

    options: tuple[str, ...] = ()
    note: str = ""
    off: str = ""


def complexity_limit(name: str, command: Sequence[str], directory: Path, top: Path) -> Complexity:
    """Return how the limit is kept on for the flake8 of [quality.NAME] that runs in `directory` of the source `top`.

    A limit in the command or in the app's own settings holds, also beside settings that ignore C901:
    flake8's, else that of ruff or pylint. Without one it is 10, and such settings turn it off.
    """
    file, settings = _flake8_settings(command, directory, top)
    listed = {key: _codes(_given(command, f"--{key}") or settings.get(key, "")) for key in LISTS}
    ignored = _ignores(listed)
    forced = _forced(listed) if ignored else ()
    though = f"; that {file or 'the command'} ignores {CODE} does not count" if ignored else ""
    if _given(command, LIMIT) is not None:
        return Complexity(forced, f"complexity limit of the command{though}" if ignored else "")
    limit = settings.get("max-complexity", "").strip()
    if limit.isdecimal():
        return Complexity(forced, f"complexity limit {limit}, the app's own{though}")
    if other := _of_others(directory, top):
        where, most = other
        return Complexity((f"{LIMIT}={most}", *forced), f"complexity limit {most}, the app's own ({where}){though}")
    if ignored:
        what = f"the complexity limit is off: {file or 'the command'} ignores {CODE}; take that out of it"
        return Complexity(off=f"{what}, or say which limit counts: {LIMIT}=N in [quality.{name}] command")
    return Complexity((f"{LIMIT}={COMPLEXITY}",), f"complexity limit {COMPLEXITY}, Slipway's")


def _of_others(directory: Path, top: Path) -> tuple[str, int] | None:
    """Return where the app's settings of ruff or pylint name a complexity limit and which, from `directory` upwards."""
    for folder in (directory, *(folder for folder in directory.parents if folder.is_relative_to(top))):
        for name, reads in OTHERS.items():
            text = _text(folder / name, top)
            limit = reads(text) if text else None
            if type(limit) is int and limit >= 0:
                return str((folder / name).relative_to(top)), limit
    return None


def _toml(text: str) -> dict[str, Any]:
    try:
        return parse(text)
    except TomlError:
        return {}


def _below(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _of_ruff(settings: Any) -> Any:
    return _below(settings, "lint", "mccabe", LIMIT_KEY) or _below(settings, "mccabe", LIMIT_KEY)


def _of_pyproject(text: str) -> Any:
    tools = _toml(text).get("tool")
    pylint = _below(tools, "pylint")
    sections = list(pylint.values()) if isinstance(pylint, dict) else []
    found = (_below(section, LIMIT_KEY) for section in (pylint, *sections))
    return _of_ruff(_below(tools, "ruff")) or next((one for one in found if one), None)


def _of_pylintrc(text: str) -> int | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    values = (parser[name].get(LIMIT_KEY, "").strip() for name in parser.sections())
    return next((int(value) for value in values if value.isdecimal() and len(value) < 5), None)


LIMIT_KEY = "max-complexity"
OTHERS: Mapping[str, Callable[[str], Any]] = {
    ".ruff.toml": lambda text: _of_ruff(_toml(text)),
    "ruff.toml": lambda text: _of_ruff(_toml(text)),
    "pyproject.toml": _of_pyproject,
    ".pylintrc": _of_pylintrc,
    "pylintrc": _of_pylintrc,
}


def _given(command: Sequence[str], option: str) -> str | None:
    """Return the last value of an option in a command, None without it."""
    values = [word.partition("=")[2] for word in command if word.startswith(f"{option}=")]
    values += [after for word, after in zip(command, command[1:], strict=False) if word == option]
    return values[-1] if values else None


def _codes(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _names_it(codes: Sequence[str]) -> bool:
    return any(CODE.startswith(code) for code in codes)


def _ignores(listed: Mapping[str, Sequence[str]]) -> bool:
    left_out = bool(listed["select"]) and not _names_it([*listed["select"], *listed["extend-select"]])
    return left_out or _names_it([*listed["ignore"], *listed["extend-ignore"]])


def _forced(listed: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the options that select C901 and change nothing else. A longer code outweighs a shorter one."""
    kept = [key for key in ("ignore", "extend-ignore") if CODE in listed[key]]
    without = (f"--{key}={','.join(code for code in listed[key] if code != CODE)}" for key in kept)
    return (f"--extend-select={','.join([*listed['extend-select'], CODE])}", *without)


def _flake8_settings(command: Sequence[str], directory: Path, top: Path) -> tuple[str, dict[str, str]]:
    """Return the settings file that flake8 uses and its settings: the first found, from `directory` upwards."""
    named = _given(command, "--config")
    folders = [directory, *(folder for folder in directory.parents if folder.is_relative_to(top))]
    files = [directory / named] if named else [f / one for f in folders for one in ("setup.cfg", "tox.ini", ".flake8")]
    for file in files:
        settings = _section(file, top)
        if settings is not None:
            return str(file.relative_to(top)), settings
    return "", {}


def _text(file: Path, top: Path) -> str | None:
    """Return the text of a settings file that is one of the source; None when it cannot be read."""
    try:
        real = file.resolve()
        if not real.is_file() or not real.is_relative_to(top.resolve()) or real.stat().st_size > LARGEST_SETTINGS_BYTES:
            return None
        return real.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _section(file: Path, top: Path) -> dict[str, str] | None:
    text, parser = _text(file, top), configparser.RawConfigParser()
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return None
    if not parser.has_section("flake8"):
        return {} if parser.has_section("flake8:local-plugins") else None
    return {key.replace("_", "-"): value for key, value in parser.items("flake8")}
