"""Quality tools as the project configures, locks or runs them: [quality]."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gates.adopt.automation import Ran
from gates.adopt.draft import Draft
from gates.adopt.packages import Packages
from gates.adopt.tree import Tree, joined, subtable
from gates.adopt.web import Served

# The command without paths, and the options of the project's own that are kept.
COMMANDS: dict[str, tuple[str, ...]] = {
    "black": ("black", "--check"),
    "isort": ("isort", "--check-only"),
    "flake8": ("flake8",),
    "ruff": ("ruff", "check"),
    "ruff-format": ("ruff", "format", "--check"),
    "mypy": ("mypy",),
    "pyright": ("pyright",),
    "basedpyright": ("basedpyright",),
    "pylint": ("pylint",),
    "codespell": ("codespell",),
}
OURS = ("black", "isort", "flake8", "mypy")  # those of requirements/quality.in that run for an app without its own
# Without paths these look at what their own configuration names, or at all of their folder.
NEED_NO_PATH = ("pyright", "basedpyright", "codespell")
FILES = {
    "flake8": (".flake8", "setup.cfg", "tox.ini"),
    "ruff": ("ruff.toml", ".ruff.toml"),
    "mypy": ("mypy.ini", ".mypy.ini", "setup.cfg"),
    "pyright": ("pyrightconfig.json",),
    "isort": (".isort.cfg", "setup.cfg"),
    "pylint": (".pylintrc",),
}
NODE = re.compile("npm|npx|yarn|pnpm|bun")
OTHERS = re.compile(
    r"make|bandit|safety|pip-audit|djlint|semgrep|trivy|hadolint|pre-commit|unittest|manage\.py|vulture|ty"
)
MOST_TOLD = 10
CONFIGURATIONS = (
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    ".flake8",
    "mypy.ini",
    "ruff.toml",
    ".isort.cfg",
    "pyrightconfig.json",
)


@dataclass(frozen=True)
class _Use:
    """A tool of the project: what told it, whether its automation runs it, with which paths and in which folder.
    `elsewhere`: that folder counts, and not the app's.
    """

    because: str
    automated: bool = False
    paths: tuple[str, ...] = ()
    folder: str = ""
    elsewhere: bool = False


def propose_quality(tree: Tree, served: Served, packages: Packages, ran: Sequence[Ran], draft: Draft) -> list[str]:
    """Propose [quality.*]. Returns the names of the tools that the project's own automation runs."""
    automatic = []
    for name, command in COMMANDS.items():
        use = _automated(tree, name, ran) or _configured(tree, name, served) or _locked(name, packages)
        if use is None:
            continue
        locked = bool(packages.where(_package(name)))
        if not locked and name not in OURS:
            why = "is in no lock of the app, and Slipway has none: add it to the packages of the checks"
            draft.note(f"{name} ({use.because}) is left out: it {why}")
            continue
        table, paths = f"quality.{name}", use.paths or _paths(tree, name, served)
        if use.elsewhere and not use.paths:
            paths = (served.folder,)
        draft.put(table, "command", ("python", "-m", *command, *paths), use.because)
        folder = (use.folder or ".") if use.elsewhere else served.folder
        if folder != served.folder:
            draft.put(table, "directory", folder, f"{use.because}: it runs there")
        if limited := [path for path in paths if path != "."]:
            patterns = [_pattern(tree, joined(folder, path)) for path in limited]
            draft.put(table, "inputs", (*patterns, *CONFIGURATIONS[:3]), "what the command names")
        if not locked:
            draft.note(f"{name} is not locked by the app: Slipway's own version runs ({use.because})")
        draft.tell("quality", name, use.because)
        if use.automated:
            automatic.append(name)
    return automatic


def _package(name: str) -> str:
    return "ruff" if name == "ruff-format" else name


def _pattern(tree: Tree, path: str) -> str:
    return path if tree.has(path) else f"{path.rstrip('/')}/**"


