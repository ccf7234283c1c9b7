"""How the demo names what it releases, and when it stops."""

from pathlib import Path
from typing import Any

import pytest

from cli import runs
from cli.demo import main
from cli.demo.main import Demo
from evidence.check_report import Report, keep_report
from host.errors import ToolError
from host.home import Home
from settings.targets import Target

DIGEST = "ab" * 32


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    made = Demo(Home(tmp_path), None, None, None, None)  # type: ignore[arg-type]
    started: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(main.runs, "start", lambda _, name, **given: started.append((name, given)) or "run-1")
    monkeypatch.setattr(main.runs, "run_url", lambda *_: "the page")
    monkeypatch.setattr(made, "started", started, raising=False)
    return made


def ends(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setattr(main.runs, "follow", lambda *_, **__: runs.Ended("run-1", state, "why", 1.0))


def built(home: Path, digest: str = DIGEST) -> None:
    report = Report(
        run="run-1",
        version="v1",
        commit="0" * 40,
        branch="main",
        digest=digest,
        good=True,
        reason="",
        seconds=1,
        checks=(),
    )
    keep_report(Home(home), report)


def test_what_ci_built_is_released_by_its_digest(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name may be that of an earlier demo's artifact, too."""
    built(demo.home.root)
    ends(monkeypatch, "Completed")
    demo.ci("v1")
    ends(monkeypatch, "Promoted")
    demo.release(Target("staging"), "v1", "Promoted", "v1")
    demo.release(Target("production"), None, "Promoted", "v1")
    assert vars(demo)["started"] == [
        ("ci/push", {"commit": "v1"}),
        ("release/staging", {"version": DIGEST}),
        ("release/prod", {}),
    ]


def test_a_ci_without_a_report_ends_it(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, "Completed")
    with pytest.raises(ToolError, match="ci of v1 left no report; see the page"):
        demo.ci("v1")


@pytest.mark.parametrize("state", ["Blocked", "Failed", "Crashed", "Cancelled"])
def test_a_release_without_a_verdict_ends_it(demo: Demo, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    built(demo.home.root)
    ends(monkeypatch, "Completed")
    demo.ci("v1")
    ends(monkeypatch, state)
    with pytest.raises(ToolError, match=f"release v1 to staging ended {state}: why; see the page"):
        demo.release(Target("staging"), "v1", "Promoted", "v1")


def test_another_verdict_than_expected_is_one_for_the_table(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    built(demo.home.root)
    ends(monkeypatch, "Completed")
    demo.ci("v1")
    ends(monkeypatch, "RolledBack")
    demo.release(Target("staging"), "v1", "Promoted", "v1")
    assert [row.ended.state for row in demo.rows] == ["RolledBack"]
