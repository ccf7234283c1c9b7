"""The labels of a proposal as a patch for a compose file: lines are added, everything else stays as it is written.

The places are those that YAML's own reader gives. What comes out is read again: if it says anything else than before
and the labels, that label is left to a person.
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from deployments.runtimes.compose.parse import Loader, read_document
from deployments.runtimes.compose.problems import Unusable
from gates.adopt.roles import Proposal, labels_of, propose_roles
from gates.compose_roles import Role
from gates.scans.compose_tree import Part, extended, services_of
from gates.scans.outcome import ReportError
from host.errors import ConfigError

BOM = "\ufeff"
ALIAS = re.compile(r"(\s*:[ \t]+)\*([^\s,\[\]{}#]+)")
COLON = re.compile(r"\s*:")
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
NO_PLACE = "there is no plain place for it; write it by hand"


@dataclass(frozen=True)
class Labelled:
    """A patch for `git apply`, "" when there is nothing to add. `reasons`: each label's; `undecided`: what a person
    decides, or writes.
    """

    patch: str
    reasons: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Edit:
    """Text in place of that between two places."""

    start: int
    end: int
    text: str


def propose_labels(text: str, name: str) -> Labelled:
    """Return a patch that gives each service of a compose file its role. `name`: its path in the repository.

    Raises ConfigError if it is no compose file, or one that two readers could understand in two ways.
    """
    document = read_document(text, name)
    if document.problems:
        raise Unusable(name, document.problems)
    try:
        services = _services(name, document.value)
    except ReportError as error:
        raise ConfigError(str(error)) from error
    proposals = propose_roles(services)
    wanted = [one for one in proposals if one.labels]
    undecided = [f"{one.service}: {one.why}" for one in proposals if not one.labels]
    undecided += [f"{name}: include: label the services of the files there, too"] * bool(document.value.get("include"))
    written, lost = _written(text, name, document.value, wanted)
    undecided += [f"{one.service}: {_shown(one.labels)}: {NO_PLACE} ({one.why})" for one in lost]
    reasons = [f"{one.service}: {_shown(one.labels)}: {one.why}" for one in wanted if one not in lost]
    return Labelled(_diff(text, written, name), tuple(reasons), tuple(undecided))


def _services(name: str, value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the services of a file with what they extend in it."""
    found: dict[str, Mapping[str, Any]] = {}
    for service, given in services_of(name, value).items():
        try:
            found[str(service)] = {
                **extended(Part.of(name), service, {name: value}),
                "labels": (given or {}).get("labels"),
            }
        except ReportError:  # of another file
            found[str(service)] = given or {}
    return found


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in labels.items())


def _written(text: str, name: str, value: Mapping[str, Any], wanted: Sequence[Proposal]) -> tuple[str, list[Proposal]]:
    """Return the text with labels, and the proposals that could not be written."""
    edits = _Places(text).edits(wanted)
    kept = [one for one in wanted if one.service in edits]
    if not _says(_applied(text, edits.values()), name, value, kept):
        kept = [one for one in kept if _says(_applied(text, [edits[one.service]]), name, value, [one])]
        if not _says(_applied(text, [edits[one.service] for one in kept]), name, value, kept):
            kept = []
    new = _applied(text, [edits[one.service] for one in kept])
    return new, [one for one in wanted if one not in kept]


def _applied(text: str, edits: Any) -> str:
    for one in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: one.start] + one.text + text[one.end :]
    return text


def _says(text: str, name: str, before: Mapping[str, Any], added: Sequence[Proposal]) -> bool:
    """Say whether a text says what it said before, and these labels."""
    try:
        document = read_document(text, name)
    except ConfigError:
        return False
    if document.problems:
        return False
    more = {one.service: one.labels for one in added}
    return _plain(document.value, {}) == _plain(before, more)


