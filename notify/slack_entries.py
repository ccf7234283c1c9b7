"""Have a message said in Slack: written down in a millisecond, said by services/notify/slack_main.py, in order."""

import base64
from typing import Any

from gates.notify.messages import Message
from gates.notify.slack_blocks import blocks, escape, fallback
from gates.notify.texts import Alert, alert_message
from notify.outbox import SLACK, Outbox
from settings.notify import Notify

Entry = tuple[str, str, dict[str, Any]]


def message_entry(notify: Notify, key: str, message: Message, email: str = "") -> Entry:
    """Return the outbox entry of a message. A later one of the same `key` changes it in place.

    With `email` it goes to that person, if Slack knows them, else to the channel.
    """
    body = {"key": key, "channel": notify.slack.channel, "text": fallback(message), "blocks": blocks(message)}
    return SLACK, "message", {**body, "email": email}


def reply_entry(notify: Notify, key: str, text: str, loud: bool = False) -> Entry:
    """Return the outbox entry of a line in the message's thread; a `loud` one is shown in the channel too."""
    return SLACK, "reply", {"key": key, "channel": notify.slack.channel, "text": escape(text)[:3000], "loud": loud}


def picture_entry(notify: Notify, key: str, title: str, png: bytes) -> Entry:
    """Return the outbox entry of a picture in the message's thread."""
    body = {"key": key, "channel": notify.slack.channel, "title": title}
    return SLACK, "picture", {**body, "png": base64.b64encode(png).decode()}


def alert_entries(notify: Notify, key: str, alert: Alert) -> list[Entry]:
    """Return the outbox entries of an alert or of its end, which changes the message and is said in the channel too.

    None without a token.
    """
    if not notify.slack.token:
        return []
    message = alert_message(alert)
    entries = [message_entry(notify, key, message)]
    if alert.over:
        entries.append(reply_entry(notify, key, f"{message.headline}: {alert.reason}", loud=True))
    return entries


def announce(notify: Notify, outbox: Outbox, *entries: Entry) -> bool:
    """Write entries down; False when Slack is not configured. Raises OutboxError."""
    if not notify.slack.token:
        return False
    outbox.write(entries)
    return True
