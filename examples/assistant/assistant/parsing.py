"""Turn what a person types, texts or pastes into a task."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

MAX_TITLE = 200

_MARKER = re.compile(r"^\s*(?:[-*+]|\d+[.)])?\s*(?:\[[ xX]?\])?\s*")
_DUE = re.compile(r",? (?:(?:due|by|on) )?(today|tomorrow|\d{4}-\d\d-\d\d)$", re.IGNORECASE)


@dataclass(frozen=True)
class ParsedTask:
    title: str
    due_on: date | None = None


def clean_title(text: str) -> str:
    """Printable, single-spaced, at most `MAX_TITLE` characters. May be empty.

    Control characters go: PostgreSQL cannot store NUL in text.
    """
    words = "".join(c if c.isprintable() else " " for c in text).split()
    title = " ".join(words)
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1].rstrip() + "…"


def _due_date(word: str, today: date) -> date | None:
    if word in ("today", "tomorrow"):
        return today + timedelta(days=word == "tomorrow")
    try:
        return date.fromisoformat(word)
    except ValueError:  # such as 2026-02-31
        return None


def parse_task(line: str, today: date) -> ParsedTask | None:
    """Read one line: list markers go, a day at its end becomes the due date. None when empty."""
    title = clean_title(_MARKER.sub("", line, count=1))
    if (match := _DUE.search(title)) and (due_on := _due_date(match[1].lower(), today)):
        return ParsedTask(title[: match.start()], due_on)
    return ParsedTask(title) if title else None
