"""Comments by which code silences a tool. Each is honoured, counted and shown; too many of them fail a commit."""

import re
from collections.abc import Iterable, Mapping, Sequence

MARKS: Mapping[str, re.Pattern[str]] = {
    "nosec": re.compile(r"#\s*nosec\b", re.I),
    "nosemgrep": re.compile(r"\bnosem(?:grep)?\b", re.I),
    "noqa": re.compile(r"#\s*(?:(?:flake8|ruff)\s*[:=]\s*)?noqa\b", re.I),
    "kingfisher:ignore": re.compile(r"\bkingfisher:(?:ignore|allow)\b", re.I),
}
# What begins a comment in some language, somewhere before the mark; the other marks have it in their pattern.
OPENERS = {"nosemgrep": ("#", "//", "/*", "<!--")}
# A line this long is generated; looking for comments in it costs more than it tells.
LONGEST_LINE = 20_000


def count_suppressions(lines: Iterable[str]) -> dict[str, int]:
    """Return how many lines carry each kind of suppression. A line with two kinds counts for both."""
    counts = dict.fromkeys(MARKS, 0)
    for line in lines:
        if "nos" not in (lower := line[:LONGEST_LINE].lower()) and "noqa" not in lower and "kingfisher" not in lower:
            continue
        for name, pattern in MARKS.items():
            counts[name] += _is_marked(lower, pattern, OPENERS.get(name, ("",)))
    return counts


def _is_marked(line: str, pattern: re.Pattern[str], openers: Sequence[str]) -> bool:
    last = -1
    for found in pattern.finditer(line):
        last = found.start()
    return last >= 0 and any(0 <= line.find(opener) <= last - len(opener) for opener in openers)


def in_words(counts: Mapping[str, int]) -> str:
    """Return the counts for a person: "3 comments silence a tool: 2 nosec, 1 noqa"."""
    kinds = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"{sum(counts.values())} comments silence a tool" + (f": {kinds}" if kinds else "")
