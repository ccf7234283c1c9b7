"""The weekly report on a Prefect server: its page in the UI, its file, and its message."""

from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flows.report import report
from notify.outbox import Outbox
from settings.targets import Target
from tests.many_releases import releases, write_journal
from tests.prefect_server import a_home

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = a_home(tmp_path)
    (home.keys / "prefect-auth").write_text("slipway:x")
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", "9")
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(tmp_path / "notify.toml"))
    write_journal(home.place("production") / "journal.jsonl", releases(30))
    return tmp_path


def artifacts(run: UUID) -> dict[str, str]:
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    with get_client(sync_client=True) as client:
        return {str(one.key): str(one.data) for one in client.read_artifacts(artifact_filter=wanted)}


def test_the_page_is_shown_and_written_and_without_slack_the_message_is_a_page(configured: Path) -> None:
    state = report(days=20_000, return_state=True)
    assert state.is_completed(), state.message
    pages = artifacts(state.state_details.flow_run_id)
    assert "change failure rate" in pages["delivery"]
    assert "journal of production" in pages["message"]
    assert (configured / "state" / "reports" / "production.html").read_text().startswith("<!doctype html>")


def test_with_slack_the_message_and_its_picture_wait_for_the_listener(configured: Path) -> None:
    (configured / "notify.toml").write_text('[slack]\ntoken = "env:X"\nchannel = "C1"\n')
    state = report(Target("staging"), return_state=True)
    assert state.is_completed() and "no data" in str(state.message)
    outbox = Outbox(configured / "state" / "control" / "outbox.sqlite")
    assert [item.body["content"]["kind"] for item in outbox.due("slack")] == ["message", "picture"]
    assert set(artifacts(state.state_details.flow_run_id)) == {"delivery"}


def test_a_damaged_journal_fails_the_report(configured: Path) -> None:
    file = configured / "state" / "environments" / "production" / "journal.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"v7"', b'"v8"'))
    state = report(return_state=True)
    assert state.is_failed() and "damaged" in str(state.message)
