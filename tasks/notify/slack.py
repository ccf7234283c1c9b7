"""Say things in Slack, or, without a token for it, on a page and in the log of the run. The same messages.

Functions, not tasks, as in tasks/artifacts.py: a message is written down in a millisecond and said by
services/notify/slack_main.py. They never fail or delay a run; a Slack that is down or misconfigured is told in its log.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from prefect import runtime
from prefect.logging import get_run_logger

from deployments.preflight import Preflight
from deployments.rollout import Rollout
from evidence.statements import Commit
from gates.notify.messages import Message, as_markdown, as_text, plain_markdown
from gates.notify.release_notes import notes_of, notes_text
from gates.notify.texts import (
    Alert,
    Asked,
    Checked,
    Moved,
    Told,
    alert_message,
    asked_message,
    checked_message,
    is_news,
    moved_message,
)
from gates.release.approval import Question
from host.errors import SlipwayError
from host.home import Home
from notify.outbox import SLACK, Outbox
from notify.slack_entries import Entry, announce, message_entry, picture_entry, reply_entry
from settings.notify import Notify, read_notify
from tasks.artifacts import show
from tasks.notify.links import run_url

PATIENCE = timedelta(seconds=60)


def say(key: str, message: Message, email: str = "", png: bytes | None = None) -> None:
    """Say a message; a later one of the same `key` changes it in place. Without a token: the page `message`, and the
    log.
    """

    def write(notify: Notify, outbox: Outbox) -> None:
        entries: list[Entry] = [message_entry(notify, key, message, email)]
        if png:
            entries.append(picture_entry(notify, key, message.headline, png))
        announce(notify, outbox, *entries)

    if not _say(write):
        get_run_logger().info("%s", as_text(message))
        show("message", as_markdown(message), message.headline)


def ask_in_slack(mark: str, question: Question, seen: Preflight, trouble: str = "") -> None:
    """Put an approval question to the channel, with buttons. Without a token the page `approval` is all there is."""
    asked = Asked(
        mark=mark,
        run=question.run,
        environment=question.environment,
        digest=question.digest,
        policy=question.policy,
        expires=question.expires,
        authors=question.authors,
        author_may_approve=question.author_may_approve,
        code=question.code,
        version=seen.version.version,
        live=seen.live.version.version if seen.live else "nothing",
        verdict=seen.verdict.reason,
        commits=tuple(f"{one.hash[:12]} {one.subject} ({one.author})" for one in seen.commits),
        warnings=seen.warnings,
        url=run_url(question.run),
        trouble=trouble,
        contracts=question.contracts,
    )

    def write(notify: Notify, outbox: Outbox) -> None:
        entry = message_entry(notify, f"release:{question.run}", asked_message(asked))
        outbox.write([entry], {f"asked:{mark}": asked.model_dump(mode="json")})

    _say(write)


def tell_release(rollout: Rollout, outcome: str, reason: str) -> None:
    """Tell how a release or a rollback ended, at the end of its run.

    In Slack services/notify/follow_journals.py tells it, from the journal; here only whether that works. Without a
    token: the page.
    """
    if _say(lambda notify, outbox: None):
        return
    moved = Moved(
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
    message = moved_message(moved)
    get_run_logger().info("%s", as_text(message))
    show("message", as_markdown(message), message.headline)


def tell_notes(version: str, commits: Sequence[Commit]) -> None:
    """Say what a release brought, in its thread. Without a token: the page `notes`."""
    noted = [(one.hash, one.author, one.subject) for one in commits]

    def write(notify: Notify, outbox: Outbox) -> None:
        text = f"What {version} brings:\n{notes_text(noted)}"
        outbox.write([reply_entry(notify, f"release:{runtime.flow_run.id}", text)])

    if not _say(write):
        show("notes", f"## What {plain_markdown(version)} brings\n\n{notes_of(noted)}\n", f"what {version} brings")


def tell_checked(seen: Checked, email: str) -> None:
    """Tell a failure of `ci` to the commit's author, each failing commit once, and the branch's recovery."""
    try:
        outbox = Outbox.of(Home.find())
        name = f"ci:{seen.branch}"
        news = is_news(seen.good, seen.commit, outbox.recall(name))
        if news is Told.NOTHING:
            return
        outbox.remember(name, seen.commit if news is Told.FAILURE else None)
        authors = read_notify().slack.authors
    except (SlipwayError, OSError) as error:
        get_run_logger().warning("whether this is news could not be found out: %s", error)
        return
    message = checked_message(seen, recovered=news is Told.RECOVERY)
    say(f"ci:{seen.commit}:{news}", message, email if authors else "")


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


def _say(write: Callable[[Notify, Outbox], None]) -> bool:
    """Write something for Slack; False when there is no token. What is wrong with Slack is a warning of the run."""
    log = get_run_logger()
    try:
        notify = read_notify()
        if not notify.slack.token:
            return False
        outbox = Outbox.of(Home.find())
        write(notify, outbox)
        trouble = outbox.backlog(SLACK).trouble(datetime.now(UTC), PATIENCE)
    except (SlipwayError, OSError) as error:
        trouble = str(error)
    if trouble:
        log.warning("Slack is not told everything: %s", trouble)
    return True