def _plain(value: Mapping[str, Any], more: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a file's value with its services' labels as mappings, and `more` of them."""
    services = {
        name: {**(one or {}), "labels": {**labels_of(one or {}), **more.get(name, {})}}
        for name, one in value["services"].items()
    }
    rest = {key: one for key, one in value.items() if key != "services" and not key.startswith("x-")}
    return {**rest, "services": services}


class _Places:
    """The text of a file with the nodes of its services."""

    def __init__(self, text: str) -> None:
        self.text = text
        # The reader does not count the mark at the beginning.
        self.shift = len(BOM) if text.startswith(BOM) else 0
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.root = _node(text[self.shift :])
        self.quoted = bool(self.root.flow_style)  # JSON wants quotes

    def edits(self, wanted: Sequence[Proposal]) -> dict[str, _Edit]:
        """Return the edit of each service that has a place for its labels."""
        services = dict(_pairs(self.root)).get("services")
        nodes = {key.value: (key, value) for key, value in services.value} if services is not None else {}
        found = {one.service: self._edit(*nodes[one.service], one.labels) for one in wanted if one.service in nodes}
        return {name: edit for name, edit in found.items() if edit}

    def _edit(self, key: yaml.Node, service: yaml.Node, labels: Mapping[str, str]) -> _Edit | None:
        if not isinstance(service, yaml.MappingNode):
            return None
        if self._is_alias(key, service):
            old = _merged_labels(service)
            return None if old is None else self._from_alias(key, {}, ("labels", {**old, **labels}))
        own = next(((at, value) for at, value in service.value if at.value == "labels"), None)
        if own is not None:
            return self._in_labels(*own, labels)
        if not service.value or (old := _merged_labels(service)) is None:
            return None
        line = f"labels: {self._flow({**old, **labels})}"
        first = service.value[0][0]
        if service.flow_style:
            return self._into(service, "{", f'{line if not self.quoted else json.dumps("labels") + line[6:]}, ')
        return self._before(first, line)

    def _in_labels(self, key: yaml.Node, given: Any, labels: Mapping[str, str]) -> _Edit | None:
        """Add to the labels that a service has, in the form in which they are written."""
        if self._is_alias(key, given):
            return self._from_alias(key, labels) if isinstance(given, yaml.MappingNode) else None
        if isinstance(given, yaml.ScalarNode):
            colon = COLON.match(self.text, self._at(key.end_mark))
            empty = not given.value and colon is not None
            return _Edit(colon.end(), colon.end(), f" {self._flow(labels)}") if empty and colon else None
        if given.flow_style:
            sign = "{" if isinstance(given, yaml.MappingNode) else "["
            words = (
                self._flow(labels)[1:-1]
                if sign == "{"
                else ", ".join(json.dumps(f"{k}={v}") for k, v in labels.items())
            )
            return self._into(given, sign, words + ", " * bool(given.value))
        if isinstance(given, yaml.MappingNode):
            return self._before(given.value[0][0], *(f"{k}: {_scalar(v)}" for k, v in labels.items()))
        dash = self.text.rfind("-", self._at(given.start_mark), self._at(given.value[0].start_mark))
        return self._lines(dash, [f"- {k}={v}" for k, v in labels.items()]) if dash >= 0 else None

    def _from_alias(
        self, key: yaml.Node, labels: Mapping[str, str], *more: tuple[str, Mapping[str, str]]
    ) -> _Edit | None:
        """Put a mapping in place of `*name`: the same, and more."""
        found = ALIAS.match(self.text, self._at(key.end_mark))
        start = self._at(key.start_mark)
        if found is None or self._indent(start) is None:
            return None
        indent = self._indent(start) or ""
        lines = [f"<<: *{found[2]}", *(f"{k}: {_scalar(v)}" for k, v in labels.items())]
        lines += [f"{name}: {self._flow(value)}" for name, value in more]
        text = "".join(f"{self.newline}{indent}  {line}" for line in lines)
        return _Edit(self._at(key.end_mark), found.end(), f":{text}")

    def _before(self, node: yaml.Node, *lines: str) -> _Edit | None:
        return self._lines(self._at(node.start_mark), lines)

    def _lines(self, at: int, lines: Sequence[str]) -> _Edit | None:
        """Insert lines before what begins a line."""
        indent = self._indent(at)
        if indent is None:
            return None
        return _Edit(at, at, "".join(f"{line}{self.newline}{indent}" for line in lines))

    def _into(self, node: yaml.Node, sign: str, text: str) -> _Edit | None:
        at = self.text.find(sign, self._at(node.start_mark), self._at(node.end_mark))
        return _Edit(at + 1, at + 1, text) if at >= 0 else None

    def _indent(self, at: int) -> str | None:
        """Return what stands before a place in its line, None if it is more than blanks."""
        before = self.text[self.text.rfind("\n", 0, at) + 1 : at].removeprefix(BOM)
        return None if before.strip(" ") else before

    def _is_alias(self, key: yaml.Node, node: yaml.Node) -> bool:
        return bool(node.start_mark.index < key.end_mark.index)

    def _at(self, mark: yaml.Mark) -> int:
        return int(mark.index) + self.shift

    def _flow(self, labels: Mapping[str, str]) -> str:
        if self.quoted:
            return json.dumps(dict(labels))
        words = (
            f"{key if PLAIN.fullmatch(key) else json.dumps(key)}: {_scalar(value)}" for key, value in labels.items()
        )
        return "{" + ", ".join(words) + "}"


def _node(text: str) -> Any:
    return yaml.compose(text, Loader=Loader)


def _pairs(node: Any) -> list[tuple[str, yaml.Node]]:
    return [(key.value, value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _merged_labels(service: yaml.MappingNode) -> dict[str, str] | None:
    """Return the labels that a service has of others by merge keys: its own would take their place. None: unknown."""
    parts = [value for key, value in service.value if key.value == "<<"]
    parts = [one for value in parts for one in (value.value if isinstance(value, yaml.SequenceNode) else [value])]
    given = [dict(_pairs(one)).get("labels") for one in [service, *parts] if isinstance(one, yaml.MappingNode)]
    deeper = [one for part in parts for one in _pairs(part) if one[0] == "<<"]
    labels = next((one for one in given if one is not None), None)
    if labels is None:
        return None if deeper else {}
    if isinstance(labels, yaml.SequenceNode):
        return dict(one.value.partition("=")[::2] for one in labels.value)
    return {key: value.value for key, value in _pairs(labels)} if isinstance(labels, yaml.MappingNode) else None


def _scalar(value: str) -> str:
    return str(value) if value in list(Role) else json.dumps(str(value))


def _diff(before: str, after: str, name: str) -> str:
    """Return a patch as git makes it."""
    if before == after:
        return ""
    tab = "\t" * (" " in name)
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{name}{tab}", f"b/{name}{tab}", lineterm="\n")
    body = [one if one.endswith("\n") else f"{one}\n\\ No newline at end of file\n" for one in lines]
    return f"diff --git a/{name} b/{name}\n" + "".join(body)


def _lines(text: str) -> list[str]:
    """Return lines as git has them: other line ends than \\n are text."""
    found = text.split("\n")
    return [f"{one}\n" for one in found[:-1]] + [found[-1]] * bool(found[-1])
