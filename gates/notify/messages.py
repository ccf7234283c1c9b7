"""A message: one for Slack, the UI's pages, GitHub's comments and the log alike. What is said: gates/notify/texts.py.

Texts here are plain: whoever shows them escapes them for their medium (`as_markdown` below,
gates/notify/slack_blocks.py).
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

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
    model_config = ConfigDict(frozen=True)


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

    headline: str
    tone: Tone = Tone.PLAIN
    facts: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    buttons: tuple[Button, ...] = ()
    footer: str = ""


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
    return "\n".join([f"{message.tone.sign} {message.headline}", *facts, *(f"- {line}" for line in message.lines)])


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
