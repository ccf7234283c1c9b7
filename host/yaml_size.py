"""How large the value of a YAML text is, told before anything is made of the text: aliases make huge values of small
texts.
"""

from dataclasses import dataclass

import yaml


@dataclass
class _Part:
    """A collection that is still open: its anchor, the values before it, and the deepest level seen in it."""

    anchor: str | None
    before: int
    deepest: int


def line_beyond(text: str, most: int, deepest: int) -> int | None:
    """Return the line (from 1) on which a text comes to more than `most` values, or goes below level `deepest`.

    What an alias repeats is counted each time; one that holds itself is beyond every bound. None when the text keeps
    to both. Raises yaml.YAMLError if it is not YAML.
    """
    sizes: dict[str | None, tuple[int, int]] = {}  # values and levels of what an anchor names
    parts: list[_Part] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        values, levels = 0, 0
        if isinstance(event, yaml.CollectionEndEvent):
            closed = parts.pop()
            sizes[closed.anchor] = total - closed.before, closed.deepest - len(parts)
            levels = closed.deepest - len(parts)
        elif isinstance(event, yaml.AliasEvent):
            # An anchor without a size is still open: it holds itself.
            values, levels = sizes.get(event.anchor, (most + 1, 0))
        elif isinstance(event, yaml.CollectionStartEvent):
            parts.append(_Part(event.anchor, total, len(parts) + 1))
            values = 1
        elif isinstance(event, yaml.ScalarEvent):
            values = 1
            sizes[event.anchor] = 1, 0
        total += values
        if parts:
            parts[-1].deepest = max(parts[-1].deepest, len(parts) + levels)
        if total > most or len(parts) + levels > deepest:
            return event.start_mark.line + 1 if event.start_mark else 1
    return None
