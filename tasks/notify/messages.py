"""Messages for people through the configured channels or, without one, on a page and in the log of the run.

Functions, not tasks, as in tasks/artifacts.py: a message is written down in a millisecond and sent by
services/notify/main.py. They never fail or delay a run; a channel that is down or misconfigured is told in its log.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import runtime
from prefect.logging import get_run_logger

from deployments.rollout import Rollout
from evidence.commits import Commit
from gates.notify.messages import Message, Picture, Post, Reply, as_markdown, as_text, plain_markdown
from gates.notify.release_notes import notes_of, notes_text
from gates.notify.texts import (
    Alert,
    CiNews,
    CiResult,
    ReleaseProgress,
    alert_message,
    ci_message,
    is_news,
    progress_message,
    question_message,
)
from gates.release.approval import Question
from host.errors import SlipwayError
from host.home import Home
from notify.announce import announce, troubles
from notify.outbox import Outbox
from settings.notify import read_notify
from tasks.artifacts import show
from tasks.notify.links import run_url

PATIENCE = timedelta(seconds=60)


def say(key: str, message: Message, email: str = "", png: bytes | None = None) -> None:
    """Send a message through every channel; a later one of the same `key` changes it in place. Without a channel: the
    page `message`, and the log.
    """
    posts = [Post(key=key, content=message, email=email)]
    if png:
        posts.append(Post(key=key, content=Picture(title=message.headline, png=base64.b64encode(png).decode())))
    if not _announce(*posts):
        _show(message)


def ask_people(question: Question, trouble: str = "") -> None:
    """Put an approval question to every channel. Without a channel the page `approval` is all there is."""
    post = Post(key=f"release:{question.run}", content=question_message(question, trouble))
    _announce(post, remember={f"asked:{question.id}": question.model_dump(mode="json")})


def tell_release(rollout: Rollout, outcome: str, reason: str) -> None:
    """Tell how a release or a rollback ended, at the end of its run.

    The channels get it from services/notify/follow_journals.py, which reads the journal; here only whether that works.
    Without a channel: the page.
    """
    if _announce():
        return
    progress = ReleaseProgress(
        kind=rollout.kind,
        app=rollout.place.app,
        environment=rollout.place.name,
        version=rollout.version.version,
        commit=rollout.version.commit,
        before=rollout.before.version.version if rollout.before else "",
        outcome=outcome,
        reason=reason,
        steps=tuple(rollout.seconds.items()),
        url=run_url(str(runtime.flow_run.id)),
        public_url=rollout.place.public_url,
    )
    _show(progress_message(progress))


def tell_notes(version: str, commits: Sequence[Commit], more: int = 0) -> None:
    """Say what a release brought, beside its message. Without a channel: the page `notes`.

    `more` is how many older commits it has beyond them.
    """
    noted = [(commit.hash, commit.author, commit.subject) for commit in commits]
    note = Reply(text=f"What {version} brings:\n{notes_text(noted, more)}")
    if not _announce(Post(key=f"release:{runtime.flow_run.id}", content=note)):
        show(
            "notes", f"## What {plain_markdown(version)} brings\n\n{notes_of(noted, more)}\n", f"what {version} brings"
        )


def tell_result(result: CiResult, email: str) -> None:
    """Tell a failure of `ci` to the commit's author, each failing commit once, and the branch's recovery."""
    try:
        outbox = Outbox.of(Home.find())
        name = f"ci:{result.branch}"
        news = is_news(result.good, result.commit, outbox.recall(name))
        if news is CiNews.NOTHING:
            return
        outbox.remember(name, result.commit if news is CiNews.FAILURE else None)
    except (SlipwayError, OSError) as error:
        get_run_logger().warning("whether this is news could not be found out: %s", error)
        return
    message = ci_message(result, recovered=news is CiNews.RECOVERY)
    say(f"ci:{result.commit}:{news}", message, email)


def tell_alert(alert: Alert) -> None:
    """Tell that something is wrong, or over."""
    say(f"alert:{alert.environment}:{alert.what}:{datetime.now(UTC):%Y%m%dT%H%M%S}", alert_message(alert))


def call_person(environment: str, what: str, reason: str) -> None:
    """Tell that something is wrong which nothing here will put right: a person must act."""
    try:
        runbook_url = read_notify().runbook_url or ""
    except SlipwayError:
        runbook_url = ""
    tell_alert(Alert(environment, what, f"{reason}. A person must act.", runbook_url))


def _show(message: Message) -> None:
    get_run_logger().info("%s", as_text(message))
    show("message", as_markdown(message), message.headline)


def _announce(*posts: Post, remember: Mapping[str, Any] | None = None) -> bool:
    """Queue posts; False when no channel is configured. What is wrong with channels is a warning of the run."""
    log = get_run_logger()
    try:
        notify, outbox = read_notify(), Outbox.of(Home.find())
        if not announce(notify, outbox, *posts, remember=remember):
            return False
        lines = troubles(notify, outbox, datetime.now(UTC), PATIENCE)
    except (SlipwayError, OSError) as error:
        lines = [f"people are not told everything: {error}"]
    for line in lines:
        log.warning("%s", line)
    return True
