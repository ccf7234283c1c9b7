"""The licence scan: what every package of the app's locks says, against config/licences.toml."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from gates.other_locks import NODE_LOCKS, NPM_LOCK
from gates.scans.licences import Licences, Origin, Package, Stated, judge_licences, licence_text, origins, text_beside
from gates.scans.outcome import ScanOutcome
from gates.scans.security import Rule
from host.errors import ConfigError, ToolError
from settings.toml_files import read_rules
from tasks.scans import Reads, Scan, Subject
from tasks.scans.files import named
from tasks.scans.keys import lock_contents
from tasks.scans.packages.metadata import installed, npm_packages, pinned
from tasks.scans.packages.npm import unlocked
from tasks.scans.packages.spdx import parse_expression
from tasks.scans.tools import scan_parts
from tasks.scans.tree import Tree
from tasks.source.dependencies import locked_environment


def scan_licence(subject: Subject, rules: Licences | None = None) -> Check:
    """Judge the licences of what the commit ships, by config/licences.toml. Safe to repeat.

    The environments of the shipped locks may have to be made first. A package whose metadata is missing, or that a lock
    names and nothing installed, is no verdict.
    """
    try:
        licences = rules or read_rules(Licences, "licences")
    except ConfigError as error:
        return Check(name="licence", outcome=Outcome.NO_VERDICT, reason=str(error))
    return scan_parts(
        "licence",
        "license-expression",
        {"Python packages": lambda: _python(subject, licences), "npm packages": lambda: _npm(subject, licences)},
    )


def _python(subject: Subject, rules: Licences) -> ScanOutcome:
    pipeline = subject.pipeline
    shipped: dict[str, Package] = {}
    missing: list[str] = []
    for lock in pipeline.locks.shipped:
        scope, file = subject.workspace.source.scope, subject.locks.file(lock)
        environment = locked_environment(file, pipeline.app.python, scope, subject.locks.wheels(lock))
        packages = installed(environment, shipped=True)
        missing += [f"{lock}: {package}" for package in sorted(pinned(file) - set(packages))]
        shipped |= packages
    if subject.workspace.lacks:
        raise ToolError(subject.workspace.lacks)
    every = installed(subject.workspace.environment, shipped=False) | shipped
    problems = (f"the metadata of {', '.join(missing[:10])} is not there",) if missing else ()
    findings, notes, where = judge_packages(every, rules)
    examined = f"{len(shipped)} shipped Python packages and {len(every) - len(shipped)} others ({where})"
    return ScanOutcome(findings, problems, (examined,), notes)


def _npm(subject: Subject, rules: Licences) -> ScanOutcome:
    tree = Tree.at(subject.tree)
    inside = [file for file in tree.files if "node_modules/" not in file]
    locks = named(inside, (NPM_LOCK,))
    packages = {
        f"{package.name} {package.version}": package for lock in locks for package in npm_packages(subject.tree / lock)
    }
    problems = tuple(unlocked(tree, inside, locks))
    if not packages:
        return ScanOutcome(problems=(*problems, *(f"{lock} names no packages" for lock in locks)))
    shipped = sum(package.shipped for package in packages.values())
    findings, notes, _ = judge_packages(packages, rules)
    examined = f"{shipped} shipped npm packages and {len(packages) - shipped} others"
    return ScanOutcome(findings, problems, (examined,), notes)


def judge_packages(
    packages: Mapping[str, Package], rules: Licences
) -> tuple[tuple[Finding, ...], tuple[str, ...], str]:
    """Return the findings about packages, the notes, and how many licences were found where."""
    stated = []
    for package in packages.values():
        if any(fnmatchcase(package.name, pattern) for pattern in rules.ours):
            continue
        origin, text = licence_text(package, rules)
        beside = text_beside(package, rules) if origin is Origin.CLASSIFIER else ""
        parsed = [parse_expression(one) if one else None for one in (text, beside)]
        stated.append(Stated(package, origin, text, *parsed))
    findings, notes = judge_licences(stated, rules)
    return tuple(findings), tuple(notes), origins(stated)


def _reads(subject: Subject) -> Reads:
    pipeline = subject.pipeline
    locks = lock_contents(subject, (*pipeline.locks.shipped, pipeline.locks.ci))
    parts = (pipeline.app.python, locks, subject.workspace.environment.name)
    return Reads(named(list(subject.workspace.source.files), ("package.json", NPM_LOCK, *NODE_LOCKS)), parts)


SCAN = Scan("licence", scan_licence, _reads, Rule(waivable=(Severity.HIGH, Severity.MEDIUM, Severity.LOW)))
