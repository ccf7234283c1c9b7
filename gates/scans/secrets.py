"""What Kingfisher and TruffleHog found, without a character of any secret; and whether they looked at everything."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, Field, ValidationError

from gates.documents import Foreign
from gates.findings import Finding, Severity, make_finding
from gates.scans.outcome import ReportError, read_report

# Rules of config/kingfisher. What they find is named like a secret, and has no form of its own.
OURS = "slipway."
TESTS = {"test", "tests", "testing", "testdata", "test_data", "fixtures", "__tests__", "__mocks__", "e2e", "cypress"}
# In a folder of this name stand tests, or what a service is specified by.
SPEC = "spec"
TEST_FILE = re.compile(r"^(?:test_.*|.*_test|conftest|.*[._](?:test|spec))\.[a-z]+$")
DOCUMENTS = {"doc", "docs", "documentation"}
DOCUMENT_SUFFIXES = {".md", ".mdx", ".rst", ".adoc"}
# A file or a folder by this name is no sample, wherever it stands.
REAL = re.compile(r"(?:^|[._-])(?:prod|production|live|staging)(?:[._-]|$)")
# Locks, translations and styles name no secrets.
NO_SETTINGS = {".lock", ".po", ".pot", ".css", ".svg"}
# In a program a value without quotes is a name.
UNQUOTED = {f"{OURS}{kind}" for kind in ("line", "image", "variable", "block", "flow")}
PROGRAMS = {
    *(".py", ".pyi", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".svelte", ".go", ".rs", ".java", ".rb"),
    *(".c", ".h", ".html", ".jinja", ".j2", ".sql", ".tf", ".hcl"),
}


class _Model(Foreign, of="the reports of Kingfisher and TruffleHog"):
    # Errors of pydantic show the input, which may be a secret.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _Commit(_Model):
    id: str = Field(pattern="^[0-9a-f]{40,64}$")


class _Origin(_Model):
    commit: _Commit


class _Rule(_Model):
    id: str = Field(min_length=1, max_length=200)
    name: str = Field("", max_length=300)


class _Where(_Model):
    path: str
    line: int = Field(ge=0)
    # What --redact leaves of the secret: a salted hash, the same for the same secret within one run.
    snippet: str = Field(pattern=r"^\[REDACTED:[0-9a-f]+\]$")
    git_metadata: _Origin | None = None


class _Entry(_Model):
    rule: _Rule
    finding: _Where


class _Git(_Model):
    tip_sha: str
    shallow: bool
    fetched_commit_count: int


class _Status(_Model):
    status: str


class _Stats(_Model):
    blobs_scanned: int


class _Input(_Model):
    scan: _Status
    stats: _Stats
    git: _Git | None = None


class _Audit(_Model):
    repositories: tuple[_Input, ...]


class _Summary(_Model):
    findings: int
    rules_applied: int


class _Metadata(_Model):
    summary: _Summary


class Report(_Model):
    """Kingfisher's JSON report (2.10 and newer): findings, and the audit of what it looked at."""

    findings: tuple[_Entry, ...]
    audit: _Audit
    metadata: _Metadata

    @property
    def blobs(self) -> int:
        """Return how many files or contents were looked at."""
        return sum(repository.stats.blobs_scanned for repository in self.audit.repositories)


@dataclass(frozen=True)
class Leak:
    """A secret's place: `commit` is the oldest that has it there, "" outside of the history; `line` is 1-based."""

    rule: str
    file: str
    line: int
    commit: str
    mark: str


def read_kingfisher(text: bytes, inputs: int) -> Report:
    """Parse a report over `inputs` directories or repositories. Raises ReportError if partial or in conflict with
    itself.
    """
    report = read_report(Report, text, "kingfisher")
    repositories = report.audit.repositories
    if len(repositories) != inputs or any(entry.scan.status != "completed" for entry in repositories):
        raise ReportError(f"kingfisher completed {len(repositories)} of {inputs} inputs, or only in part")
    if report.metadata.summary.findings != len(report.findings):
        raise ReportError("kingfisher's report has another number of findings than its summary says")
    if report.metadata.summary.rules_applied == 0:
        raise ReportError("kingfisher looked with no rules")
    return report


def check_coverage(report: Report, commit: str, commits: int, blobs: int) -> None:
    """Raises ReportError if a history scan looked at fewer commits or contents than there are, or at another commit."""
    git = report.audit.repositories[0].git
    if git is None or git.shallow or git.tip_sha != commit:
        raise ReportError(f"kingfisher did not look at the whole history of {commit[:12]}")
    if git.fetched_commit_count < commits or report.blobs < blobs:
        raise ReportError(
            f"kingfisher looked at {git.fetched_commit_count} of {commits} commits, {report.blobs} of {blobs} contents"
        )


def leaks(report: Report, order: Mapping[str, int]) -> list[Leak]:
    """Return one leak for each rule, secret and file: the oldest by `order`, a commit's place in the history."""
    oldest: dict[tuple[str, str, str], Leak] = {}
    for entry in _once_each(report.findings):
        where = entry.finding
        commit = where.git_metadata.commit.id if where.git_metadata else ""
        leak = Leak(entry.rule.id, where.path, where.line, commit, where.snippet)
        key = (leak.rule, leak.mark, leak.file)
        if key not in oldest or _age(leak, order) < _age(oldest[key], order):
            oldest[key] = leak
    return sorted(oldest.values(), key=lambda leak: (_age(leak, order), leak.file, leak.rule))


