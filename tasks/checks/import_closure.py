"""What a test suite can import: the files that its test modules reach, read from their syntax; nothing is run.

Only a module that nothing reaches is left out, and only when it lies in a package (a folder with `__init__.py`): other
files are loaded by path. Whatever cannot be seen (options of pytest that we do not know, modules loaded by computed
names, other programs) leaves nothing out. So a suite depends on what its `inputs` name, or on less.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from posixpath import join, normpath

from settings.pipeline import Suite
from settings.preparation import Preparation
from tasks.checks.memory import files_digest, matching
from tasks.checks.syntax import Module, Syntax, code_digest, read_syntax
from tasks.source.git import Source

PYTEST = (("python", "-m", "pytest"), ("pytest",))
HARMLESS = re.compile(r"-(q+|v+|x|s|l|r[a-zA-Z]*)|--(tb|durations|maxfail|color|verbosity)=\w+|--exitfirst|--no-header")
# Plugins of pytest that judge the text of files, or measure lines.
JUDGES_TEXT = re.compile(
    r"--(black|isort|flake8|flakes|ruff|pylint|mypy|pyright|pycodestyle|codestyle|pydocstyle|docstyle|pep8|pep257|"
    r"codeblocks|examples|doctest-glob|nbval|cov\b|trace\b)|pytest_(black|isort|flake8|flakes|ruff|pylint|mypy)"
)
# Options by which pytest, or Python for it, takes modules from where no import statement shows.
TAKES_PLUGINS = ("PYTEST_PLUGINS", "PYTEST_ADDOPTS", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME")
PLUGIN = re.compile(r"(?:-p[ =]?|pytest_plugins\W+)([\w.]+)")
ENTRY_POINT = "pytest11"
OPTIONS = re.compile(r"addopts\W*=(.*?)(?=\n\s*\n|\n\[|\n[\w\"-]+\s*=|\Z)", re.DOTALL)
LINKS = ("120000", "160000")
UNREADABLE = (".zip", ".egg", ".whl", ".pyc", ".pyd", ".pyz", ".pth", ".so", ".pyx")
MARKER = "__init__.py"


def suite_digest(source: Source, suite: Suite, by_lines: bool, preparation: Preparation | None = None) -> str:
    """Return a digest of what a suite's result depends on in the commit; `by_lines` when its lines are measured."""
    files = suite_files(source, suite, preparation)
    texts = [*_texts(suite, read_syntax(source.archive)), *(preparation.command if preparation else ())]
    if any(JUDGES_TEXT.search(text) for text in texts):
        return files_digest(source, files)
    return code_digest(source, files, by_lines)


def suite_files(source: Source, suite: Suite, preparation: Preparation | None = None) -> list[str]:
    """Return the commit's files that a suite's result depends on, sorted: those of its inputs without the modules that
    its tests cannot import. What a preparation may reach nobody can see: with one, all of them.
    """
    if preparation:
        return matching(source, (*suite.inputs, *preparation.inputs))
    named = matching(source, suite.inputs)
    syntax = read_syntax(source.archive)
    texts = _texts(suite, syntax)
    roots = _roots(suite, source.files)
    if not roots or _hides_imports(source.files) or _takes_more(suite, texts, source.files):
        return named
    tree = _Tree(source.files)
    roots += [path for text in texts for word in PLUGIN.findall(text) for path in tree.named(word)]
    roots += [path for name in named for word in syntax.words.get(name, ()) for path in tree.named(word)]
    reached = _reached(roots, tree, syntax.modules)
    if reached is None:
        return named
    return [path for path in named if path in reached or not tree.only_by_import(path)]


def _texts(suite: Suite, syntax: Syntax) -> list[str]:
    return [*suite.command, *suite.environment.values(), *syntax.settings.values()]


