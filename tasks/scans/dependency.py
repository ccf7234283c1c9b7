"""Scan `dependency`: known vulnerabilities in what the app's locks pin, Python's by pip-audit, npm's by npm audit.

pip-audit ends with 1 for findings and for a crash, leaves out what its markers exclude, reports nothing for a source
that knows nothing, and gives neither severity nor every fix. So: the source must first report the canary, and through
pip-audit too; each pin must be in the report; severity and fixes come from the OSV records.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from packaging.utils import canonicalize_name
from pydantic import Field, model_validator

from gates.check import Check
from gates.documents import Foreign
from gates.findings import Finding, fingerprint
from gates.locks import LARGEST_LOCK_BYTES
from gates.other_locks import NODE_LOCKS, NPM_LOCK, PYTHON_LOCKS, is_other_lock, is_read_lock, lock_command
from gates.scans.outcome import ScanOutcome
from host.errors import ConfigError, SourceError, ToolError
from settings.locks import LockChoice
from tasks.scans import Reads, Scan, Subject
from tasks.scans.files import named
from tasks.scans.keys import lock_contents, our_program, program_state
from tasks.scans.packages.advisories import CANARY, Source
from tasks.scans.packages.npm import look_at_npm, npm_program
from tasks.scans.packages.osv import Record, fixed_in, known_as, merged, severity_of
from tasks.scans.packages.pins import Pin, Pins, read_pins
from tasks.scans.tools import Scanner, as_report, read_json, scan_parts, unread
from tasks.scans.tree import Tree
from tasks.source.app_locks import is_converted

TIMEOUT_S = 180.0
REQUEST_S = 15
MOST_ALIASES = 20


class Vulnerability(Foreign, of="pip-audit's report"):
    """One entry of pip-audit's for a package."""

    id: str
    aliases: list[str] = Field(default_factory=list)
    description: str = ""
    fix_versions: list[str] = Field(default_factory=list)


class Dependency(Foreign, of="pip-audit's report"):
    """What pip-audit says of one package; `skip_reason` when it did not look, else `vulns`."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = Field(default_factory=list)
    skip_reason: str = ""

    @model_validator(mode="after")
    def _looked_or_says_why_not(self) -> Self:
        if not self.skip_reason and "vulns" not in self.model_fields_set:
            raise ValueError("neither vulns nor a skip_reason")
        return self


class PipAuditReport(Foreign, of="pip-audit's report"):
    """`pip-audit -f json`."""

    dependencies: list[Dependency]


def scan_dependency(subject: Subject) -> Check:
    """Audit every lock of the app and every package-lock.json of the commit. Safe to repeat; reads only."""
    parts = {
        "the Python packages": lambda: look_at_python(subject),
        "the npm packages": lambda: look_at_npm(subject, Tree.at(subject.tree)),
    }
    return scan_parts("dependency", "pip-audit, npm audit", parts)


def look_at_python(subject: Subject) -> ScanOutcome:
    """Audit the locks that config/pipeline.toml names. A source that is away is found out before anything is run.

    What several locks pin is asked about once.
    """
    settings = subject.pipeline.scans
    source = Source(settings.osv_url)
    try:
        age = source.prove(settings.max_advisory_age_hours)
        audit = Audit(subject, source)
    except ToolError as error:
        # What the locks themselves keep from being audited is told all the same.
        return unread(str(error), error) + ScanOutcome(problems=tuple(unauditable(subject)))
    outcome, locks = ScanOutcome(notes=(f"advisories of {age}", *unnamed_locks(subject))), dict[Pin, list[LockChoice]]()
    for lock in subject.pipeline.locks.every:
        try:
            outcome += audit.read(lock, locks)
        except ToolError as error:
            outcome += ScanOutcome(problems=(f"{lock}: {error}",))
    vulnerable = VulnerablePackages(source, locks)
    try:
        for dependency in audit.ask(locks):
            vulnerable.add(dependency)
    except ToolError as error:
        outcome += ScanOutcome(problems=(str(error),))
    return outcome + ScanOutcome(findings=tuple(vulnerable.findings()), problems=tuple(vulnerable.problems))


def unauditable(subject: Subject) -> list[str]:
    """Return the lines of the app's locks that nobody could audit, and the locks that cannot be read."""
    problems = []
    for lock in subject.pipeline.locks.every:
        try:
            unread = read_pins(_text(subject, lock), subject.pipeline.app.python).problems
        except ToolError as error:
            unread = (str(error),)
        problems += [f"{lock}: {problem}" for problem in unread]
    return problems


def unnamed_locks(subject: Subject) -> list[str]:
    """Return a note for each lock of the commit that nobody reads, and how to have it looked at."""
    files = (file for file in Tree.at(subject.tree).files if file not in subject.pipeline.locks.files)
    return [
        f"{file}: not read, so nothing of it is audited; if it is not what [locks] names in another form,"
        f" {'' if is_read_lock(file) else f'make a lock of it ({lock_command(file)}) and '}name it in [locks] others"
        for file in named(list(files), PYTHON_LOCKS)
    ]


