"""Documents of tools, changed in a few places: what Hypothesis feeds to their readers."""

from typing import Any

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**64, 10**400]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["error", "fail", "passed", "none", "2.1.0", "\ud800", "\x00", "../../etc/passwd", "file://"]),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """The document with another part at a place."""
    if not path:
        return part
    copy = value.copy()
    copy[path[0]] = changed(copy[path[0]], path[1:], part)
    return copy


@st.composite
def mutants(draw: st.DrawFn, sample: Any) -> Any:
    """A report with a few keys dropped, added, put in twice, or given another value."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(sample)))
        kind = draw(st.sampled_from(["value", "drop", "add", "twice"]))
        part = part_at(sample, path)
        if kind == "drop" and path:
            path, part = path[:-1], without(part_at(sample, path[:-1]), path[-1])
        elif kind == "add" and isinstance(part, dict):
            part = {**part, draw(st.text(max_size=8)): draw(VALUES)}
        elif kind == "twice" and isinstance(part, list):
            part = [*part, *part]
        else:
            part = draw(VALUES)
        sample = changed(sample, path, part)
    return sample


def without(part: Any, key: Any) -> Any:
    """A dict without a key, or a list without an element."""
    if isinstance(part, dict):
        return {name: value for name, value in part.items() if name != key}
    return [value for number, value in enumerate(part) if number != key]


def part_at(sample: Any, path: tuple[Any, ...]) -> Any:
    """The part of a document at a place."""
    for key in path:
        sample = sample[key]
    return sample
