"""npm's part of the dependency scan: `npm audit` on each package-lock.json, alone in a directory of ours.

npm ends with 1 for findings and for errors alike, so only its report counts: version 2 of it, about as many packages
as the lock holds, from a registry that first reported the canary.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from gates.documents import Foreign
from gates.findings import Finding, Severity, fingerprint
from gates.locks import LARGEST_LOCK_BYTES
from gates.other_locks import NPM_LOCK, unread_node_lock
from gates.scans.npm_lock import NpmLock, read_npm_lock
from gates.scans.outcome import ReportError, ScanOutcome
from gates.strict_json import JsonError, parse
from host.errors import SourceAway, ToolError
from tasks.scans import Subject
from tasks.scans.tools import Scanner, parse_json, unread
from tasks.scans.tree import Tree
from tasks.source.workspace import node_directory, tool_path

TIMEOUT_S = 120.0
PROBE_MS = 5_000
# Known to be vulnerable since 2018 (CVE-2018-16487 and later), so a registry that does not say so knows nothing.
CANARY = ("lodash", "4.17.0")
SEVERITIES = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "moderate": Severity.MEDIUM,
    "low": Severity.LOW,
    "info": Severity.LOW,
}


class Advisory(Foreign, of="npm audit's report"):
    """One advisory about a package; `name` is the package."""

    source: int | str
    name: str
    title: str = ""
    url: str = ""
    severity: str = ""
    range: str = ""


class Fix(Foreign, of="npm audit's report"):
    """The update that would fix it."""

    name: str
    version: str


class Vulnerable(Foreign, of="npm audit's report"):
    """One vulnerable package. Its `via` holds advisories about it, and names of packages through which it is."""

    name: str
    via: list[Advisory | str]
    nodes: list[str] = Field(default_factory=list)
    fixAvailable: bool | Fix = False  # noqa: N815  # npm's name


class Counted(Foreign, of="npm audit's report"):
    """How many packages npm looked at."""

    total: int


class Metadata(Foreign, of="npm audit's report"):
    """The report's figures."""

    dependencies: Counted


class NpmReport(Foreign, of="npm audit's report"):
    """`npm audit --json`."""

    auditReportVersion: int  # noqa: N815  # npm's name
    vulnerabilities: dict[str, Vulnerable]
    metadata: Metadata


def look_at_npm(subject: Subject, tree: Tree) -> ScanOutcome:
    """Audit every package-lock.json outside node_modules; nothing when there is no frontend."""
    inside = [file for file in tree.files if "node_modules/" not in file]
    locks = [file for file in inside if os.path.basename(file) == "package-lock.json"]
    seen = ScanOutcome(problems=tuple(unlocked(tree, inside, locks)))
    if not locks:
        return seen
    try:
        npm = Npm.of(subject)
        npm.prove()
    except ToolError as error:
        return seen + unread(str(error), error)
    for lock in locks:
        try:
            seen += npm.audit(tree, lock)
        except ToolError as error:
            seen += ScanOutcome(problems=(f"{lock}: {error}",))
    return seen


def unlocked(tree: Tree, files: list[str], locks: list[str]) -> list[str]:
    """Return what cannot be audited: locks of other tools, and packages that are asked for but locked nowhere."""
    problems = [problem for file in files if (problem := unread_node_lock(file))]
    locked = {os.path.dirname(lock) for lock in locks}
    for file in files:
        if os.path.basename(file) != "package.json" or any(_within(file, folder) for folder in locked):
            continue
        try:
            asked = parse((tree.root / file).read_bytes()) if tree.size(file) < LARGEST_LOCK_BYTES else None
        except JsonError:
            asked = None
        if not isinstance(asked, dict) or asked.get("dependencies"):
            where = f" --prefix {os.path.dirname(file)}" if os.path.dirname(file) else ""
            problems.append(
                f"{file}: asks for packages that no {NPM_LOCK} pins; run: npm install --package-lock-only{where}"
            )
    return problems


def _within(file: str, folder: str) -> bool:
    return not folder or file.startswith(folder + "/")