def batches(pins: Iterable[Pin]) -> list[list[Pin]]:
    """Return the pins in as few lists as can be of which none has a name twice: pip-audit refuses such a list."""
    versions, lists = Counter[str](), list[list[Pin]]()
    for pin in dict.fromkeys(pins):
        if versions[pin.name] == len(lists):
            lists.append([])
        lists[versions[pin.name]].append(pin)
        versions[pin.name] += 1
    return lists


class Audit:
    """pip-audit, run over one list of pins after another."""

    def __init__(self, subject: Subject, source: Source) -> None:
        self.subject, self.source = subject, source
        self.scanner = Scanner.of(subject, "dependency", "pip-audit", TIMEOUT_S, network=True)

    def read(self, lock: LockChoice, locks: dict[Pin, list[LockChoice]]) -> ScanOutcome:
        """Note in `locks` what a lock pins; return what is to be looked at, and which of its lines nobody could."""
        app, settings = self.subject.pipeline.app, self.subject.pipeline.scans
        pins = read_pins(_text(self.subject, lock), app.python, settings.private_packages)
        for pin in pins.audited:
            locks.setdefault(pin, []).append(lock)
        problems = tuple(f"{lock}: {problem}" for problem in pins.problems)
        return ScanOutcome((), problems, (f"{lock}: {len(pins.audited)} packages",), _unaudited(lock, pins))

    def ask(self, pins: Iterable[Pin]) -> list[Dependency]:
        """Return what pip-audit says of each pin. ToolError unless it reports the canary, too."""
        dependencies = [
            dependency
            for number, batch in enumerate(batches([*pins, CANARY]))
            for dependency in self.run(f"pins-{number}", batch)
        ]
        if not any(_pin(dependency) == CANARY and dependency.vulns for dependency in dependencies):
            raise ToolError(f"pip-audit does not report the canary {CANARY.name} {CANARY.version}")
        return dependencies

    def run(self, name: str, pins: list[Pin]) -> list[Dependency]:
        """Run pip-audit on pins and return what it says of each. Raises ToolError if its report is not about all of
        them.

        It gets a list of our own, not the lock: no option or URL of the app's reaches it, and markers are decided.
        """
        requirements, report = self.scanner.scratch / f"{name}.txt", self.scanner.scratch / f"{name}.json"
        requirements.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins), encoding="utf-8")
        report.unlink(missing_ok=True)
        options = ["-s", "osv", "--osv-url", f"{self.source.url}/v1/query", "-r", str(requirements), "--no-deps"]
        options += ["--disable-pip", "-f", "json", "-o", str(report), "--progress-spinner", "off"]
        done = self.scanner.run(
            *options, "--timeout", str(REQUEST_S), "--cache-dir", str(self.scanner.scratch / "cache")
        )
        try:
            raw = read_json(report, done)
        except ToolError as error:
            raise ToolError(f"pip-audit: {error}".replace(self.source.url, self.source.host)) from error
        if done.returncode not in (0, 1):
            raise ToolError(f"pip-audit ended with exit code {done.returncode}")
        return read_pip_audit(raw, pins)


def read_pip_audit(raw: Any, pins: list[Pin]) -> list[Dependency]:
    """Return what the report says of each pin. Raises ToolError if it is not pip-audit's, or not about these."""
    dependencies = as_report(PipAuditReport, raw, "pip-audit").dependencies
    skipped = [f"{package.name} ({package.skip_reason})" for package in dependencies if package.skip_reason]
    if skipped:
        raise ToolError(f"pip-audit did not look at {len(skipped)} packages: {', '.join(skipped[:3])}"[:400])
    reported = {_pin(package): package for package in dependencies}
    missing = [f"{pin.name} {pin.version}" for pin in pins if pin not in reported]
    if missing:
        raise ToolError(f"pip-audit left out {len(missing)} of {len(pins)} packages: {', '.join(missing[:3])}")
    return [reported[pin] for pin in pins]


def _pin(dependency: Dependency) -> Pin:
    return Pin(canonicalize_name(dependency.name), dependency.version)


