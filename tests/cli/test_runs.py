"""Following a run to its end, and what is told meanwhile."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli import runs
from cli.progress import Board
from tests.prefect_server import a_home, prefect_server


def test_a_run_is_told_while_it_runs_and_followed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, ticks = io.StringIO(), iter(range(0, 1000, 3))
    board = Board(Console(file=out, width=200), lambda: float(next(ticks)))
    with prefect_server(a_home(tmp_path), monkeypatch) as (server, api):
        state = {"id": "1", "name": "Running", "message": None}
        run = server.add_run("v1")
        run["state"] = state
        server.tasks = [{"name": "e2e", "state_type": "RUNNING"}]

        def waited(_seconds: float) -> None:
            if "now: e2e" in out.getvalue():
                state.update(name="Completed", message="good")
                run["state_type"] = "COMPLETED"

        monkeypatch.setattr(runs.time, "sleep", waited)
        ended = runs.follow(api, run["id"], "ci v1", 1000, board=board)
    assert (ended.state, ended.message) == ("Completed", "good")
    assert "... ci v1, " in out.getvalue() and "0 of 1 steps done, now: e2e" in out.getvalue()
