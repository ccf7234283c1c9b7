"""The approval as a person gives it: `prefect deployment run release/prod` is typed, the answer is clicked."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from control.server_process import prefect
from tests.e2e.prefect_ui import PrefectUi, browser_window, chromium
from tests.installation import APPROVER, CHECKOUT, Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser]

RUN = re.compile(r"UUID: ([0-9a-f-]{36})")


@pytest.fixture(scope="session", autouse=True)
def executable() -> str:
    """Look for Chromium before an installation is made: without it there is nothing to do here."""
    return chromium()


@pytest.fixture
def ui(executable: str, installation: Installation) -> Iterator[PrefectUi]:
    with browser_window(executable, installation.control.url, installation.control.auth) as window:
        yield window


@pytest.fixture
def version(installation: Installation) -> tuple[str, str]:
    """Make what staging promoted last."""
    return installation.new_version()


@pytest.fixture
def asked(installation: Installation, version: tuple[str, str], ui: PrefectUi) -> Iterator[str]:
    """Have a run of release/prod wait for an answer; it is cancelled when a test leaves it waiting."""
    run = type_release(installation)
    wait_for(lambda: installation.state(run) == "PAUSED", f"run {run} asks")
    yield run
    if installation.state(run) == "PAUSED":
        installation.api.call("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})


def type_release(installation: Installation) -> str:
    """Type the command exactly so, without parameters; return the id of the run that it names."""
    typed = subprocess.run(
        [prefect(), "deployment", "run", "release/prod"],
        cwd=CHECKOUT,
        env={**os.environ, **installation.control.client_environment()},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found = RUN.search(typed.stdout)
    assert typed.returncode == 0 and found, typed.stdout + typed.stderr
    return found[1]


def test_release_is_approved_by_clicking(
    installation: Installation, version: tuple[str, str], asked: str, ui: PrefectUi
) -> None:
    name, digest = version
    ui.open_run(asked)
    ui.expect_state("Paused")
    ui.picture("1-run-paused")
    page = ui.open_artifact("approval")
    assert f"Release {name} to production?" in page and digest in page and APPROVER in page
    ui.picture("2-approval-page")
    ui.open_run(asked)
    dialog = ui.resume()
    assert f"Release {name} to production?" in dialog.text
    dialog.fill("approve", APPROVER, dialog.code, "clicked")
    ui.picture("3-resume-dialog")
    dialog.answer("approve", APPROVER, dialog.code, "clicked")
    assert installation.ended(asked)[0] == "Promoted"
    live = installation.place().ledger().live
    assert live and live.version.digest == digest
    ui.open_run(asked)
    ui.expect_state("Promoted")
    ui.picture("4-run-promoted")
    outcome = ui.open_artifact("outcome")
    assert f"{name} in production: promoted" in outcome
    assert "\\" not in outcome and "&#" not in outcome  # what is escaped for the page is shown as it was
    ui.picture("5-outcome-page")
    ui.open_runs()
    ui.picture("6-runs")


def test_answer_that_does_not_hold_is_asked_again_with_the_reason_and_a_reject_ends_it(
    installation: Installation, asked: str, ui: PrefectUi
) -> None:
    before = installation.place().ledger().live
    ui.open_run(asked)
    code = ui.resume().code
    again = answer_wrongly(installation, ui, asked, "approve", APPROVER, "0000-0000")
    assert "the code is not the one on this page" in again
    again = answer_wrongly(installation, ui, asked, "approve", "Nobody Known", code)
    assert '"Nobody Known" is not named in config/approvers.toml' in again
    again = answer_wrongly(installation, ui, asked, "approve", "Sasha Staging", code)
    assert "Sasha Staging may not decide about production" in again
    ui.picture("7-asked-again")
    ui.open_run(asked)
    ui.resume().answer("reject", APPROVER, code, "not on a Friday")
    state, reason = installation.ended(asked)
    assert state == "Rejected" and "not on a Friday" in reason
    ui.open_run(asked)
    ui.expect_state("Rejected")
    ui.picture("8-run-rejected")
    after = installation.place().ledger().live
    assert before == after


def answer_wrongly(installation: Installation, ui: PrefectUi, run: str, decision: str, approver: str, code: str) -> str:
    """Answer so that it does not hold; return what the form says when it is asked again."""
    asked = state_id(installation, run)
    ui.open_run(run)
    ui.resume().answer(decision, approver, code)
    wait_for(lambda: state_id(installation, run) != asked and installation.state(run) == "PAUSED", "asked again")
    ui.open_run(run)
    return ui.resume().text


def state_id(installation: Installation, run: str) -> str:
    return str(installation.api.call("GET", f"/flow_runs/{run}")["state_id"])
