"""The files of a commit laid out: untrusted names, links and sizes."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gates.scans.policy import matches
from host.errors import SourceError
from host.home import CHECKOUT
from host.yaml_size import line_beyond
from tasks.scans import Subject

LARGEST_TEXT_BYTES = 2_000_000
MOST_VALUES, DEEPEST = 200_000, 60
RELEASE = "{release}/"
_NUMBERS = {
    "int": re.compile(r"[-+]?(0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z"),
    "float": re.compile(
        r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?\Z|[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"
    ),
}


def regular_files(tree: Path) -> dict[str, int]:
    """Return the size in bytes of every regular file by its path in the tree; links are not followed."""
    return dict(sorted(_walk(tree)))


def _walk(tree: Path) -> Iterator[tuple[str, int]]:
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(tree)), path.lstat().st_size


def named(files: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the paths whose file name, or whole path for a pattern with a slash, matches one of the globs."""
    return [path for path in files if any(matches(path, pattern) for pattern in patterns)]


def chosen(subject: Subject, patterns: Sequence[str], wanted: Sequence[str]) -> dict[str, Path]:
    """Return files by their names: those of the commit that match, and those that pipeline.toml names.

    `{release}/...` names one of this checkout's. A file that is named need not be there.
    """
    names = (*named(list(regular_files(subject.tree)), patterns), *wanted)
    return {name: named_path(subject, name) for name in names}


def named_path(subject: Subject, name: str) -> Path:
    """Return where a file lies that pipeline.toml names: in the commit, or in this checkout ({release}/...)."""
    return CHECKOUT / name.removeprefix(RELEASE) if name.startswith(RELEASE) else subject.tree / name


def read_text(path: Path, name: str) -> str:
    """Return a file's text. Raises SourceError if it is not there, a link, larger than 2 MB or not UTF-8."""
    if path.is_symlink() or not path.is_file():
        raise SourceError(f"{name} is not there")
    size = path.stat().st_size
    if size > LARGEST_TEXT_BYTES:
        raise SourceError(f"{name} has {size / 1_000_000:.0f} MB, too large to be parsed")
    try:
        return path.read_bytes().decode("utf-8")  # as it is: a carriage return ends no line of a Dockerfile
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is not UTF-8 text") from error


class _ComposeLoader(yaml.CSafeLoader):
    """YAML with compose's own tags: `!reset` takes a value away, `!override` puts one in place of what is merged."""

    def overriding(self, node: yaml.Node) -> Any:
        """Return the value itself."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_object(self.resolved(node))

    def resolved(self, node: yaml.Node) -> yaml.Node:
        """Return a scalar as it would be without its tag."""
        value = str(node.value)
        tag = self.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
        return yaml.ScalarNode(str(tag), value)


def _of_today(resolvers: Mapping[str, list[tuple[str, Any]]]) -> dict[str, list[tuple[str, Any]]]:
    """Return what plain values are taken for without numbers by sixties (`22:22`), which compose does not have."""
    plain = {f"tag:yaml.org,2002:{kind}": pattern for kind, pattern in _NUMBERS.items()}
    return {first: [(tag, plain.get(tag, found)) for tag, found in rows] for first, rows in resolvers.items()}


_ComposeLoader.yaml_implicit_resolvers = _of_today(yaml.CSafeLoader.yaml_implicit_resolvers)
_ComposeLoader.add_constructor("!reset", lambda *_: None)
_ComposeLoader.add_constructor("!override", _ComposeLoader.overriding)


def read_compose(path: Path, name: str) -> tuple[Any, dict[str, int]]:
    """Return a compose file's content as `read_yaml` does, compose's own tags included, and the line (from 1) of each
    service. Raises SourceError as that does, and for a key that stands twice, which compose refuses.
    """
    try:
        loader = _ComposeLoader(_bounded(path, name))
        node = loader.get_single_node()
        if twice := _twice(node):
            raise SourceError(f"{name}:{twice.start_mark.line + 1}: the key {twice.value[:60]} stands twice; keep one")
        return (loader.construct_document(node) if node else None), _lines(node)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise SourceError(f"{name} is not valid YAML ({type(error).__name__})") from error


def _twice(top: yaml.Node | None) -> yaml.Node | None:
    """Return the first key that stands twice in its mapping."""
    waiting, seen = [top] if top else [], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        pairs = node.value if isinstance(node, yaml.MappingNode) else [(None, one) for one in node.value]
        names = set[str]()
        for key in [key for key, _ in pairs if isinstance(key, yaml.ScalarNode)]:
            if key.value in names:
                return key
            names.add(key.value)
        waiting += [value for _, value in reversed(pairs)]
    return None


def _lines(node: yaml.Node | None) -> dict[str, int]:
    parts = node.value if isinstance(node, yaml.MappingNode) else []
    services = next((value for key, value in parts if key.value == "services"), None)
    found = services.value if isinstance(services, yaml.MappingNode) else []
    return {str(key.value): key.start_mark.line + 1 for key, _ in found}


def _bounded(path: Path, name: str) -> str:
    text = read_text(path, name)
    if line := line_beyond(text, MOST_VALUES, DEEPEST):
        raise SourceError(f"{name}:{line}: more than {MOST_VALUES} values, or more than {DEEPEST} levels; write it out")
    return text


def read_yaml(path: Path, name: str) -> Any:
    """Return a YAML file's content, without constructing objects. Raises SourceError if it cannot be parsed, or is a
    small text for a huge value.
    """
    try:
        return yaml.safe_load(_bounded(path, name))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SourceError(f"{name} is not valid YAML ({type(error).__name__})") from error