class VulnerablePackages:
    """The vulnerable packages of all locks: one finding for each vulnerability of a package at a version.

    `locks` are the locks of each pin, the most important first.
    """

    def __init__(self, source: Source, locks: Mapping[Pin, list[LockChoice]]) -> None:
        self.source = source
        self.problems: list[str] = []
        self._locks = locks
        self._reported: dict[Pin, dict[str, Vulnerability]] = {}

    def add(self, dependency: Dependency) -> None:
        """Take what pip-audit said of one package that a lock pins."""
        pin = _pin(dependency)
        if dependency.vulns and pin in self._locks:
            self._reported[pin] = {vulnerability.id: vulnerability for vulnerability in dependency.vulns}

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, with what the records say; what the source no longer tells becomes a problem."""
        for pin in sorted(self._reported):
            try:
                records = self.source.about(pin)
            except ToolError as error:
                self.problems.append(f"{pin.name}: severity unknown: {error}")
                records = []
            yield from self._of(pin, records)

    def _of(self, pin: Pin, records: list[Record]) -> Iterator[Finding]:
        for group in merged([*records, *_unrecorded(self._reported[pin].values(), records)]):
            yield self._finding(pin, [*group, *self._elsewhere(pin, group)])

    def _elsewhere(self, pin: Pin, group: list[Record]) -> list[Record]:
        """Return the records under other names of a vulnerability that its own leave unscored."""
        if not severity_of(group, pin.name)[1].startswith("unscored"):
            return []
        records = []
        for name in known_as(group)[:MOST_ALIASES]:
            if name in {record.id for record in group} and not name.startswith("GHSA-"):
                continue
            try:
                record = self.source.record(name)
            except ToolError as error:
                self.problems.append(f"{pin.name}: severity of {name} unknown: {error}")
                break
            records += [record] if record and not record.withdrawn else []
        return records

    def _finding(self, pin: Pin, group: list[Record]) -> Finding:
        names = known_as(group)
        severity, why = severity_of(group, pin.name)
        reported = [entry for entry in self._reported[pin].values() if {entry.id, *entry.aliases} & set(names)]
        fixed = fixed_in(group, pin.name, pin.version)
        fixed = fixed or next((entry.fix_versions[0] for entry in reported if entry.fix_versions), "")
        about = next((text for record in group if (text := record.summary or record.details)), "")
        about = about or next((entry.description for entry in reported), "")
        where = self._locks[pin]
        also = f" (also in {', '.join(map(str, where[1:]))})" if where[1:] else ""
        advice = f"; fixed in {fixed}" if fixed else "; no version fixes it yet"
        return Finding(
            tool="pip-audit",
            rule=names[0],
            severity=severity,
            message=f"{pin.name} {pin.version}{also}: {' '.join(about.split())[:300]} [{why}]{advice}",
            file=where[0].file,
            fingerprint=fingerprint(names[0], where[0].file, pin.name),
            package=pin.name,
            installed=pin.version,
            fixed=fixed,
            aliases=tuple(names[1:]),
        )


def _unrecorded(reported: Iterable[Vulnerability], records: list[Record]) -> Iterator[Record]:
    """Yield a bare record for each vulnerability that only pip-audit named: it is unscored, so high."""
    known = {name for record in records for name in (record.id, *record.aliases)}
    for entry in reported:
        if not {entry.id, *entry.aliases} & known:
            body = {"id": entry.id, "aliases": entry.aliases, "summary": entry.description}
            yield Record.model_validate({**body, "modified": "1970-01-01T00:00:00Z"})


def _text(subject: Subject, lock: LockChoice) -> str:
    if is_converted(lock):
        return _converted(subject, lock)
    file = subject.tree / lock.file
    if is_other_lock(lock.file):
        raise ToolError(f"this lock cannot be read; make one that can: {lock_command(lock.file)}")
    try:
        if not file.resolve().is_relative_to(subject.tree.resolve()) or file.stat().st_size > LARGEST_LOCK_BYTES:
            raise ToolError("larger than any lock, or not in the commit")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"cannot be read: {type(error).__name__}") from error


def _converted(subject: Subject, lock: LockChoice) -> str:
    try:
        return subject.locks.listed(lock).read_text(encoding="utf-8")
    except (ConfigError, SourceError) as error:
        raise ToolError(str(error).removeprefix(f"{lock}: ")) from error


def _unaudited(lock: LockChoice, pins: Pins) -> tuple[str, ...]:
    notes = []
    if pins.private:
        names = ", ".join(pin.name for pin in pins.private)
        notes.append(f"{lock}: private, so nobody can audit them: {names}")
    if pins.elsewhere:
        notes.append(f"{lock}: not installed here, so not audited: {'; '.join(pins.elsewhere)}"[:500])
    return tuple(notes)


def _reads(subject: Subject) -> Reads:
    pipeline, settings = subject.pipeline, subject.pipeline.scans
    oldest = float(settings.max_advisory_age_hours)
    sources = (settings.osv_url, settings.npm_audit_url, oldest, settings.private_packages)
    programs = (our_program("pip-audit"), _npm())
    parts = (pipeline.app.python, lock_contents(subject, pipeline.locks.every), sources, programs)
    names = ("package.json", NPM_LOCK, *NODE_LOCKS, *PYTHON_LOCKS)
    return Reads(named(list(subject.workspace.source.files), names), parts)


def _npm() -> Any:
    try:
        program, script = npm_program()[:2]
    except ToolError:
        return "absent"
    return [program_state(Path(path)) for path in (str(program), *script)]


SCAN = Scan("dependency", scan_dependency, _reads)