def _automated(tree: Tree, name: str, ran: Sequence[Ran]) -> _Use | None:
    for one in ran:
        program, arguments = one.program, one.arguments
        if program == "ruff" and arguments[:1] in (("check",), ("format",)):
            program, arguments = ("ruff", "ruff-format")[arguments[0] == "format"], arguments[1:]
        if program == name:
            folder = one.folder if not one.folder or one.folder.rstrip("/") in tree.folders else ""
            given = [word.removeprefix("./") or "." for word in arguments if not word.startswith("-")]
            paths = tuple(word for word in given if word == "." or _is_there(tree, joined(folder, word)))
            hosted = not one.because.startswith((".pre-commit", "tox", "nox"))
            return _Use(one.because, hosted, paths, folder.strip("/"), bool(paths))
    return None


def _is_there(tree: Tree, path: str) -> bool:
    return tree.has(path) or path in tree.folders


def _configured(tree: Tree, name: str, served: Served) -> _Use | None:
    for folder in dict.fromkeys((served.folder, ".")):
        # These look for their configuration in the folder where they run; ruff looks above it, too.
        outside = folder != served.folder and not name.startswith("ruff")
        project = joined(folder, "pyproject.toml")
        section = "ruff" if name == "ruff-format" else name
        tools = subtable(tree.table(project), "tool")
        if tools.get(section):
            if name != "ruff-format" or "format" in subtable(tools, section):
                return _Use(tree.where(project, rf"^\[tool\.{section}[\].]"), folder=folder, elsewhere=outside)
        for file in FILES.get(name, ()):
            path = joined(folder, file)
            alone = file not in ("setup.cfg", "tox.ini")
            if tree.has(path) and (alone or section in tree.table(path)):
                where = path if alone else tree.where(path, rf"^\[{section}\]")
                return _Use(where, folder=folder, elsewhere=outside)
    return None


def _locked(name: str, packages: Packages) -> _Use | None:
    where = packages.where(name) if name != "ruff-format" else ""
    direct = where and not where.startswith(packages.because) if packages.tool not in ("pip", "pip-tools") else where
    return _Use(where) if direct else None


def _paths(tree: Tree, name: str, served: Served) -> tuple[str, ...]:
    if name in NEED_NO_PATH:
        return ()
    if name == "mypy":
        for folder in dict.fromkeys((served.folder, ".")):
            project = subtable(tree.table(joined(folder, "pyproject.toml")), "tool", "mypy")
            others = [subtable(tree.table(joined(folder, file)), "mypy") for file in ("mypy.ini", "setup.cfg")]
            if any({"files", "packages", "modules"} & set(table) for table in (project, *others)):
                return ()
    if name in ("mypy", "pylint"):
        top = served.module.partition(".")[0]
        path = joined(served.path, top) if served.path else top
        there = joined(served.folder, path)
        return (path,) if there in tree.folders else (f"{path}.py",) if tree.has(f"{there}.py") else (".",)
    return (".",)


def runs(command: Sequence[str], ran: Sequence[Ran]) -> bool:
    """Return whether the automation runs a tool of Node by its name: `npx eslint .`."""
    return any(_of_node(one) == command[0] for one in ran)


def _of_node(one: Ran) -> str:
    named = (word for word in one.arguments if word not in ("exec", "dlx", "x") and not word.startswith("-"))
    return next(named, "") if NODE.fullmatch(one.program) else ""


def told(ran: Sequence[Ran], tools: Collection[Sequence[str]]) -> list[str]:
    """Return what of the automation is neither a suite nor one of the tools here, for a person to judge."""
    known = {command[0] for command in tools}
    shown: dict[str, str] = {}
    frontend: dict[str, str] = {}
    for one in ran:
        command = " ".join((one.program, *one.arguments))[:80]
        if NODE.fullmatch(one.program):
            if _of_node(one) in known or one.arguments[:1] in (("install",), ("ci",)):
                continue
            frontend.setdefault(command, one.because)
        elif OTHERS.fullmatch(one.program):
            shown.setdefault(command, one.because)
    rows = [f"{because} runs `{command}`, which is no suite or tool here" for command, because in shown.items()]
    more = len(rows) - MOST_TOLD
    if frontend:
        command, because = next(iter(frontend.items()))
        others = f" and {len(frontend) - 1} more of the frontend" if len(frontend) > 1 else ""
        rows.append(f"{because} runs `{command}`{others}, which is no tool here")
    return rows if more <= 0 else [*rows[:MOST_TOLD], f"and {more} more commands of the automation"]
