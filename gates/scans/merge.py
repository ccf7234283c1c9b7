"""One finding where several tools found the same thing."""

import re
from collections.abc import Sequence

from gates.findings import Finding

# The kinds of weakness that several tools name each in its own way, by words of their rule names.
KINDS = {
    "secret": re.compile(r"secret|password|credential|api-?key|private-?key|B10[5-7]", re.I),  # CWE-798
    "sql injection": re.compile(r"sql|B608", re.I),  # CWE-89
    "command injection": re.compile(r"shell|subprocess|command-?inj|os-?system|B60[2-7]|B609", re.I),  # CWE-78
    "deserialisation": re.compile(r"deseriali|pickle|marshal|yaml|B30[12]|B506", re.I),  # CWE-502
    "code injection": re.compile(r"\beval|\bexec\b|code-?inj|B102|B307", re.I),  # CWE-95
    "weak cryptography": re.compile(r"md5|sha1|weak-?(?:hash|crypt|cipher)|B303|B304|B305|B324", re.I),  # CWE-327
    "unverified certificate": re.compile(r"verif(?:y|ication).*(?:tls|ssl|cert)|(?:tls|ssl|cert).*verif|B501", re.I),
    "server-side request": re.compile(r"ssrf|request-?forgery|B310", re.I),  # CWE-918
    "path traversal": re.compile(r"traversal|zip-?slip|tar.*extract|B202", re.I),  # CWE-22
    "template injection": re.compile(r"xss|autoescape|template|B70[1-4]", re.I),  # CWE-79
    "root container": re.compile(
        r"root.*(?:user|container)|(?:user|container).*root|DL3002|missing-?user", re.I
    ),  # CWE-250
}
ADVISORY = re.compile(r"(?:CVE|GHSA|PYSEC|DSA|DLA|OSV|MAL)-[\w-]+", re.I)


def group(findings: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """Return the findings in groups that mean the same, worst first in each group and over all groups.

    The same: equal fingerprints; one package in one version with a common advisory or alias; one file and line with one
    kind of weakness (`KINDS`). Of equally bad ones the first given leads.
    """
    leader = list(range(len(findings)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    first_with: dict[str, int] = {}
    for index, finding in enumerate(findings):
        for identity in _identities(finding):
            earlier, later = sorted((find(index), find(first_with.setdefault(identity, index))))
            leader[later] = earlier
    groups: dict[int, list[Finding]] = {}
    for index, finding in enumerate(findings):
        groups.setdefault(find(index), []).append(finding)
    ordered = [tuple(sorted(members, key=lambda finding: finding.severity.rank)) for members in groups.values()]
    return sorted(ordered, key=lambda members: members[0].severity.rank)


def merge(findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding for each group, worst first: its worst member, with what only the others know.

    `also_by` names the others as `tool:rule`.
    """
    return [_merged(members) for members in group(findings)]


def advisories(finding: Finding) -> set[str]:
    """Return the advisory ids that a finding goes by, in capitals."""
    return {name.upper() for name in (finding.rule, *finding.aliases) if ADVISORY.fullmatch(name)}


def package_name(name: str) -> str:
    """Return a package's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _identities(finding: Finding) -> list[str]:
    """Return what a finding has in common with every other that means the same."""
    identities = [f"fingerprint {finding.fingerprint}"]
    if finding.package:
        package = f"{package_name(finding.package)}=={finding.installed}"
        identities += [f"package {package} {name}" for name in sorted(advisories(finding))]
    elif finding.file and finding.line and not finding.past:  # that line is another one today
        kind = next((kind for kind, words in KINDS.items() if words.search(finding.rule)), None)
        identities += [f"place {finding.file}:{finding.line} {kind}"] if kind else []
    return identities


def _merged(members: Sequence[Finding]) -> Finding:
    first, *others = members
    if not others:
        return first
    tools = dict.fromkeys(f"{finding.tool}:{finding.rule}" for finding in others)
    tools.pop(f"{first.tool}:{first.rule}", None)
    names = dict.fromkeys(name for finding in members for name in (finding.rule, *finding.aliases))
    advisory_ids = [name for name in names if ADVISORY.fullmatch(name) and name != first.rule]
    return first.model_copy(
        update={
            "also_by": tuple(dict.fromkeys((*first.also_by, *tools))),
            "aliases": tuple(dict.fromkeys((*first.aliases, *advisory_ids))),
            "fixed": first.fixed or next((finding.fixed for finding in others if finding.fixed), ""),
        }
    )
