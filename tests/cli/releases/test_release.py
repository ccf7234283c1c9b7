"""`slipway release` and `slipway rollback --through-prefect`, against a server that speaks Prefect's protocol."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import runs
from cli.main import app
from host.errors import ConfigError, ServerAway, ToolError
from host.home import Home
from host.ports import free_port
from tests.prefect_server import PrefectServer, a_home, prefect_server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrefectServer]:
    home = a_home(tmp_path)
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    with prefect_server(home, monkeypatch) as (made, _):
        made.deployments = ["release/prod", "rollback/prod"]
        yield made


@pytest.fixture
def each_wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something happen whenever the follower waits, instead of a wait."""
    return lambda act: monkeypatch.setattr(runs.time, "sleep", lambda _seconds: act())


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def end(run: dict[str, Any], name: str, message: str, kind: str = "FAILED") -> None:
    run.update(state_type=kind, state={"id": name, "name": name, "message": message})


@pytest.mark.parametrize(
    ("words", "flow", "name", "code"),
    [
        pytest.param(("release", "production", "--version", "v2"), "release", "Promoted", 0, id="promoted"),
        pytest.param(("release", "prod", "--version", "v2"), "release", "Blocked", 10, id="blocked"),
        pytest.param(("rollback", "prod", "--through-prefect", "--to", "f00"), "rollback", "Restored", 14, id="back"),
    ],
)
def test_a_run_is_followed_to_its_end_and_the_reason_is_told_whole(
    server: PrefectServer, each_wait: Any, words: tuple[str, ...], flow: str, name: str, code: int
) -> None:
    reason = "because " + "of this " * 40
    each_wait(lambda: end(server.runs[0], name, reason, "COMPLETED" if code == 0 else "FAILED"))
    done = typed(*words)
    assert len(server.runs) == 1, done.exception
    (run,) = server.runs
    assert done.exit_code == code, done.output
    assert f"{name}: {reason}" in done.output and f"/runs/flow-run/{run['id']}" in done.output
    assert run["deployment"] == f"{flow}/prod"
    assert run["parameters"].items() >= ({"version": "v2"} if flow == "release" else {"to": "f00"}).items()


def test_a_question_says_where_and_what_to_fill_in_and_its_successor_is_followed(
    server: PrefectServer, each_wait: Any
) -> None:
    later = server.add_run("v2")
    later["state"] = {"id": "1", "name": "Running", "message": None}

    def act() -> None:
        first = server.runs[1]
        if first["state_type"] == "SCHEDULED":
            first.update(state_type="PAUSED", state={"id": "q", "name": "Paused", "message": None})
        elif first["state_type"] == "PAUSED":
            end(first, "Superseded", f"its process died; run {later['id']} asks again", "CRASHED")
        else:
            end(later, "Rejected", "Robin says no")

    each_wait(act)
    done = typed("release", "production")
    assert done.exit_code == 11 and "error: Rejected: Robin says no" in done.output
    assert "waits for you: " in done.output and "decision, approver (your name) and code" in done.output
    assert "version" not in server.runs[1]["parameters"]


def test_ctrl_c_stops_following_and_not_the_run(server: PrefectServer, each_wait: Any) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    each_wait(interrupt)
    done = typed("release", "production")
    assert done.exit_code == 130 and "the run goes on: " in done.output
    assert server.states == [] and server.runs[0]["state_type"] == "SCHEDULED"


def test_it_need_not_be_waited_for(server: PrefectServer) -> None:
    done = typed("release", "production", "--no-wait")
    assert done.exit_code == 0 and server.runs[0]["id"] in done.output


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        pytest.param(("release", "nowhere"), ConfigError, "development, staging, production", id="environment"),
        pytest.param(("release", "staging"), ToolError, "no deployment release/staging; run: make up", id="deployment"),
        pytest.param(("rollback", "prod", "--no-wait"), ConfigError, "--through-prefect", id="wait-for-itself"),
    ],
)
def test_what_cannot_be_started_is_one_line(
    server: PrefectServer, words: tuple[str, ...], error: type[Exception], says: str
) -> None:
    done = typed(*words)
    assert isinstance(done.exception, error) and says in str(done.exception)
    assert server.runs == []


def test_without_a_server_the_next_move_is_told_and_none_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(Home(tmp_path / "home").root))
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", str(free_port()))
    done = typed("release", "production")
    assert isinstance(done.exception, ServerAway) and str(done.exception).endswith("run: make up")


def test_on_another_host_a_rollback_goes_through_prefect(
    server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_POOLS", "ci,dev")
    assert typed("rollback", "production", "--no-wait").exit_code == 0
    assert server.runs[0]["deployment"] == "rollback/prod"
    refused = typed("rollback", "production", "--on-this-host")
    assert isinstance(refused.exception, ConfigError) and "SLIPWAY_POOLS" in str(refused.exception)
