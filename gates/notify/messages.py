"""Messages for people, the same for every channel, the UI's pages and GitHub's comments. Texts: gates/notify/texts.py.

All text here is plain. Each medium escapes it for itself (`as_markdown` below, notify/channels/).
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SHOWN = 10
# As the pages escape (tasks/artifacts.py), and for GitHub, which links names and numbers after it undid a backslash.
SPECIAL = re.compile(r"[\\`*_{}\[\]<>()#|!~@&.:]")
LINKING = re.compile(r"[@#]")
ZERO_WIDTH = "\u200b"


class Tone(StrEnum):
    """How the news is: decides the sign before it and the colour beside it."""

    GOOD = "good"
    BAD = "bad"
    WAITING = "waiting"
    PLAIN = "plain"

    @property
    def sign(self) -> str:
        return {"good": "✓", "bad": "✗", "waiting": "…", "plain": "•"}[self.value]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Link(_Part):
    """A place to look. Only our own addresses: outside text never becomes one."""

    text: str
    url: str


class Button(_Part):
    """Something to press, where that is possible. `value` comes back with the press; `confirm` is asked before."""

    name: str
    text: str
    value: str
    confirm: str
    danger: bool = False


class Message(_Part):
    """One message: `facts` are short name-value pairs, `lines` a list, `footer` small print. All of it plain text."""

    kind: Literal["message"] = "message"
    headline: str
    tone: Tone = Tone.PLAIN
    facts: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    buttons: tuple[Button, ...] = ()
    footer: str = ""


class Role(StrEnum):
    """What a reply is for. A channel without threads sends notes only."""

    STEP = "step"  # a detail of what goes on
    NOTE = "note"  # a text of its own
    REPEAT = "repeat"  # the end of a message that was changed in place, where nobody would notice the change


class Reply(_Part):
    """A text that belongs to a message."""

    kind: Literal["reply"] = "reply"
    text: str
    role: Role = Role.NOTE


class Picture(_Part):
    """A PNG in base64 that belongs to a message."""

    kind: Literal["picture"] = "picture"
    title: str
    png: str


class Rendered(_Part):
    """Text and blocks for Slack, rendered by a version that queued them in this form. Never made any more."""

    kind: Literal["rendered"] = "rendered"
    text: str
    blocks: list[dict[str, Any]] | None = None
    reply: bool = False
    loud: bool = False


class Post(_Part):
    """What is queued for a channel. `key` is the subject: a later message of the same key replaces an earlier one.

    `id` is the same in every channel and at every try. With `email` the post is for that person, where a channel can
    reach people.
    """

    key: str
    content: Annotated[Message | Reply | Picture | Rendered, Field(discriminator="kind")]
    email: str = ""
    id: str = ""

    @property
    def replaces(self) -> bool:
        """Return whether it takes the place of an earlier message of its key."""
        content = self.content
        return isinstance(content, Message) or isinstance(content, Rendered) and not content.reply


def read_post(kind: str, body: Mapping[str, Any]) -> Post:
    """Return what an outbox item holds: a "post", or what was queued for Slack before posts were neutral.

    Raises ValueError or KeyError for anything else.
    """
    content: Picture | Rendered
    match kind:
        case "post":
            return Post.model_validate(body)
        case "picture":
            content = Picture(title=body["title"], png=body["png"])
        case "message" | "reply":
            loud = bool(body.get("loud"))
            content = Rendered(text=body["text"], blocks=body.get("blocks"), reply=kind == "reply", loud=loud)
        case _:
            raise ValueError(f"an item of kind {kind!r}")
    return Post(key=body["key"], content=content, email=body.get("email", ""))


def plain_markdown(text: object) -> str:
    """Return outside text for Markdown: it cannot break a table, link, mention or refer."""
    return SPECIAL.sub(r"\\\g<0>", LINKING.sub(rf"\g<0>{ZERO_WIDTH}", " ".join(str(text).split())))


def as_markdown(message: Message) -> str:
    """Return a message as a page or a comment."""
    parts = [f"## {message.tone.sign} {plain_markdown(message.headline)}"]
    if message.facts:
        rows = [f"| {plain_markdown(name)} | {plain_markdown(value)} |" for name, value in message.facts]
        parts.append("\n".join([rows[0], "|---|---|", *rows[1:]]))
    if message.lines:
        parts.append("\n".join(f"- {plain_markdown(line)}" for line in message.lines))
    if message.links:
        parts.append(" · ".join(f"[{plain_markdown(link.text)}]({link.url})" for link in message.links))
    if message.footer:
        parts.append(f"<sub>{plain_markdown(message.footer)}</sub>")
    return "\n\n".join(parts) + "\n"


def as_text(message: Message) -> str:
    """Return a message as lines of a log."""
    facts = [f"{name}: {value}" for name, value in message.facts]
    return "\n".join([title_of(message), *facts, *(f"- {line}" for line in message.lines)])


def title_of(message: Message) -> str:
    """Return the headline with its sign."""
    return f"{message.tone.sign} {message.headline}"


def cut(text: str, longest: int) -> str:
    """Return text of at most `longest` characters, cut at a word where there is one, and marked as cut."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    space = head.rfind(" ")
    return (head[:space] if space > longest // 2 else head).rstrip() + "…"


def some(lines: Sequence[str], shown: int = SHOWN) -> tuple[str, ...]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - shown
    return (*lines[:shown], *([f"and {more} more"] if more > 0 else []))
