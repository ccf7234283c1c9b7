"""What the project's own automation runs: GitHub Actions, GitLab CI, tox, nox, and pre-commit's hooks."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gates.adopt.tree import Tree, Yaml, joined, subtable, words

RUNNERS = {"uv": "run", "poetry": "run", "pdm": "run", "pipenv": "run", "hatch": "run", "rye": "run"}
PYTHON = re.compile(r"python3?(?:\.\d+)?")
COVERAGE = ("coverage", "run")
HOOKS = {
    "ruff": "ruff",
    "ruff-check": "ruff",
    "ruff-format": "ruff-format",
    "black": "black",
    "isort": "isort",
    "flake8": "flake8",
    "mypy": "mypy",
    "pyright": "pyright",
    "pylint": "pylint",
    "codespell": "codespell",
}


@dataclass(frozen=True)
class Ran:
    """A command that the automation runs: its program without runners, and its words; `folder` is where."""

    program: str
    arguments: tuple[str, ...]
    because: str
    folder: str = ""


def automated(tree: Tree) -> list[Ran]:
    """Return the commands that the automation runs, those of the hosted one first."""
    found: list[Ran] = []
    for file, yaml in sorted(tree.yamls.items()):
        if file.startswith(".github/workflows/"):
            found += _github(file, yaml)
        elif file.endswith(".gitlab-ci.yml"):
            found += _gitlab(file, yaml)
    for file in ("tox.ini", "setup.cfg"):
        found += _tox(tree, file)
    found += _nox(tree)
    for file in (name for name in tree.yamls if name.endswith(".pre-commit-config.yaml")):
        found += _hooks(file, tree.yamls[file])
    return found


def _github(file: str, yaml: Yaml) -> Iterator[Ran]:
    for job, about in subtable(yaml.value, "jobs").items():
        default = subtable(about, "defaults", "run").get("working-directory") or subtable(
            yaml.value, "defaults", "run"
        ).get("working-directory")
        steps = subtable({"job": about}, "job").get("steps")
        for at, step in enumerate(steps if isinstance(steps, list) else []):
            told = subtable({"step": step}, "step")
            folder = joined("", str(told.get("working-directory") or default or ""))
            line = yaml.line("jobs", job, "steps", at, "run")
            yield from commands(str(told.get("run") or ""), f"{file}:{line}", str(folder))


def _gitlab(file: str, yaml: Yaml) -> Iterator[Ran]:
    for job, about in subtable({"all": yaml.value}, "all").items():
        script: Any = subtable({"job": about}, "job").get("script")
        for at, line in enumerate(words(script if isinstance(script, list) else [script])):
            yield from commands(line, f"{file}:{yaml.line(job, 'script', at)}")


def _tox(tree: Tree, file: str) -> Iterator[Ran]:
    for section, values in tree.table(file).items():
        if "testenv" in section and isinstance(text := subtable({"one": values}, "one").get("commands"), str):
            because = tree.where(file, re.escape(f"[{section}]"))
            yield from commands(text.replace("{posargs}", "").replace("{[", "["), because)
    legacy = subtable(tree.table("pyproject.toml"), "tool", "tox").get("legacy_tox_ini")
    if isinstance(legacy, str):
        lines = [line.strip() for line in legacy.split("\n") if line.startswith((" ", "\t"))]
        yield from commands("\n".join(lines), tree.where("pyproject.toml", "legacy_tox_ini"))


def _nox(tree: Tree) -> Iterator[Ran]:
    """Yield what the sessions of a noxfile run, where it is written out."""
    try:
        parsed = ast.parse(tree.texts.get("noxfile.py", ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(parsed):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run":
            given = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from _one(given, f"noxfile.py:{node.lineno}", "")


def _hooks(file: str, yaml: Yaml) -> Iterator[Ran]:
    repositories = subtable({"all": yaml.value}, "all").get("repos")
    for at, repository in enumerate(repositories if isinstance(repositories, list) else []):
        hooks = subtable({"one": repository}, "one").get("hooks")
        for number, hook in enumerate(hooks if isinstance(hooks, list) else []):
            name = str(subtable({"one": hook}, "one").get("id"))
            if name in HOOKS:
                yield Ran(HOOKS[name], (), f"{file}:{yaml.line('repos', at, 'hooks', number)}")


def commands(script: str, because: str, folder: str = "") -> Iterator[Ran]:
    """Yield the commands of a script of a shell, as far as they are plain. `because`: where its first line stands."""
    where, _, number = because.rpartition(":")
    start = int(number) if number.isdigit() else 0
    several = "\n" in script.strip()
    for at, line in enumerate(script.replace("\\\n", "  ").split("\n"), start + several):
        for text in re.split(r"&&|\|\||;|\|", line.strip()):
            try:
                given = shlex.split(text, comments=True)
            except ValueError:
                continue
            told = f"{where}:{at}" if start else because
            if given[:1] == ["cd"] and len(given) == 2:
                folder = given[1] if "$" in given[1] else joined(folder, given[1])
                continue
            yield from _one(given, told, folder)


def _one(given: list[str], because: str, folder: str) -> Iterator[Ran]:
    while given and re.fullmatch(r"[A-Za-z_]\w*=.*", given[0]):
        given = given[1:]
    if len(given) > 2 and given[0] in RUNNERS and given[1] == RUNNERS[given[0]]:
        given = _without_options(given[2:])
    if given and PYTHON.fullmatch(given[0].rpartition("/")[2]):
        given = given[2:] if given[1:2] == ["-m"] else given[1:]
    if tuple(given[:2]) == COVERAGE:
        rest = given[2:]
        given = rest[rest.index("-m") + 1 :] if "-m" in rest else _without_options(rest)
    if given and re.fullmatch(r"[A-Za-z0-9_./-]+", given[0]):
        yield Ran(given[0].rpartition("/")[2], tuple(given[1:]), because, folder)


def _without_options(given: list[str]) -> list[str]:
    """Return a runner's command without the runner's own options."""
    valued = ("--group", "--extra", "--with", "--package", "--project", "--directory", "-p", "--python", "--env-file")
    while given and given[0].startswith("-"):
        given = given[2:] if given[0] in valued else given[1:]
    return given
