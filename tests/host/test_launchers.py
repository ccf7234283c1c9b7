"""The paths that running supervisors have written down."""

from pathlib import Path

import pytest

from control import start_flow
from deployments.router import exec_locked
from deployments.router.bootstrap import Edge
from deployments.router.router import Envoy
from host.home import CHECKOUT
from host.launchers import LOCKED, PROGRAM, SANDBOX
from host.sandbox import launch
from host.supervisor import exec_program
from host.supervisor.program import Program


@pytest.mark.parametrize(
    "path, kept, module",
    [
        (PROGRAM, "deployments/supervised.py", exec_program),
        (LOCKED, "deployments/locked_exec.py", exec_locked),
        (SANDBOX, "deployments/sandbox_init.py", launch),
        (str(CHECKOUT / "services" / "start_flow.py"), "services/start_flow.py", start_flow),  # until `make upgrade`
    ],
)
def test_a_path_stays_and_leads_to_the_code(path: str, kept: str, module: object) -> None:
    assert path == str(CHECKOUT / kept)
    assert Path(path).samefile(str(vars(module)["__file__"]))


def test_commands_name_the_paths_that_stay(tmp_path: Path) -> None:
    assert PROGRAM in Program("router", ("true",), tmp_path).section()
    assert LOCKED in Envoy(tmp_path, tmp_path, Edge(8000)).command()
