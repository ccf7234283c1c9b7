"""Sender of what waits for one channel: in order, until it worked or a day is over. Each channel has a queue and a
thread of its own, so that none waits for another.
"""

import hashlib
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from gates.notify.messages import Message, Post, read_post
from host.errors import ConfigError, ServerAway
from host.home import Home
from notify.channel import Channel, ChannelTrouble
from notify.channels import Configured
from notify.outbox import Item, Outbox
from services.notify.queue_loop import run_queue

EVERY_S = 0.5
OPEN_AGAIN_S = 15.0
GIVE_UP = timedelta(hours=24)
# What a row or an answer of another shape raises when it is read.
MISREAD = (ValueError, TypeError, KeyError, AttributeError)

log = structlog.get_logger("notify")


class Sender:
    """The loop over the outbox's queue for a channel."""

    def __init__(self, configured: Configured, home: Home, outbox: Outbox) -> None:
        self.configured = configured
        self.name = configured.name
        self.home = home
        self.outbox = outbox
        self._channel: Channel[Any] | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        run_queue(self.work, self.name, stop, EVERY_S)

    def work(self) -> float:
        """Send what is due; return the seconds that the channel wants to be left alone. Raises OutboxError."""
        try:
            self._channel = self._channel or self.configured.open(self.home, self.outbox)
        except (ConfigError, ServerAway) as error:
            log.error("not opened", channel=self.name, error=str(error), again_in_s=OPEN_AGAIN_S)
            return OPEN_AGAIN_S
        items = self.outbox.due(self.name)
        posts = {item.id: post for item in items if (post := self._read(item))}
        newest = {post.key: number for number, post in posts.items() if post.replaces}
        for item in items:
            post = posts.get(item.id)
            if post is None or self._is_obsolete(post, newest.get(post.key) == item.id):
                self.outbox.done(item)
            elif wait_s := self._send(self._channel, item, post):
                return wait_s  # the others wait too: their order counts
        return 0.0

    def _read(self, item: Item) -> Post | None:
        try:
            return read_post(item.kind, item.body)
        except MISREAD as error:
            self._give_up(item, f"cannot be read: {type(error).__name__}")
            return None

    def _is_obsolete(self, post: Post, newest: bool) -> bool:
        """Return whether a newer message of its key is sent in this same pass, or the same was sent already."""
        if not post.replaces:
            return False
        sent = self.outbox.recall(f"{self.name}:sent:{post.key}")
        return sent is not None and (not newest or sent == _digest(post))

    def _send(self, channel: Channel[Any], item: Item, post: Post) -> float:
        """Send one post; return the seconds to wait, 0 when it was sent or given up."""
        try:
            channel.send(post)
        except ChannelTrouble as trouble:
            if trouble.wait_s is not None and datetime.now(UTC) - item.created < GIVE_UP:
                log.warning("not sent", channel=self.name, error=str(trouble), again_in_s=trouble.wait_s)
                self.outbox.postpone(item, trouble.wait_s, str(trouble))
                return max(trouble.wait_s, EVERY_S)
            self._give_up(item, str(trouble))
        except MISREAD as error:
            self._give_up(item, f"cannot be sent: {type(error).__name__}")
        else:
            if isinstance(post.content, Message):
                self.outbox.remember(f"{self.name}:sent:{post.key}", _digest(post))
            self.outbox.settle(item)
        return 0.0

    def _give_up(self, item: Item, error: str) -> None:
        log.error("given up", channel=self.name, error=error)
        self.outbox.give_up(item, error)


def _digest(post: Post) -> str:
    return hashlib.sha256(post.content.model_dump_json().encode()).hexdigest()