def _once_each(entries: Sequence[_Entry]) -> list[_Entry]:
    """Leave out what a rule of ours found where another rule found something, or the same secret before."""
    # By a line, the first rule that found something there; by a line and a secret, any.
    known: dict[tuple[object, ...], str] = {}
    kept = []
    # What a file's language may make something else comes last.
    for entry in sorted(entries, key=lambda one: (one.rule.id.startswith(OURS), one.rule.id in UNQUOTED, one.rule.id)):
        where, rule = entry.finding, entry.rule.id
        commit = where.git_metadata.commit.id if where.git_metadata else ""
        line, secret = (where.path, commit, where.line), (where.path, commit, where.line, where.snippet)
        first = known.setdefault(line, rule)
        if rule.startswith(OURS) and (secret in known or _adds_nothing(rule, first)):
            continue
        known[secret] = rule
        kept.append(entry)
    return kept


def _adds_nothing(rule: str, first: str) -> bool:
    """Return whether a rule of ours sees a part of what the first rule of that line saw. A rule for values without
    quotes sees a part of a text; it may see many values of a line itself.
    """
    return rule != first and (not first.startswith(OURS) or rule in UNQUOTED)


def without_samples(leaked: Iterable[Leak]) -> tuple[list[Leak], int]:
    """Return the leaks that count, and how many do not: values that are only named like a secret, in tests, in
    documents, and where the language of a file makes them something else. What has a service's form always counts.
    """
    everything = list(leaked)
    kept = [leak for leak in everything if not (leak.rule.startswith(OURS) and _is_sample(leak))]
    return kept, len(everything) - len(kept)


def _is_sample(leak: Leak) -> bool:
    *folders, name = leak.file.lower().split("/")
    suffix = name[name.rfind(".") :] if "." in name else ""
    if TEST_FILE.search(name) or suffix in DOCUMENT_SUFFIXES or _in_samples(folders, name, suffix):
        return True
    if leak.rule == f"{OURS}address":
        return False
    return suffix in NO_SETTINGS or (leak.rule in UNQUOTED and suffix in PROGRAMS)


def _in_samples(folders: Sequence[str], name: str, suffix: str) -> bool:
    """Return whether a file stands below a folder of tests or documents, and is not of production by its name."""
    first = [
        number
        for number, folder in enumerate(folders)
        if folder in TESTS | DOCUMENTS or (folder == SPEC and suffix in PROGRAMS)
    ]
    return bool(first) and not any(REAL.search(part) for part in (*folders[first[0] + 1 :], name))


def _age(leak: Leak, order: Mapping[str, int]) -> tuple[int, int]:
    return (order.get(leak.commit, len(order)), leak.line)


def past_leaks(in_history: Sequence[Leak], in_files: Iterable[Leak]) -> frozenset[Leak]:
    """Return the leaks of the history that are not in the files of the commit, whatever file there has them.

    Marks tell the same secret within one report only, so the files are compared by rule and name.
    """
    there = {(leak.rule, leak.file): leak.mark for leak in in_files}
    marks = {leak.mark for leak in in_history if (leak.rule, leak.file) in there} | set(there.values())
    return frozenset(
        leak for leak in in_history if leak.mark not in marks and (leak.rule, leak.file) not in there and leak.commit
    )


def secret_findings(
    tool: str, leaked: Iterable[Leak], files: Container[str], past: Container[Leak] = ()
) -> tuple[Finding, ...]:
    """Return a critical finding for each leak. `files` are the paths of the newest commit, `past` the leaks that are in
    the history alone.

    The fingerprint is made of rule, file, commit and a running number: no line, and nothing made from the secret.
    """
    number, findings = Counter[tuple[str, str, str]](), []
    for leak in leaked:
        place = (leak.rule, leak.file, leak.commit)
        number[place] += 1
        message, key = _message(leak, leak.file.partition("!")[0] in files), ("secret", *place, str(number[place]))
        made = make_finding(tool, leak.rule, Severity.CRITICAL, message, leak.file, line=leak.line, key=key)
        findings.append(made.model_copy(update={"past": leak in past}))
    return tuple(findings)


def _message(leak: Leak, there: bool) -> str:
    where = f"since commit {leak.commit[:12]}" if leak.commit else "in the files of this commit"
    gone = "" if there or not leak.commit else "; the file is gone, the history still has it"
    if not leak.file:
        where, gone = f"in the message of commit {leak.commit[:12]}", ""
    return f"a secret ({leak.rule}) {where}{gone}: revoke it, then take it out of the history"


class _TruffleGit(_Model):
    commit: str = ""
    file: str = ""
    line: int = 0


class _TruffleData(_Model):
    Git: _TruffleGit


class _TruffleSource(_Model):
    Data: _TruffleData


class _TruffleLine(_Model):
    SourceMetadata: _TruffleSource | None = None
    DetectorName: str = Field("", max_length=200)
    msg: str = ""
    chunks: int = 0


def read_trufflehog(lines: Sequence[str]) -> list[Leak]:
    """Read TruffleHog's JSON lines. Raises ReportError if its last word, with what it looked at, is missing."""
    leaked: list[Leak] = []
    finished = False
    for text in filter(str.strip, lines):
        try:
            line = _TruffleLine.model_validate_json(text)
        except ValidationError:
            raise ReportError("trufflehog printed a line that is not its report") from None
        if line.SourceMetadata:
            git = line.SourceMetadata.Data.Git
            leaked.append(Leak(line.DetectorName, git.file, git.line, git.commit, ""))
        finished |= line.msg == "finished scanning" and line.chunks > 0
    if not finished:
        raise ReportError("trufflehog did not say that it finished, or looked at nothing")
    return leaked
