"""Compose files as plain values, read strictly, and written anew so that compose reads exactly what was checked.

The scalars are those of YAML's core schema, as compose has them. What two readers could understand in two ways is
refused: a key twice, a tag, a second document.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deployments.runtimes.compose.problems import told
from host.errors import ConfigError
from host.yaml_size import line_beyond

Place = tuple[str | int, ...]
LARGEST = 1_000_000  # bytes of one file
MOST = 20_000  # values of one file, those that an alias repeats counted each time
DEEPEST = 60
LONGEST_NUMBER = 100  # digits; nothing that compose takes as a number has more
SMALLEST, LARGEST_SIGNED, LARGEST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
MERGE = "<<"
TAG = "tag:yaml.org,2002:"
PLAIN = "plain"
# As compose's reader (go-yaml 3) has them: a leading 0 is octal, yes and on are text.
NUMBER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*)")
FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NULLS = ("", "~", "null", "Null", "NULL")
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


class Loader(yaml.CSafeLoader):
    """Guesses nothing: a plain scalar without a tag is PLAIN, whatever it looks like."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return PLAIN if implicit[0] else f"{TAG}str"
        return f"{TAG}map" if kind is yaml.MappingNode else f"{TAG}seq"


@dataclass
class Document:
    """One file. `lines` says where each key or entry stands (from 1), by its path; `problems` what of it was refused,
    and is not in the value.
    """

    name: str
    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def at(self, path: Sequence[str | int]) -> str:
        """Return where something stands: file and line, of what holds it if need be."""
        there = tuple(path)
        while there and there not in self.lines:
            there = there[:-1]
        return f"{self.name}:{self.lines.get(there, 1)}"


def text_of(file: Path, name: str) -> str:
    """Return a file's text. Raises ConfigError, by `name`, if it has none or too much."""
    try:
        with file.open("rb") as raw:
            return raw.read(LARGEST).decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{name}: it cannot be read as text: {error}") from error


def parse(text: str, name: str) -> Document:
    """Return a file's value. Raises ConfigError, which names file and lines, if it is not plain YAML."""
    document = read_document(text, name)
    if document.problems:
        raise ConfigError(told(document.problems))
    return document


def read_document(text: str, name: str) -> Document:
    """Return a file's value, as far as it is plain YAML. Raises ConfigError if it is no YAML, or too much of it."""
    document = Document(name)
    if len(text) >= LARGEST:
        raise ConfigError(f"{name}: expected less than {LARGEST} bytes")
    try:
        if line := line_beyond(text, MOST, DEEPEST):
            raise ConfigError(f"{name}:{line}: more than {MOST} values, or more than {DEEPEST} levels; write it out")
        nodes = list(yaml.compose_all(text, Loader=Loader))
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConfigError(f"{name}: it is not YAML: {' '.join(str(error).split())[:300]}") from error
    if len(nodes) != 1 or nodes[0] is None:
        raise ConfigError(f"{name}: {len(nodes)} documents, expected one")
    document.value = _value(document, nodes[0], ())
    return document


def written(value: Any) -> str:
    """Return a value as YAML that every reader understands in one way: JSON, all else than ASCII escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    return re.sub(r"[^\n\x20-\x7e]", lambda found: f"\\U{ord(found[0]):08x}", text)


def _refuse(document: Document, node: yaml.Node, why: str) -> None:
    document.problems.append(f"{document.name}:{_line(node)}: {why}")


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _value(document: Document, node: yaml.Node, path: Place) -> Any:
    if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
        return _mapping(document, node, path)
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
        for index, one in enumerate(node.value):
            document.lines.setdefault((*path, index), _line(one))
        return [_value(document, one, (*path, index)) for index, one in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(document, node)
    _refuse(document, node, f"the tag {_short(node.tag)}; write the value itself")
    return None


def _mapping(document: Document, node: yaml.MappingNode, path: Place) -> dict[str, Any]:
    """Return a mapping, merge keys resolved: its own keys come before those merged, an earlier one of these first."""
    own: dict[str, Any] = {}
    merged: list[Mapping[str, Any]] = []
    first: dict[str, int] = {}
    for key, value in node.value:
        name, line = _key(document, key), _line(key)
        if name is None:
            continue
        if name in first:
            _refuse(document, key, f"the key {name} stands twice, also on line {first[name]}; keep one of them")
            continue
        first[name] = line
        if name == MERGE:
            merged += _merged(document, value, path)
            continue
        document.lines[(*path, name)] = line
        own[name] = _value(document, value, (*path, name))
    for one in merged:
        own |= {name: value for name, value in one.items() if name not in own}
    return own


def _merged(document: Document, node: yaml.Node, path: Place) -> Iterator[Mapping[str, Any]]:
    for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        if isinstance(one, yaml.MappingNode):
            yield _mapping(document, one, (*path, MERGE))
        else:
            _refuse(document, one, f"{MERGE} of what is no mapping")


def _key(document: Document, node: yaml.Node) -> str | None:
    """Return a key, None if it is refused."""
    if not isinstance(node, yaml.ScalarNode):
        _refuse(document, node, "a key is no text")
        return None
    value, before = _scalar(document, node), len(document.problems)
    if not isinstance(value, str) and before == len(document.problems):
        _refuse(document, node, f"the key {node.value}: write it in quotes")
    return value if isinstance(value, str) else None


def _scalar(document: Document, node: yaml.ScalarNode) -> Any:
    if node.tag == f"{TAG}str":
        return node.value
    if node.tag != PLAIN:
        _refuse(document, node, f"the tag {_short(node.tag)}; write the value itself")
        return None
    return _plain(node.value)


def _plain(text: str) -> Any:
    if text in NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if NUMBER.fullmatch(text) and (number := _whole(text)) is not None:
        return number
    digits = text if text.startswith(("_", ".")) else text.replace("_", "")
    if FRACTION.fullmatch(digits):
        fraction = float(digits)
        return fraction if abs(fraction) < float("inf") else text
    return text


def _whole(text: str) -> int | None:
    """Return a whole number of 64 bits. Compose takes a larger one for a fraction, or in another base for text."""
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    digits = digits.replace("_", "")
    if len(digits) > LONGEST_NUMBER:
        return None
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdecimal():
        digits = f"0o{digits[1:]}"
    try:
        number = int(sign + digits, 0)
    except ValueError:
        return None
    return number if SMALLEST <= number <= (LARGEST_SIGNED if sign else LARGEST_UNSIGNED) else None


def _short(tag: str) -> str:
    return tag.replace(TAG, "!!", 1)
