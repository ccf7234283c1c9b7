"""Microsoft Teams by an incoming webhook: an Adaptive Card for each message and each change of one.

Microsoft, "Create incoming webhooks with Workflows for Microsoft Teams" and "Format cards in Microsoft Teams". Outside
text goes into text runs, which read no Markdown: no link and no mention can come out of it.
"""

import json
from typing import Any

from pydantic import Field

from gates.notify.messages import Message, Post, Reply, Role, cut, title_of
from host.errors import ConfigError
from host.home import Home
from notify.channel import Channel, ChannelSettings, http_request
from notify.outbox import Outbox
from settings.notify import Reference

# Of 28 kB that a card may have; text of other alphabets takes three bytes a character.
LONGEST_TEXT = 6000
COLOUR = {"good": "Good", "bad": "Attention", "waiting": "Accent", "plain": "Default"}


class TeamsSettings(ChannelSettings):
    """Messages in Microsoft Teams. Whoever has the address can post: it is a secret."""

    url: Reference = Field(min_length=1)
    """Reference of the webhook's address."""
    timeout_seconds: float = Field(10, ge=0.5, le=60)
    """How long one step may take."""


class TeamsChannel(Channel[TeamsSettings]):
    settings_type = TeamsSettings

    def __init__(self, name: str, settings: TeamsSettings, home: Home, outbox: Outbox) -> None:
        super().__init__(name, settings, home, outbox)
        self.url = self.secret("url")
        if not self.url.startswith(("https://", "http://127.0.0.1:")):
            raise ConfigError(f"config/notify.toml: {name}.url: its secret is not an https:// address")

    def check(self) -> str:
        return "the address can be read; it shows only with a message whether it is the right one"

    def send(self, post: Post) -> None:
        match post.content:
            case Message() as message:
                body = message_card(message)
            case Reply(text=text, role=Role.NOTE):
                body = card([text_block(text)])
            case _:
                return  # steps are in the next message, repeats were just sent, and there is no room for pictures
        headers = {"content-type": "application/json"}
        http_request("Teams", "POST", self.url, self.settings.timeout_seconds, json.dumps(body).encode(), headers)


def message_card(message: Message) -> dict[str, Any]:
    """Return a message as what the webhook takes."""
    title = {"size": "Large", "weight": "Bolder", "color": COLOUR[message.tone]}
    room = LONGEST_TEXT // 2
    facts = [text_block(cut(value, room // max(1, len(message.facts))), label=name) for name, value in message.facts]
    lines = text_block(cut("\n".join(f"• {line}" for line in message.lines), room))
    footer = text_block(message.footer, size="Small", isSubtle=True)
    body = [text_block(cut(title_of(message), 500), **title), *facts]
    body += [block for block, shown in ((lines, message.lines), (footer, message.footer)) if shown]
    return card(body, [{"type": "Action.OpenUrl", "title": link.text, "url": link.url} for link in message.links])


def card(body: list[dict[str, Any]], actions: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        **({"actions": actions} if actions else {}),
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}


def text_block(text: str, label: str = "", **style: Any) -> dict[str, Any]:
    """Return text that is shown as it is, after a label in bold."""
    runs = [{"type": "TextRun", "text": f"{label}: ", "weight": "Bolder"}] if label else []
    runs.append({"type": "TextRun", "text": cut(text, LONGEST_TEXT) or "–", **style})
    return {"type": "RichTextBlock", "inlines": runs}


CHANNEL = TeamsChannel
