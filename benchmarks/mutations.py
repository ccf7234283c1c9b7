"""Mutants of Python source, made with mutmut's operators and two of our own: a part of `make mutants`.

A place is a node of the source and an operator that changes it. Left out is what the type checker tells (annotations,
arguments of decorators, `a = None`), and the wording of texts.
"""

import ast
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation import mutators

Operator = Callable[[Any], Iterable[cst.CSTNode]]


def without_a_named_argument(node: cst.Call) -> Iterator[cst.CSTNode]:
    """Yield the call without each argument in turn that has a name: its default may be taken unnoticed."""
    shorter = (call for call in mutators.operator_arg_removal(node) if len(call.args) < len(node.args))
    yield from (call for argument, call in zip(node.args, shorter) if argument.keyword)


def negated_condition(node: cst.If | cst.While) -> Iterator[cst.CSTNode]:
    """Yield the statement with the opposite condition; one that begins with `not` loses that by another operator."""
    if isinstance(node.test, cst.UnaryOperation):
        return
    whole = node.test if node.test.lpar else node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(cst.Not(), whole))


def dropped_call(node: cst.Expr) -> Iterator[cst.CSTNode]:
    """Yield nothing instead of a call for its effect."""
    if isinstance(node.value, cst.Call):
        yield cst.Pass(semicolon=node.semicolon)


OPERATORS: tuple[tuple[type | tuple[type, ...], Operator], ...] = (
    (cst.BaseNumber, mutators.operator_number),
    (cst.Name, mutators.operator_name),
    (cst.AugAssign, mutators.operator_augmented_assignment),
    (cst.UnaryOperation, mutators.operator_remove_unary_ops),
    (cst.Call, mutators.operator_symmetric_string_methods_swap),
    (cst.Call, mutators.operator_unsymmetrical_string_methods_swap),
    (cst.CSTNode, mutators.operator_keywords),
    (cst.CSTNode, mutators.operator_swap_op),
    (cst.Match, mutators.operator_match),
    (cst.IfExp, mutators.operator_if_exp),
    (cst.Call, without_a_named_argument),
    ((cst.If, cst.While), negated_condition),
    (cst.Expr, dropped_call),
)


@dataclass(frozen=True, order=True)
class Place:
    """Where an operator fits: `span` is line and column of the node's beginning and of its end."""

    file: str
    span: tuple[int, int, int, int]
    operator: str
    module: cst.Module = field(compare=False, repr=False)
    node: cst.CSTNode = field(compare=False, repr=False)
    changed: tuple[cst.CSTNode, ...] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Mutant:
    """A file with one change; `before` and `after` are the lines that differ, without indentation."""

    file: str
    line: int
    before: str
    after: str
    text: str


def places(file: str, source: str) -> list[Place]:
    """Return every place of one file."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    ranges = wrapper.resolve(PositionProvider)
    return [
        Place(file, span, operator.__name__, wrapper.module, node, changed)
        for node, span in _nodes(wrapper.module, (1, 0, 1, 0), ranges)
        for kind, operator in OPERATORS
        if isinstance(node, kind) and (changed := tuple(operator(node)))
    ]


def _nodes(
    node: cst.CSTNode, span: tuple[int, int, int, int], ranges: Mapping[cst.CSTNode, CodeRange]
) -> Iterator[tuple[cst.CSTNode, tuple[int, int, int, int]]]:
    """Yield the nodes at which to look, each with its span, or with that of what it is in where it has none."""
    if isinstance(node, cst.Annotation | cst.Decorator):
        return
    if node in ranges:
        start, end = ranges[node].start, ranges[node].end
        span = (start.line, start.column, end.line, end.column)
    yield node, span
    for child in node.children:
        yield from _nodes(child, span, ranges)


def mutants(place: Place) -> Iterator[Mutant]:
    """Yield the place's mutants that Python can read."""
    source = place.module.code
    for node in place.changed:
        text = cst.ensure_type(place.module.deep_replace(place.node, node), cst.Module).code
        if _is_python(text):
            yield Mutant(place.file, *_changed_lines(source, text), text)


def sample(found: Iterable[Place], count: int, seed: int) -> list[Mutant]:
    """Return up to `count` mutants: places as the seed says, and of each place one mutant."""
    chance = random.Random(seed)
    order = sorted(found)
    chance.shuffle(order)
    chosen: list[Mutant] = []
    for place in order:
        if len(chosen) == count:
            break
        if here := list(mutants(place)):
            chosen.append(chance.choice(here))
    return chosen


def _is_python(text: str) -> bool:
    try:
        compile(ast.parse(text), "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _changed_lines(source: str, text: str) -> tuple[int, str, str]:
    """Return the number of the first line that differs, and the lines before and after."""
    before, after = source.splitlines(), text.splitlines()
    number = 1
    while before and after and before[0] == after[0]:
        del before[0], after[0]
        number += 1
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
    return number, _stripped(before), _stripped(after)


def _stripped(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)
