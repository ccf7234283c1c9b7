"""Release notes from commits."""

import re
from collections.abc import Sequence

from gates.notify.messages import cut, plain_markdown

# Conventional Commits 1.0: type(scope)!: text
CONVENTIONAL = re.compile(r"(?P<type>[a-z]{2,12})(?:\([^)]{1,40}\))?(?P<breaking>!)?: (?P<text>.+)")
SECTIONS = {"feat": "New", "fix": "Fixed", "perf": "Faster", "revert": "Taken back"}
SHOWN = 200


Noted = tuple[str, str, str]


def notes_of(commits: Sequence[Noted], more: int = 0) -> str:
    """Return Markdown notes of (hash, author, subject), newest first: what breaks, is new, fixed, and the rest.

    `more` is how many older commits there are beyond them.
    """
    parts = [
        f"### {name}\n\n"
        + "\n".join(f"- {plain_markdown(text)} ({plain_markdown(author)}, {commit})" for text, author, commit in lines)
        for name, lines in _sections(commits)
    ]
    return "\n\n".join([*parts, *_more(commits, more)]) or "No commits are known."


def notes_text(commits: Sequence[Noted], more: int = 0) -> str:
    """Return the same notes as plain text."""
    parts = [
        f"{name}\n" + "\n".join(f"• {text} ({author}, {commit})" for text, author, commit in lines)
        for name, lines in _sections(commits)
    ]
    return "\n".join([*parts, *_more(commits, more)]) or "No commits are known."


def _sections(commits: Sequence[Noted]) -> list[tuple[str, list[Noted]]]:
    """Return the sections that have something, each with (text, author, short hash)."""
    sections: dict[str, list[Noted]] = {name: [] for name in ("Breaking", *SECTIONS.values(), "Changes")}
    for commit, author, subject in commits[:SHOWN]:
        match = CONVENTIONAL.fullmatch(subject)
        section = "Changes"
        if match:
            section = "Breaking" if match["breaking"] else SECTIONS.get(match["type"], "Changes")
        text = match["text"] if match and section != "Changes" else subject
        sections[section].append((cut(" ".join(text.split()), 200), cut(" ".join(author.split()), 80), commit[:12]))
    return [(name, lines) for name, lines in sections.items() if lines]


def _more(commits: Sequence[Noted], more: int) -> list[str]:
    more += max(0, len(commits) - SHOWN)
    return [f"and {more} more commits"] if more else []
