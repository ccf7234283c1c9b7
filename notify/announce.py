"""Queueing of posts: written down in a millisecond for each channel, sent by services/notify/main.py, in order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from gates.notify.messages import Post
from notify.channels import configured
from notify.outbox import Outbox
from settings.notify import Notify

Entry = tuple[str, str, Mapping[str, Any]]


def entries(notify: Notify, *posts: Post) -> list[Entry]:
    """Return the outbox entries of posts: one in the queue of each configured channel. ConfigError."""
    names = [channel.name for channel in configured(notify)]
    bodies = [post.model_copy(update={"id": uuid4().hex}).model_dump(mode="json") for post in posts if names]
    return [(name, "post", body) for body in bodies for name in names]


def announce(notify: Notify, outbox: Outbox, *posts: Post, remember: Mapping[str, Any] | None = None) -> bool:
    """Queue posts and remember values, all or nothing; False without a channel. ConfigError, OutboxError."""
    if not configured(notify):
        return False
    outbox.write(entries(notify, *posts), remember)
    return True


def troubles(notify: Notify, outbox: Outbox, now: datetime, patience: timedelta) -> list[str]:
    """Return what is wrong with the channels, a line for each that is behind. ConfigError, OutboxError."""
    backlogs = {channel.name: outbox.backlog(channel.name) for channel in configured(notify)}
    lines = {name.capitalize(): backlog.trouble(now, patience) for name, backlog in backlogs.items()}
    return [f"{name} is not told everything: {line}" for name, line in lines.items() if line]
