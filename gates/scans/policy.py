"""Which files a commit must and must not hold, which findings are allowed for a reason, and how linters are graded."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from gates.findings import Finding, Severity, make_finding
from gates.scans.dockerfiles.judge import ImageRules


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Files(_Section):
    """Globs of paths (`*` also matches `/`); a pattern without `/` is held against the file's name alone.

    `max_mb` is the largest file in MB that a commit should hold.
    """

    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    max_mb: float = Field(20, gt=0)


class Images(_Section):
    """Base images: `exact` is the pattern of a pinned tag, `minimal` are globs of small images; limits of built images.

    `max_mb` is the unpacked size in MB. `setuid` names the files that may be setuid or setgid.
    """

    exact: str = r"^v?\d+\.\d+\.\d+"
    minimal: tuple[str, ...] = ("*slim*", "*alpine*", "*distroless*", "*wolfi*", "cgr.dev/*", "scratch")
    max_mb: float = Field(1000, gt=0)
    setuid: tuple[str, ...] = ()

    @property
    def rules(self) -> ImageRules:
        return ImageRules(self.exact, self.minimal)


class Migrations(_Section):
    """`judged_after` is the last alembic revision that is history everywhere: it and older ones are not judged."""

    judged_after: str = ""


class Allowed(_Section):
    """A finding that is accepted for good: its rule, a glob of its file, a part of its message, and why."""

    rule: str
    """The rule."""
    file: str = "*"
    """A glob of files."""
    says: str = ""
    """Words of the finding's message."""
    reason: str = Field(min_length=10)
    """Why it is accepted."""


class Policy(_Section):
    """config/policy.toml."""

    files: Files = Files()
    images: Images = Images()
    migrations: Migrations = Migrations()
    allow: tuple[Allowed, ...] = ()


def judge_files(sizes: Mapping[str, int], required: Sequence[str], rules: Files) -> list[Finding]:
    """Judge a commit's files, given with their size in bytes. `required` are exact paths beside the rules' patterns."""
    rows = [
        ("required-file", Severity.HIGH, f"the commit has no {pattern}", pattern)
        for pattern in dict.fromkeys([*rules.required, *required])
        if not any(matches(name, pattern) for name in sizes)
    ]
    for name, size in sizes.items():
        forbidden = any(matches(name, pattern) for pattern in rules.forbidden)
        if forbidden and not any(matches(name, pattern) for pattern in rules.allowed):
            message = "a file of this name does not belong in a repository"
            rows.append(("forbidden-file", Severity.HIGH, message, name))
        if size > rules.max_mb * 1_000_000:
            message = f"{size / 1_000_000:.0f} MB, more than {rules.max_mb:g} MB"
            rows.append(("large-file", Severity.MEDIUM, message, name))
    return [
        make_finding("policy", rule, severity, message, "" if rule == "required-file" else name, key=(rule, name))
        for rule, severity, message, name in rows
    ]


def matches(path: str, pattern: str) -> bool:
    """Return whether a path matches a glob: the whole path for a pattern with a slash, else the file's name alone."""
    return fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern)


def apply_allowed(findings: Sequence[Finding], allow: Sequence[Allowed]) -> tuple[list[Finding], list[str]]:
    """Return the findings that are not allowed, and what was allowed with its reason."""
    kept, notes = [], []
    for finding in findings:
        reason = next(_reasons(finding, allow), None)
        if reason is None:
            kept.append(finding)
        else:
            notes.append(f"allowed: {finding.rule} in {finding.file or finding.message}: {reason}")
    return kept, notes


def _reasons(finding: Finding, allow: Sequence[Allowed]) -> Iterator[str]:
    for entry in allow:
        if entry.rule == finding.rule and fnmatchcase(finding.file, entry.file) and entry.says in finding.message:
            yield entry.reason
