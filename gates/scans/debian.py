"""Pending security updates of Debian packages. Versions compare as in deb-version(7)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import total_ordering

from gates.findings import Finding, Severity, fingerprint
from gates.scans.outcome import ReportError

_SPLIT = re.compile(r"([^0-9]*)([0-9]*)")
_SOURCE = re.compile(r"(\S+)(?:\s+\(([^)]+)\))?")
END: tuple[tuple[int, ...], int] = ((0,), 0)


@total_ordering
class Version:
    """A Debian version: [epoch:]upstream[-revision]."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        epoch, colon, rest = self.text.partition(":")
        if not colon:
            epoch, rest = "0", self.text
        if not epoch.isdigit():
            raise ReportError("a package's version has an epoch that is not a number")
        upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
        self._key = (int(epoch), _parts(upstream), _parts(revision))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __lt__(self, other: "Version") -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _parts(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Return a sort key of a part: its non-digits and numbers in turns, then two empty turns.

    An empty turn stands for the end, before which only `~` sorts. There are two because a part may begin with one: "0".
    """
    turns = [((*map(_weight, words), 0), int(number or 0)) for words, number in _SPLIT.findall(text)]
    while turns and turns[-1] == END:
        turns.pop()
    return (*turns, END, END)


def _weight(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


@dataclass(frozen=True)
class Package:
    """A binary package and the source package that it was built from."""

    name: str
    version: str
    source: str
    source_version: str


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the stanzas of a control file (deb822) as fields in lower case; continued lines are joined."""
    current: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if not line.strip():
            if current:
                yield current
            current, last = {}, ""
        elif line[0] in " \t":
            if last:
                current[last] += f"\n{line.strip()}"
        else:
            key, _, value = line.partition(":")
            last = key.strip().lower()
            current[last] = value.strip()
    if current:
        yield current


def read_packages(text: str, *, installed: bool) -> list[Package]:
    """Return the packages of a dpkg status file (only installed ones) or of an archive's Packages file.

    Raises ReportError if a package has no name or version.
    """
    packages = []
    for fields in stanzas(text):
        if installed and "status" in fields and not fields["status"].endswith(" installed"):
            continue
        name, version = fields.get("package", ""), fields.get("version", "")
        if not name or not version:
            raise ReportError("a list of Debian packages has an entry without name or version")
        source, built = name, version
        if match := _SOURCE.fullmatch(fields.get("source", "")):
            source, built = match[1], match[2] or version
        packages.append(Package(name, version, source, built))
    return packages


def pending(installed: Sequence[Package], archive: Sequence[Package], image: str) -> list[Finding]:
    """Return a finding for each source package that has a newer build in the security archive.

    The archive gives no severity, so each is high.
    """
    newest: dict[str, Package] = {}
    for package in archive:
        if package.name not in newest or Version(newest[package.name].version) < Version(package.version):
            newest[package.name] = package
    behind: dict[str, list[tuple[Package, Package]]] = {}
    for package in installed:
        update = newest.get(package.name)
        if update and Version(package.version) < Version(update.version):
            behind.setdefault(package.source, []).append((package, update))
    findings = []
    for source, pairs in sorted(behind.items()):
        names = ", ".join(sorted({old.name for old, _ in pairs}))
        have, want = pairs[0][0].source_version, max((new.source_version for _, new in pairs), key=Version)
        findings.append(
            Finding(
                tool="debian",
                rule="debian-security-update",
                severity=Severity.HIGH,
                message=f"{source} {have} has a security update to {want}: {names}"[:500],
                file=image,
                package=source,
                installed=have,
                fixed=want,
                fingerprint=fingerprint("debian-security-update", source, want),
            )
        )
    return findings


def check_release(text: str, suite: str, index: str) -> tuple[str, str]:
    """Return the SHA-256 of `index` in an InRelease file, and its Valid-Until ("" without one).

    Raises ReportError if the file is another suite's or does not list the index.
    """
    # Clear-signed: the stanza ends at the blank line before the signature.
    body = text.partition("\n\n")[2] if text.startswith("-----BEGIN") else text
    fields = next(stanzas(body), {})
    if suite not in (fields.get("suite"), fields.get("codename")):
        raise ReportError(f"the archive's release file is not that of {suite}")
    for line in fields.get("sha256", "").splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == index:
            return words[0], fields.get("valid-until", "")
    raise ReportError(f"the archive's release file does not list {index}")
