"""What a tool found: one model for linters, type checkers and scanners, so that findings can be merged and compared."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Severity(StrEnum):
    """How bad a finding is, worst first. A tool without severities says MEDIUM; an unscored vulnerability is HIGH."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Return 0 for the worst."""
        return list(Severity).index(self)


class Finding(BaseModel):
    """One finding. `file` is relative to the source; `line` is 1-based, 0 when it has none.

    `subject` is what tells two findings of a rule in one file apart and survives edits elsewhere in it: the offending
    line's text without white space, a package's name, a symbol. It is hashed, never shown, so it may be sensitive, but
    a secret itself must not go in: a short secret could be guessed from its hash. `package`, `installed` and `fixed`
    are set for vulnerable or unlicensed packages. `past`: it stands in the history alone, not in the commit's files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    rule: str
    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    fingerprint: str
    package: str = ""
    installed: str = ""
    fixed: str = ""
    past: bool = Field(False, exclude_if=lambda past: not past)
    aliases: tuple[str, ...] = ()
    also_by: tuple[str, ...] = ()


def make_finding(
    tool: str,
    rule: str,
    severity: Severity,
    message: str,
    file: str = "",
    *,
    key: Iterable[str],
    line: int = 0,
    package: str = "",
    installed: str = "",
    fixed: str = "",
) -> Finding:
    """Return a finding with the fingerprint of `key`. Of its message 500 characters are kept."""
    return Finding(
        tool=tool,
        rule=rule,
        severity=severity,
        message=message[:500],
        file=file,
        line=line,
        fingerprint=fingerprint(*key),
        package=package,
        installed=installed,
        fixed=fixed,
    )


def fingerprint(*parts: str) -> str:
    """Return a stable name for a finding: 24 hex characters of SHA-256 over parts that do not hold line numbers.

    The usual parts: rule, file, subject (see `Finding`). White space within a part does not count.
    """
    clean = ["".join(part.split()) for part in parts]
    return hashlib.sha256("\0".join(clean).encode()).hexdigest()[:24]
