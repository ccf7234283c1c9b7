"""The protocols of runtimes are narrow, and which runtime an environment has is decided in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments import runtimes
from deployments.environment import RUNTIMES
from deployments.runtimes import process
from host.home import CHECKOUT

ROOMS = (
    "cli",
    "control",
    "deployments",
    "evidence",
    "flows",
    "gates",
    "host",
    "notify",
    "services",
    "settings",
    "tasks",
)


def methods(module: str, name: str) -> dict[str, ast.FunctionDef]:
    """Return the methods of a class in a module's file."""
    tree = ast.parse(Path(module).read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {node.name: node for node in found.body if isinstance(node, ast.FunctionDef)}


def does_nothing(method: ast.FunctionDef) -> bool:
    """Say whether a method only has a docstring, or returns nothing or something empty."""
    nothing = {"pass", "return", "return None", "return []", "return ()", "return {}", "return ''"}
    body = [node for node in method.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return all(ast.unparse(node) in nothing for node in body)


def test_every_method_of_a_runtime_does_something_in_the_smallest_of_them() -> None:
    wanted = methods(str(runtimes.__file__), "Runtime").keys() - {"database", "orchestrator"}
    own = methods(process.__file__, "ProcessRuntime")
    assert wanted <= own.keys() and len(wanted) <= 17
    assert [name for name in sorted(wanted) if does_nothing(own[name])] == []


def operands(node: ast.AST) -> list[ast.AST]:
    """Return what a comparison or a match compares, with the elements of tuples and lists."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return [
            *sides,
            *(one for side in sides if isinstance(side, ast.Tuple | ast.List | ast.Set) for one in side.elts),
        ]
    if isinstance(node, ast.Match):
        return [node.subject, *(part for case in node.cases for part in ast.walk(case.pattern))]
    return []


def comparisons(tree: ast.AST) -> Iterator[ast.AST]:
    """Give the comparisons of something called `runtime` with the name of one."""
    for node in ast.walk(tree):
        sides = operands(node)
        names = {side.attr if isinstance(side, ast.Attribute) else getattr(side, "id", "") for side in sides}
        if "runtime" in names and any(isinstance(side, ast.Constant) and side.value in RUNTIMES for side in sides):
            yield node


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('if place.settings.runtime == "compose": pass', 1),
        ('any(one.runtime != "process" for one in places)', 1),
        ('runtime in ("process", "compose")', 1),
        ('match settings.runtime:\n    case "compose": pass', 1),
        ('tool.runtime == "node"', 0),
        ("runtime is not None", 0),
        ('kind == "compose"', 0),
    ],
)
def test_a_comparison_is_found(code: str, count: int) -> None:
    assert len(list(comparisons(ast.parse(code)))) == count


def test_no_code_asks_which_runtime_an_environment_has() -> None:
    for room in ROOMS:
        for file in (CHECKOUT / room).rglob("*.py"):
            found = [ast.unparse(node) for node in comparisons(ast.parse(file.read_text(encoding="utf-8")))]
            assert not found, f"{file}: {found}: ask the runtime a question with a meaning (deployments/runtimes)"
