"""Files of config/ as Hypothesis draws them: nearly right ones, and any others."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

NAMES = (
    *("app", "locks", "run", "health", "quality", "suites", "image", "scans", "coverage", "performance", "build"),
    *("github", "receiver", "slack", "email", "webhook", "teams", "log", "channels", "ui_url", "unknown"),
    *("name", "repository", "branch", "command", "paths", "good", "host", "pointer", "token", "port", "runtime", "ci"),
)


def _value(value: object) -> str:
    """Return a value as TOML has it: JSON's texts are TOML's."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + "}"
    return json.dumps(value) if not isinstance(value, float) else repr(value)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["main", "x\0y", "", "a.lock", "/health"])
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
).map(_value)


def tables(start: str = "") -> st.SearchStrategy[str]:
    """Return texts that are mostly TOML: `start`, then tables with keys of ours and others; or anything at all."""
    keys = st.sampled_from(NAMES) | TEXTS.map(json.dumps)
    lines = st.lists(st.tuples(keys, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"), max_size=3)
    heads = st.lists(keys, min_size=1, max_size=2).map(".".join).map(lambda name: f"[{name}]")
    one: st.SearchStrategy[str] = st.tuples(heads, lines).map(lambda parts: "\n".join([parts[0], *parts[1]]))

    def whole(parts: Sequence[str]) -> str:
        return "\n".join([start, *parts])

    return st.lists(one, max_size=4).map(whole) | TEXTS
