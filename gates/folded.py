"""Equal findings as one, with their number and places: a page of 124 equal lines is read by nobody."""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from gates.findings import Finding

PLACES = 5
OF_A_SERVICE = re.compile(r"(?:(?P<place>[^:]+:[0-9]+): )?service (?P<name>[^:\s]+): (?P<why>.+)", re.DOTALL)


@dataclass(frozen=True)
class Folded:
    """Findings that differ in nothing but where they are, in the order given."""

    members: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """Return the first of them, which stands for all."""
        return self.members[0]

    @property
    def message(self) -> str:
        """Return what they have in common, without the service that it is about."""
        return _why(self.first)

    @property
    def count(self) -> int:
        """Return how many they are."""
        return len(self.members)

    @property
    def rule(self) -> str:
        """Return their rule, with their number when they are several: `12 x compose-writable`."""
        return self.first.rule if self.count == 1 else f"{self.count} x {self.first.rule}"

    @property
    def where(self) -> str:
        """Return their places, at most 5, and how many more there are; "" when they have none."""
        return in_short(filter(None, map(place, self.members)))

    @property
    def fingerprints(self) -> str:
        """Return their fingerprints, at most 5, and how many more there are."""
        return in_short(one.fingerprint for one in self.members)


def fold(findings: Iterable[Finding], mark: Callable[[Finding], Hashable] = lambda finding: None) -> list[Folded]:
    """Return the findings folded, in the order of each first one. Only what `mark` gives the same is folded.

    A message about a service of a compose file is `service: why`; the service belongs to the place.
    """
    groups: dict[Hashable, list[Finding]] = {}
    for one in findings:
        key = (one.severity, one.tool, one.rule, one.also_by, one.package, one.installed, one.fixed, _why(one))
        groups.setdefault((*key, mark(one)), []).append(one)
    return [Folded(tuple(members)) for members in groups.values()]


def fold_services(lines: Iterable[str]) -> list[str]:
    """Return lines of the form `service NAME: why`, with or without a place before, those that say the same of several
    services as one that names them all: each is to be mended. Other lines stay; each is there once.
    """
    groups: dict[str, list[re.Match[str] | None]] = {}
    for line in dict.fromkeys(lines):
        found = OF_A_SERVICE.fullmatch(line)
        groups.setdefault(found["why"] if found else line, []).append(found)
    folded = []
    for why, members in groups.items():
        named = [one for one in members if one]
        folded += [why] * (len(named) < len(members))
        folded += [one[0] for one in named] if len(named) == 1 else [_together(named, why)] * bool(named)
    return folded


def _together(members: Iterable[re.Match[str]], why: str) -> str:
    placed = [f"{one['name']} ({one['place']})" if one["place"] else one["name"] for one in members]
    return f"services {', '.join(dict.fromkeys(placed))}: {why}"


def in_short(words: Iterable[str], most: int = PLACES) -> str:
    """Return the different ones of the words as a list, at most `most`, and how many more there are."""
    different = list(dict.fromkeys(words))
    more = len(different) - most
    return ", ".join(different[:most]) + (f" and {more} more" if more > 0 else "")


def _why(finding: Finding) -> str:
    service, _, why = finding.message.partition(": ")
    return why if service and why and finding.rule.startswith("compose-") else finding.message


def place(finding: Finding) -> str:
    """Return where a finding is: file and line, or package and the version that mends it; "" when it says neither."""
    if finding.package:
        mended = f", fixed in {finding.fixed}" if finding.fixed else ""
        return f"{finding.package} {finding.installed}".strip() + mended
    where = f"{finding.file}:{finding.line}" if finding.line else finding.file
    service = finding.message.partition(": ")[0] if _why(finding) != finding.message else ""
    return f"{where} ({service})".strip() if service else where
