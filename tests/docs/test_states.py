"""docs/states.md names the states in which runs end, and no others."""

import ast
from collections.abc import Iterator
from pathlib import Path

from cli.releases.ends import CODES, GOOD
from deployments import rollback
from host.home import CHECKOUT

ENDS = ("Completed", "Failed", "Crashed")
# Prefect's own; no code of ours returns them.
PREFECT = {("any", "Crashed"), ("any", "Cancelled")}


def test_each_state_that_a_flow_can_return_is_described_and_no_other() -> None:
    returned = {(file.stem, name) for file in (CHECKOUT / "flows").glob("*.py") for name in _states(file)}
    raised = {("rollback", name) for name in rollback.ENDS.values()}
    assert returned | raised | {("release", "Superseded")} | PREFECT == set(_described())
    assert '"Superseded"' in (CHECKOUT / "services" / "watch" / "questions.py").read_text()


def test_each_end_of_a_typed_command_has_an_exit_code() -> None:
    for flow, good in GOOD.items():
        ends = {name for of, name in _described() if of in (flow, "any")}
        assert set(good) <= ends <= {*CODES, *good}
    assert len(set(CODES.values())) == len(CODES) and not {0, 1, 2, 130} & set(CODES.values())


def _states(file: Path) -> Iterator[str]:
    """Return the names of the states that a flow's file makes: each word in `name=`, else the type's own."""
    for call in ast.walk(ast.parse(file.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ENDS:
            name = next(
                (keyword.value for keyword in call.keywords if keyword.arg == "name"), ast.Constant(call.func.id)
            )
            words = [part.value for part in ast.walk(name) if isinstance(part, ast.Constant)]
            yield from (word for word in words if isinstance(word, str) and word[:1].isupper())


def _described() -> Iterator[tuple[str, str]]:
    flows: list[str] = []
    for line in (CHECKOUT / "docs" / "states.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0] != "Flow" and not cells[0].startswith("---"):
            flows = [flow.strip("` ") for flow in cells[0].split(",")] if cells[0] else flows
            yield from ((flow, state.strip()) for flow in flows for state in cells[1].split(","))
