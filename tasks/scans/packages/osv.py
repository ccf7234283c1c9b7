"""OSV records (https://ossf.github.io/osv-schema): what they affect, how bad it is, what fixes it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import AwareDatetime, Field

from gates.documents import Foreign
from gates.findings import Severity

ECOSYSTEM = "PyPI"
# The name that a person knows first.
PREFERRED = ("CVE-", "GHSA-", "PYSEC-")
WORDS = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MODERATE": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
}


class Event(Foreign, of="OSV's records"):
    """One event of a range; exactly one of them is set."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(Foreign, of="OSV's records"):
    """Versions between events. Only ECOSYSTEM ranges speak of a package index's versions."""

    type: str
    events: list[Event] = Field(default_factory=list)


class Package(Foreign, of="OSV's records"):
    """What is affected."""

    name: str
    ecosystem: str


class Score(Foreign, of="OSV's records"):
    """A CVSS vector; `type` names its version."""

    type: str
    score: str


class Affected(Foreign, of="OSV's records"):
    """The versions of one package that a vulnerability affects."""

    package: Package | None = None
    ranges: list[Range] = Field(default_factory=list)
    versions: list[str] = Field(default_factory=list)
    severity: list[Score] = Field(default_factory=list)


class Record(Foreign, of="OSV's records"):
    """One vulnerability, as one source describes it."""

    id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$")
    modified: AwareDatetime
    withdrawn: AwareDatetime | None = None
    aliases: list[str] = Field(default_factory=list)
    summary: str = ""
    details: str = ""
    severity: list[Score] = Field(default_factory=list)
    affected: list[Affected] = Field(default_factory=list)
    database_specific: dict[str, Any] = Field(default_factory=dict)

    def of(self, name: str) -> list[Affected]:
        """Return what it says of one package of the Python index."""
        wanted = canonicalize_name(name)
        return [
            one
            for one in self.affected
            if one.package and one.package.ecosystem == ECOSYSTEM and canonicalize_name(one.package.name) == wanted
        ]


def affects(record: Record, name: str, version: str) -> bool:
    """Return whether a record that is not withdrawn affects a package at a version (OSV's evaluation algorithm)."""
    if record.withdrawn:
        return False
    return any(_listed(one, version) or _in_range(one, version) for one in record.of(name))


def _listed(affected: Affected, version: str) -> bool:
    if version in affected.versions:
        return True
    wanted = _version(version)
    return wanted is not None and any(_version(one) == wanted for one in affected.versions)


def _in_range(affected: Affected, version: str) -> bool:
    wanted = _version(version)
    ranges = [one for one in affected.ranges if one.type == "ECOSYSTEM"]
    return wanted is not None and any(_between(wanted, one.events) for one in ranges)


def _between(wanted: Version, events: Sequence[Event]) -> bool:
    """Walk the events in the order of their versions; the last one at or below the version decides."""
    inside = False
    for version, is_introduced, excludes_itself in sorted(_ordered(events), key=lambda one: (one[0], not one[1])):
        if version < wanted or (version == wanted and excludes_itself):
            inside = is_introduced
    return inside


def _ordered(events: Sequence[Event]) -> Iterable[tuple[Version, bool, bool]]:
    """Yield (version, whether it begins, whether it decides for that very version)."""
    for event in events:
        if event.introduced is not None and (at := _version("0.dev0" if event.introduced == "0" else event.introduced)):
            yield at, True, True
        if event.fixed is not None and (at := _version(event.fixed)):
            yield at, False, True
        if event.last_affected is not None and (at := _version(event.last_affected)):
            yield at, False, False


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def fixed_in(records: Iterable[Record], name: str, installed: str) -> str:
    """Return the lowest version above the installed one that a record calls fixed and none calls affected; "" when
    there is none.
    """
    records, now = list(records), _version(installed)
    found = {
        event.fixed
        for record in records
        for affected in record.of(name)
        for range_ in affected.ranges
        if range_.type == "ECOSYSTEM"
        for event in range_.events
        if event.fixed
    }
    above = [(at, text) for text in found if (at := _version(text)) and (now is None or at > now)]
    good = [text for _, text in sorted(above) if not any(affects(record, name, text) for record in records)]
    return good[0] if good else ""


def severity_of(records: Sequence[Record], name: str) -> tuple[Severity, str]:
    """Return how bad it is by the records of one vulnerability, the worst vector counting, and what says so.

    Without a vector a database's own word counts; without either it is HIGH.
    """
    scores = [score for record in records for score in (*record.severity, *_affected_scores(record, name))]
    rated = [(rating, score.score) for score in scores if (rating := _base_score(score)) is not None]
    if rated:
        worst, vector = max(rated)
        return _by_score(worst), f"CVSS {worst:g} ({vector})"
    words = [
        WORDS[word] for record in records if (word := str(record.database_specific.get("severity")).upper()) in WORDS
    ]
    if words:
        return min(words, key=lambda one: one.rank), "as the database says"
    return Severity.HIGH, "unscored, so taken as high"


def _affected_scores(record: Record, name: str) -> Iterable[Score]:
    return (score for affected in record.of(name) for score in affected.severity)


def _base_score(score: Score) -> float | None:
    kinds: dict[str, Any] = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
    kind = kinds.get(score.type)
    if kind is None or len(score.score) > 500:
        return None
    try:
        return float(kind(score.score).base_score)
    except (CVSSError, ValueError, KeyError, TypeError):
        return None


def _by_score(score: float) -> Severity:
    """FIRST's bands (CVSS v3.1, section 5); nothing that was reported is below low."""
    if score >= 9.0:
        return Severity.CRITICAL
    if score >= 7.0:
        return Severity.HIGH
    return Severity.MEDIUM if score >= 4.0 else Severity.LOW


def merged(records: Iterable[Record]) -> list[list[Record]]:
    """Group records of the same vulnerability: those that share an id or an alias, through others too."""
    groups: list[tuple[set[str], list[Record]]] = []
    for record in sorted(records, key=lambda one: one.id):
        names, together = {record.id, *record.aliases}, [record]
        apart = []
        for known, members in groups:
            if known & names:
                names, together = names | known, [*members, *together]
            else:
                apart.append((known, members))
        groups = [*apart, (names, together)]
    return [members for _, members in groups]


def known_as(records: Iterable[Record]) -> list[str]:
    """Return every name of one vulnerability, the one to show first: CVE, then GHSA, then PYSEC."""
    names = {name for record in records for name in (record.id, *record.aliases)}

    def order(name: str) -> tuple[int, str]:
        rank = [name.startswith(prefix) for prefix in PREFERRED]
        return (rank.index(True) if True in rank else len(rank)), name

    return sorted(names, key=order)


def newest(records: Iterable[Record]) -> datetime | None:
    """Return when the latest of the records was changed."""
    return max((record.modified for record in records), default=None)
