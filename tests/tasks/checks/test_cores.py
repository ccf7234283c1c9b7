import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from host.errors import ConfigError, ToolError
from host.home import Home
from host.resources.cores import Claim, Cores
from host.virtual_environments import COMPLETE
from tasks.checks.cores import core, on_a_core, once_on_a_core, with_wait_noted
from tasks.source.git import Source
from tasks.source.workspace import Looked, Workspace
from tests.tasks.archives import packed
from tests.waiting import wait_for

SECRET = "Zk3vQ9xLmW8TbY2pQr7sNd"
PASSED = Looked(Check(name="mypy", outcome=Outcome.PASSED, reason="clean", seconds=2, notes=("1 file was skipped",)))


@pytest.fixture(autouse=True)
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLIPWAY_CORES", "1")
    return Home.find().cores


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    archive = packed(tmp_path, {"settings.env": f"API_TOKEN={SECRET}\n"})
    return Workspace(tmp_path, Source("c" * 40, "v1", "main", (), archive), tmp_path / "environment")


def claims(queue: Path) -> int:
    return len(list(queue.glob("*.claim")))


@contextmanager
def beside(queue: Path, look: "partial[Looked]") -> Iterator["Future[Looked]"]:
    """Have a check done while another run has the only core; it is given back when the block ends."""
    with ThreadPoolExecutor(1) as pool:
        with Cores(queue, 1).take(Claim(what="suite e2e", run="ci-7", alone=True)):
            looked = pool.submit(look)
            wait_for(lambda: claims(queue) == 2, "the check queues")
            yield looked
        looked.exception(60)


def test_a_check_s_words_hold_no_secret_that_the_commit_declares(workspace: Workspace) -> None:
    said = PASSED.check.model_copy(update={"reason": f"E assert '{SECRET}' == ''", "notes": (f"got {SECRET[:12]}",)})
    check = on_a_core("mypy", workspace, lambda: Looked(said)).check
    assert (check.reason, check.notes) == ("E assert '***' == ''", ("got ***",))


def test_a_check_waits_for_another_run_and_says_so(
    queue: Path, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "slipway.progress")
    with beside(queue, partial(on_a_core, "mypy", workspace, lambda: PASSED)) as looked:
        wait_for(lambda: "mypy: waits for a core: suite e2e of ci-7" in caplog.text, "the wait is told")
        assert not looked.done()
    found = looked.result(60)
    assert found.waited_s > 0
    assert found.check == PASSED.check, "its seconds are those of its work"
    assert "mypy: waited" in caplog.text
    assert claims(queue) == 0


def test_a_cancelled_run_does_not_wait(queue: Path, workspace: Workspace) -> None:
    with beside(queue, partial(on_a_core, "mypy", workspace, lambda: PASSED)) as looked:
        workspace.cancelled.set()
        with pytest.raises(ToolError, match="cancelled"):
            looked.result(60)


def test_what_must_be_alone_has_all_cores(queue: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CORES", "8")

    def look() -> Looked:
        (claim,) = queue.glob("*.claim")
        assert Claim.model_validate_json(claim.read_text()).alone
        return PASSED

    assert on_a_core("load test", workspace, look, alone=True).waited_s == 0


def test_what_is_made_already_waits_for_no_core(queue: Path, tmp_path: Path) -> None:
    made: list[str] = []
    kept = tmp_path / "kept"

    def make() -> None:
        assert claims(queue) == 1
        kept.mkdir()
        made.append("kept")

    once_on_a_core("environment", kept, make)
    assert (kept / COMPLETE).exists()
    elsewhere = threading.Thread(target=once_on_a_core, args=("environment", kept, make), daemon=True)
    with core("load test", alone=True):
        elsewhere.start()
        elsewhere.join(60)
        assert not elsewhere.is_alive()
    assert made == ["kept"]


@pytest.mark.parametrize(
    ("waited_s", "notes"), [(0.0, ()), (0.99, ()), (1.0, ("waited for a core: 1 s, while other runs used them",))]
)
def test_a_wait_that_a_person_notices_is_noted(waited_s: float, notes: tuple[str, ...]) -> None:
    looked = with_wait_noted(Looked(PASSED.check, {"junit": Path("junit.xml")}, waited_s))
    assert looked.check.notes == ("1 file was skipped", *notes)
    assert (looked.check.seconds, looked.files) == (2, {"junit": Path("junit.xml")})


def test_a_wrong_number_of_cores_is_told_before_anything_is_done(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_CORES", "many")
    with pytest.raises(ConfigError, match="SLIPWAY_CORES"):
        on_a_core("mypy", workspace, lambda: PASSED)