def _roots(suite: Suite, files: Mapping[str, str]) -> list[str]:
    """Return the Python files in the folders that the command names and every conftest.py above; none when the command
    is not one whose meaning is known.
    """
    start = next((words for words in PYTEST if suite.command[: len(words)] == words), None)
    words = list(suite.command[len(start) :]) if start else []
    places = []
    while words:
        word = words.pop(0)
        if word == "-p" and words and words[0].startswith("no:"):
            words.pop(0)
        elif not word.startswith("-"):
            places.append(normpath(join(suite.directory, word.partition("::")[0])))
        elif not HARMLESS.fullmatch(word):
            return []
    found = []
    for place in places:
        below = [path for path in files if path == place or path.startswith(f"{place}/")]
        if not below:
            return []
        found += [path for path in below if path.endswith(".py")]
    above = {str(folder / "conftest.py") for path in found for folder in PurePosixPath(path).parents}
    return found + sorted(above & set(files))


def _hides_imports(files: Mapping[str, str]) -> bool:
    """Return whether the commit has folders under two names, or code that is not to be read."""
    return any(about.startswith(LINKS) or path.endswith(UNREADABLE) for path, about in files.items())


def _takes_more(suite: Suite, texts: Sequence[str], files: Mapping[str, str]) -> bool:
    """Return whether settings or variables give pytest, or Python for it, more than the command names."""
    if any(ENTRY_POINT in text for text in texts) or any(name in suite.environment for name in TAKES_PLUGINS):
        return True
    places = {*files, *(str(folder) for path in files for folder in PurePosixPath(path).parents)} - {"."}
    options = [word for text in texts for value in OPTIONS.findall(text) for word in re.findall(r"[\w./@-]+", value)]
    told = [(word, word.strip("./"), normpath(join(suite.directory, word))) for word in options]
    return any(word.startswith("@") or top in places or below in places for word, top, below in told)


def _reached(roots: Sequence[str], tree: "_Tree", modules: Mapping[str, Module]) -> set[str] | None:
    """Return every Python file that the roots may import; None when that cannot be told, or when one reads files of
    Python without importing them.
    """
    waiting, reached = list(roots), set[str]()
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        module = modules.get(path)
        if module is None or module.loads or module.reads_source:
            return None
        waiting += tree.packages_of(path)
        waiting += [one for name in module.imports for one in tree.imported(name, path)]
        waiting += [one for word in module.words for one in tree.named(word)]
    return reached


class _Tree:
    """A commit's Python files, found by the names that may mean them, wherever sys.path begins."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {path for path in files if path.endswith(".py")}
        self.ending: dict[str, list[str]] = {}
        for path in self.files:
            parts = path.split("/")
            for start in range(len(parts)):
                self.ending.setdefault("/".join(parts[start:]), []).append(path)

    def only_by_import(self, path: str) -> bool:
        """Return whether a file is reached by its module's name: a Python file in a package."""
        return path.endswith(".py") and str(PurePosixPath(path).with_name(MARKER)) in self.files

    def packages_of(self, path: str) -> Iterator[str]:
        """Yield the `__init__.py` of every folder above."""
        for folder in PurePosixPath(path).parents:
            if (marker := str(folder / MARKER)) in self.files:
                yield marker

    def imported(self, name: str, importer: str = "") -> Iterator[str]:
        """Yield what an import of a dotted name may run: modules of that name and of each name before it."""
        dots = len(name) - len(name.lstrip("."))
        parts = [part for part in name[dots:].split(".") if part]
        if dots:
            yield from self._relative(PurePosixPath(importer).parents[dots - 1 :], parts)
            return
        for end in range(1, len(parts) + 1):
            place = "/".join(parts[:end])
            yield from self.ending.get(f"{place}.py", ())
            yield from self.ending.get(f"{place}/{MARKER}", ())

    def _relative(self, folders: Sequence[PurePosixPath], parts: Sequence[str]) -> Iterator[str]:
        for end in range(len(parts) + 1 if folders else 0):
            place = folders[0].joinpath(*parts[:end])
            yield from {str(place / MARKER), f"{place}.py"} & self.files

    def named(self, word: str) -> Iterator[str]:
        """Yield what a word in a string may mean: a module with or without what to take from it, a file, a folder."""
        place = word.partition(":")[0]
        yield from self.imported(place.replace("/", "."))
        yield from self.ending.get(place, ())
