from pathlib import Path

import pytest

from host.supervisor.readiness import await_ready
from host.supervisor.supervisor import Supervisor
from tests.host.supervisor.test_supervisor import SLEEP, program, supervisor
from tests.waiting import NEVER_S, wait_for

__all__ = ["supervisor"]


def test_a_program_that_works_is_waited_for(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.up()
    supervisor.run(program(f"import pathlib, time; pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(600)"))
    assert await_ready(supervisor, ("web",), (tmp_path / "up").exists, NEVER_S) == ""


@pytest.mark.parametrize(
    "code", ["import sys; sys.exit('no such table')", "import os; print('no such table'); os.abort()"]
)
def test_one_that_ended_is_told_at_once_with_its_last_words(supervisor: Supervisor, code: str) -> None:
    supervisor.up()
    supervisor.run(program(f"import time; time.sleep(1.5); {code}"))
    said = await_ready(supervisor, ("web",), lambda: False, NEVER_S)
    assert said.startswith("web ended with exit status") and "no such table" in said


def test_one_that_does_nothing_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.up()
    supervisor.run(program(SLEEP))
    wait_for(lambda: supervisor.log_tail("web") == "up", "its last words")
    said = await_ready(supervisor, ("web",), lambda: False, 0.1)
    assert said.startswith("web does nothing any more") and said.endswith("up")
