"""Which test files can see a module, by what imports what: a part of `make mutants`."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

TESTS = "tests"


class Importers:
    """Who imports whom among the Python files of a tree, given as path and text; nothing is imported for it."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._modules = {_module(file): file for file in sources}
        self._importers: dict[str, set[str]] = defaultdict(set)
        for file, text in sources.items():
            for imported in self._imports(file, text):
                self._importers[imported].add(file)

    def tests_of(self, file: str) -> list[str]:
        """Return the test files that import a file, also through files beside them in tests/. Where there are none,
        return those nearest to it through modules that import it. The one at the mirrored path stands first.
        """
        level, seen = {file}, {file}
        while level:
            reached = self._reach(level, seen)
            if tests := {one for one in reached if _is_test(one)}:
                return sorted(tests, key=lambda one: (one != mirrored(file), one))
            level = reached
        return []

    def _reach(self, level: set[str], seen: set[str]) -> set[str]:
        """Return whoever imports one of the level's files; the way through files in tests/ counts nothing."""
        reached: set[str] = set()
        waiting = list(level)
        while waiting:
            for importer in self._importers[waiting.pop()] - seen:
                seen.add(importer)
                reached.add(importer)
                if importer.startswith(f"{TESTS}/"):
                    waiting.append(importer)
        return reached

    def _imports(self, file: str, text: str) -> Iterator[str]:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                package = _package(file, node)
                within = [f"{package}.{alias.name}" for alias in node.names]
                names = [name if name in self._modules else package for name in within]
            else:
                continue
            yield from (self._modules[name] for name in names if name in self._modules)


def mirrored(file: str) -> str:
    """Return where the tests of a file stand: `a/b.py` -> `tests/a/test_b.py`."""
    path = PurePosixPath(file)
    return str(TESTS / path.with_name(f"test_{path.name}"))


def _is_test(file: str) -> bool:
    return file.startswith(f"{TESTS}/") and PurePosixPath(file).name.startswith("test_")


def _module(file: str) -> str:
    path = PurePosixPath(file).with_suffix("")
    return ".".join(path.parent.parts if path.name == "__init__" else path.parts)


def _package(file: str, node: ast.ImportFrom) -> str:
    """Return what a `from ... import` names, relative ones from the top."""
    if not node.level:
        return node.module or ""
    above = PurePosixPath(file).parts[: -node.level]
    return ".".join((*above, *([node.module] if node.module else [])))