@dataclass(frozen=True)
class Npm:
    """npm, pointed at one registry ("" for its own choice).

    `script` is what Node runs when npm is no program itself.
    """

    scanner: Scanner
    script: tuple[str, ...]
    registry: str

    @classmethod
    def of(cls, subject: Subject) -> "Npm":
        """Return the host's npm or that of the wheel; SLIPWAY_NPM names another. Raises ToolError if there is none."""
        program, script, reads, path = npm_program()
        workspace = subject.workspace
        scratch = workspace.scratch("npm")
        env = {"PATH": path, "npm_config_cache": str(scratch / "cache"), "npm_config_update_notifier": "false"}
        scanner = Scanner(workspace, program, scratch, reads, TIMEOUT_S, True, env)
        return cls(scanner, script, subject.pipeline.scans.npm_audit_url)

    @property
    def where(self) -> str:
        """Return how to call the registry in a message."""
        return urlsplit(self.registry).netloc.rpartition("@")[2] or "npm's registry"

    def prove(self) -> None:
        """Raise SourceAway unless this registry reports the canary."""
        name, version = CANARY
        wanted = {name: version}
        packages = {"": {"dependencies": wanted}, f"node_modules/{name}": {"version": version}}
        lock = {"name": "canary", "lockfileVersion": 3, "requires": True, "packages": packages}
        report = self._run("canary", {"name": "canary", "dependencies": wanted}, lock)
        if name not in report.vulnerabilities:
            raise SourceAway(f"{self.where} does not report the canary {name} {version}, so its silence means nothing")

    def audit(self, tree: Tree, lock: str) -> ScanOutcome:
        """Audit one lock."""
        if tree.size(lock) > LARGEST_LOCK_BYTES:
            raise ToolError(f"larger than any lock ({LARGEST_LOCK_BYTES // 1_000_000} MB)")
        try:
            held = read_npm_lock((tree.root / lock).read_bytes())
        except ReportError as error:
            raise ToolError(str(error)) from error
        raw, asked = _json(tree, lock), _json(tree, os.path.join(os.path.dirname(lock), "package.json"))
        report = self._run(lock.replace("/", "_"), asked, raw)
        return read_npm_audit(report, held, lock)

    def _run(self, name: str, package: Any, lock: Any) -> NpmReport:
        """Run npm where nothing but these two files is: the app's .npmrc could name another registry."""
        directory = self.scanner.scratch / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        (directory / "package.json").write_text(json.dumps(package), encoding="utf-8")
        (directory / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
        options = [
            *self.script,
            "audit",
            "--json",
            "--loglevel=silent",
            "--package-lock-only",
            "--ignore-scripts",
            "--fetch-retries=0",
        ]
        options += [f"--fetch-timeout={PROBE_MS}", *([f"--registry={self.registry}"] if self.registry else [])]
        done = self.scanner.run(*options, cwd=directory)
        # Its warnings go to stderr, which comes with the report: that is everything from the first line that is "{".
        text = done.output[done.output.find("{") :] if "{" in done.output else ""
        raw = parse_json(_whole(text).encode(), done)
        try:
            report = NpmReport.model_validate(raw)
        except ValidationError as error:
            said = raw.get("message") if isinstance(raw, dict) else None
            said = str(said or "its report is not npm audit's").replace(self.registry or "\0", self.where)
            raise SourceAway(f"npm audit got no answer from {self.where}: {said[:200]}") from error
        if report.auditReportVersion != 2:
            raise ToolError(f"npm audit gives a report of version {report.auditReportVersion}, expected 2")
        return report


def read_npm_audit(report: NpmReport, held: NpmLock, lock: str) -> ScanOutcome:
    """Return what a report says of a lock: one finding for each advisory. Fewer packages than locked is a problem."""
    packages = [where for where, one in held.packages.items() if where and not one.link]
    counted = report.metadata.dependencies.total
    problems = []
    if counted < len(packages):
        problems.append(f"{lock}: npm audit looked at {counted} of {len(packages)} packages")
    findings = {}
    for vulnerable in report.vulnerabilities.values():
        for advisory in vulnerable.via:
            if isinstance(advisory, Advisory):
                one = _finding(advisory, vulnerable, held, lock)
                findings[one.fingerprint] = one
    return ScanOutcome(tuple(findings.values()), tuple(problems), (f"{lock}: {len(packages)} packages",))


def _finding(advisory: Advisory, vulnerable: Vulnerable, held: NpmLock, lock: str) -> Finding:
    rule = advisory.url.rstrip("/").rpartition("/")[2][:60] or f"npm-{advisory.source}"
    versions = sorted({held.packages[node].version for node in vulnerable.nodes if node in held.packages})
    fix = vulnerable.fixAvailable
    fixed = fix.version if isinstance(fix, Fix) and fix.name == advisory.name else ""
    if isinstance(fix, Fix):
        advice = f"; fixed by {fix.name} {fix.version}"
    else:
        advice = "; npm audit fix knows an update" if fix else "; no update fixes it yet"
    return Finding(
        tool="npm audit",
        rule=rule,
        severity=SEVERITIES.get(advisory.severity, Severity.HIGH),
        message=f"{advisory.name} {', '.join(versions)}: {advisory.title[:300]} (affects {advisory.range}){advice}",
        file=lock,
        fingerprint=fingerprint(rule, lock, advisory.name),
        package=advisory.name,
        installed=", ".join(versions),
        fixed=fixed,
    )


def npm_program() -> tuple[Path, tuple[str, ...], tuple[Path, ...], str]:
    """Return npm's program, the script that it runs, what it must see besides the system's programs, and its PATH."""
    chosen, node = os.environ.get("SLIPWAY_NPM"), node_directory()
    if not chosen and node is None:
        raise ToolError("npm is absent: install Node 20 or newer")
    path = f"{node}:{tool_path()}" if node else tool_path()
    reads = (node.parent,) if node and not node.is_relative_to("/usr") else ()
    if node and reads and not chosen:
        # The wheel's bin/npm does not find its library.
        return node / "node", (str(node.parent / "lib/node_modules/npm/bin/npm-cli.js"),), reads, path
    program = Path(chosen).absolute() if chosen else Path(str(node)) / "npm"
    if not os.access(program, os.X_OK) or program.is_dir():
        raise ToolError(f"npm is absent: {program.name} is no program" + (" (SLIPWAY_NPM)" if chosen else ""))
    return program, (), reads, path


def _json(tree: Tree, file: str) -> Any:
    try:
        return parse((tree.root / file).read_bytes())
    except (OSError, JsonError) as error:
        raise ToolError(f"{file} cannot be read: {error}") from error


def _whole(text: str) -> str:
    """Return the first JSON value of a text, when it begins with one; else the text, for the error to show."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return text
    return text[:end]
