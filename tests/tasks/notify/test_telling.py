"""What flows tell: written down in a moment, never failing or delaying them, and told where it does not work."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from evidence.commits import Commit
from gates.check import Check, Outcome
from gates.notify.messages import Message, Reply, Role, read_post
from gates.notify.texts import Alert, CiResult
from notify.outbox import GITHUB, Outbox
from tasks.notify import messages
from tasks.notify.github import begin_checks, tell_checks, tell_findings, tell_release_notes
from tasks.notify.messages import call_person, say, tell_alert, tell_notes, tell_result
from tests.prefect_server import a_home

SLACK = "slack"
COMMIT, OTHER = "a" * 40, "b" * 40
CONFIG = """
ui_url = "https://ui.example"
[github]
repository = "team/app"
token = "env:GITHUB_TEST"
sarif = true
releases = true
[slack]
token = "env:SLACK_TEST"
channel = "C1"
"""


class World:
    def __init__(self, directory: Path) -> None:
        self.file = directory / "notify.toml"
        self.file.write_text(CONFIG)
        self.outbox = Outbox.of(a_home(directory))
        self.shown: list[tuple[str, str]] = []


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(made.file))
    # The page itself is tests/e2e's business: here only that it is shown.
    monkeypatch.setattr(messages, "show", lambda key, page, description: made.shown.append((key, page)))
    with disable_run_logger():
        yield made


def seen(good: bool, commit: str = COMMIT, branch: str = "main") -> CiResult:
    bad = Check(name="unit", outcome=Outcome.FAILED, reason="1 of 40 failed: @team <b>")
    checks = (Check(name="black", outcome=Outcome.PASSED, reason="clean"), *(() if good else (bad,)))
    return CiResult("v1", commit, branch, "Ann", "a change", good, "unit: failed", checks, "https://ui.example/run")


def told(world: World, queue: str) -> list[dict[str, object]]:
    return [dict(item.body) for item in world.outbox.due(queue)]


def test_a_status_for_each_check_and_one_for_all(world: World) -> None:
    begin_checks(COMMIT, "https://ui.example/run")
    tell_checks(seen(False))
    statuses = [
        (item.body["context"], item.body["state"]) for item in world.outbox.due(GITHUB) if item.kind == "status"
    ]
    assert statuses == [
        ("slipway/ci", "pending"),
        ("slipway/black", "success"),
        ("slipway/unit", "failure"),
        ("slipway/ci", "failure"),
    ]
    (comment,) = [item.body["text"] for item in world.outbox.due(GITHUB) if item.kind == "comment"]
    assert "@team" not in comment and "<b>" not in comment and "unit" in comment


def test_a_check_without_verdict_is_an_error_not_a_success(world: World) -> None:
    checks = (Check(name="unit", outcome=Outcome.NO_VERDICT, reason="x" * 300),)
    tell_checks(CiResult("v1", COMMIT, "main", "Ann", "s", False, "r", checks, "https://ui.example/run"))
    first = told(world, GITHUB)[0]
    assert first["state"] == "error" and len(str(first["description"])) == 140


def test_findings_and_notes(world: World) -> None:
    tell_findings(COMMIT, "main", {"version": "2.1.0"})
    tell_findings(COMMIT, "", {"version": "2.1.0"})
    tell_release_notes("v1", COMMIT, [Commit(hash=COMMIT, author="Ann", email="a@b.c", subject="fix: @all of it")])
    kinds = {item.kind: item.body for item in world.outbox.due(GITHUB)}
    assert kinds["sarif"]["ref"] == "refs/heads/main"
    assert "### Fixed" in kinds["release"]["notes"] and "@all" not in kinds["release"]["notes"]


def test_what_a_release_brings_is_said_in_its_thread_and_without_a_token_on_a_page(world: World) -> None:
    subjects = ("feat!: drop the old API", "fix: <!channel> once", "words\nonly")
    brought = [Commit(hash=COMMIT, author="Ann", email="a@b.c", subject=one) for one in subjects]
    tell_notes("v2", brought)
    (item,) = world.outbox.due(SLACK)
    post = read_post(item.kind, item.body)
    assert isinstance(post.content, Reply) and post.content.role is Role.NOTE and post.key.startswith("release:")
    text = post.content.text
    assert "What v2 brings" in text and "Breaking" in text and "drop the old API" in text
    world.file.write_text("")
    tell_notes("v2", [])
    assert [(key, "No commits are known" in page) for key, page in world.shown] == [("notes", True)]


def test_each_failing_commit_is_told_once_and_the_recovery_too(world: World) -> None:
    for one in (seen(True), seen(False), seen(False), seen(False, OTHER), seen(True, OTHER), seen(True, OTHER)):
        tell_result(one, "ann@example.com")
    assert [body["key"] for body in told(world, SLACK)] == [
        f"ci:{COMMIT}:failure",
        f"ci:{OTHER}:failure",
        f"ci:{OTHER}:recovery",
    ]
    assert {body["email"] for body in told(world, SLACK)} == {"ann@example.com"}


def test_branches_are_apart(world: World) -> None:
    tell_result(seen(False, branch="main"), "")
    tell_result(seen(True, branch="develop"), "")
    assert len(told(world, SLACK)) == 1


def test_without_a_token_the_same_message_is_a_page(world: World) -> None:
    world.file.write_text("")
    tell_alert(Alert("production", "unhealthy", "the database | does not answer"))
    ((key, page),) = world.shown
    assert key == "message" and "production: unhealthy" in page.replace("\\", "")
    begin_checks(COMMIT, "https://ui.example/run")
    assert told(world, SLACK) == told(world, GITHUB) == []


def test_a_person_is_called_with_the_runbook(world: World) -> None:
    world.file.write_text('runbook_url = "https://wiki.example/run"\n' + CONFIG)
    call_person("production", "could not be rolled back", "no earlier version is left")
    (body,) = told(world, SLACK)
    assert "A person must act" in str(body["content"]) and "https://wiki.example/run" in str(body["content"])


@pytest.mark.parametrize("broken", ["config", "outbox"])
def test_what_cannot_be_told_is_a_warning_not_an_error(
    world: World, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("of-the-run")
    for module in ("tasks.notify.messages", "tasks.notify.github"):
        monkeypatch.setattr(f"{module}.get_run_logger", lambda: log)
    if broken == "config":
        world.file.write_text("slack = 5")
    else:
        world.outbox.file.mkdir(parents=True)
    say("key", Message(headline="hello"))
    tell_result(seen(False), "")
    tell_checks(seen(False))
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 3
    assert world.shown == []


def test_a_channel_that_is_behind_is_told_in_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tasks.notify.messages.get_run_logger", lambda: logging.getLogger("of-the-run"))
    say("key", Message(headline="first"))
    assert caplog.records == []
    (item,) = world.outbox.due(SLACK)
    world.outbox.postpone(item, 0, "Slack: invalid_auth")
    say("key", Message(headline="second"))
    assert "2 messages wait; the last try: Slack: invalid_auth" in caplog.text


def test_a_service_that_does_not_run_is_told(world: World) -> None:
    say("key", Message(headline="first"))
    backlog = world.outbox.backlog(SLACK)
    assert backlog.trouble(datetime.now(UTC), timedelta(seconds=60)) == ""
    assert "make status" in backlog.trouble(datetime.now(UTC) + timedelta(seconds=61), timedelta(seconds=60))
