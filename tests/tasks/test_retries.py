"""Which tasks are repeated, and when."""

import ast
from pathlib import Path

import httpx
import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from host.errors import ServerAway, SlipwayError, ToolError, is_busy, was_not_answered
from host.home import CHECKOUT
from tasks.retries import is_transient, may_pass, once


def raised(error: Exception, cause: Exception | None) -> Exception:
    """Return an error as it is after it was raised from its cause."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    "error, expected",
    [
        (ToolError("the engine does not answer", transient=True), True),
        (ToolError("no such image"), False),
        (ServerAway("the Prefect server does not answer"), True),
        (httpx.ConnectError("refused"), True),
        (httpx.ReadTimeout("late"), True),
        (httpx.HTTPStatusError("404", request=httpx.Request("GET", "http://x"), response=httpx.Response(404)), False),
        (ValueError("wrong"), False),
        (raised(ToolError("cannot be reached"), httpx.ConnectError("refused")), True),
        (raised(ToolError("the backup failed"), raised(SlipwayError("x"), ServerAway("y"))), True),
        (raised(ToolError("cannot be read"), ValueError("no JSON")), False),
    ],
)
def test_an_error_is_transient_when_it_or_a_cause_is(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected
    assert may_pass(_noted, TaskRun.model_construct(), Failed(data=error)) is expected


def test_a_failed_state_without_an_error_is_not_tried_again() -> None:
    assert not may_pass(_noted, TaskRun.model_construct(), Failed(message="nothing is known"))


@once("noted")
def _noted() -> None:
    """Do nothing."""


def tasks_of(file: Path) -> list[tuple[str, ast.FunctionDef, list[str]]]:
    """Return file and name, definition and the names of the decorators of every function that has any."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return [
        (
            f"{file}:{node.name}",
            node,
            [ast.unparse(mark.func if isinstance(mark, ast.Call) else mark) for mark in node.decorator_list],
        )
        for node in functions
    ]


def test_every_task_says_whether_it_is_repeated() -> None:
    files = [file for folder in ("tasks", "flows") for file in Path(CHECKOUT, folder).rglob("*.py")]
    found = [entry for file in files for entry in tasks_of(file)]
    assert [where for where, _, marks in found if "task" in marks] == []
    kinds = [entry for entry in found if {"once", "repeatable"} & set(entry[2])]
    assert len(kinds) > 25
    unexplained = [
        where
        for where, node, marks in kinds
        if "once" in marks and "Not repeated:" not in (ast.get_docstring(node) or "")
    ]
    assert unexplained == []


@pytest.mark.parametrize(
    "output, expected",
    [
        ("fatal: unable to access 'https://x/': Could not resolve host: x", True),
        ("ssh: connect to host x port 22: Connection refused", True),
        ("fatal: the remote end hung up unexpectedly", True),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", True),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", False),
        ("fatal: repository 'https://x/' not found", False),
        ("ERROR: 429 Client Error: Too Many Requests for url", True),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError: Failed to establish a new connection",
            True,
        ),
        ("ERROR: No matching distribution found for nothing==1", False),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", False),
        ("npm ERR! code ECONNRESET", True),
        ("npm ERR! code E404", False),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", True),
        ("net/http: TLS handshake timeout", True),
        ("manifest for x:1 not found: manifest unknown", False),
        ("tests/test_500.py: error code: 5000", False),
    ],
)
def test_programs_say_that_nobody_answered(output: str, expected: bool) -> None:
    assert was_not_answered(output) is expected


@pytest.mark.parametrize(
    "status, busy", [(200, False), (404, False), (429, True), (500, True), (501, False), (503, True)]
)
def test_a_busy_server_is_told_by_its_status(status: int, busy: bool) -> None:
    assert is_busy(status) is busy
