"""The licence scan: what every package of the app's locks says, against config/licences.toml."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from gates.check import Check, Outcome
from gates.findings import Severity
from gates.scans.licences import Licences, Package, Stated, judge_licences, licence_text, origins
from gates.scans.outcome import Sight
from gates.scans.security import Rule
from host.errors import ConfigError
from settings.toml_files import read_rules
from tasks.scans import Reads, Scan, Subject
from tasks.scans.files import named, regular_files
from tasks.scans.keys import contents
from tasks.scans.packages.metadata import installed, npm_packages, pinned
from tasks.scans.packages.spdx import parse_expression
from tasks.scans.tools import scan
from tasks.source.dependencies import locked_environment


def scan_licence(subject: Subject, rules: Licences | None = None) -> Check:
    """Judge the licences of what the commit ships, by config/licences.toml. Safe to repeat.

    The environments of the shipped locks may have to be made first. A package whose metadata is missing, or that a lock
    names and nothing installed, is no verdict.
    """
    try:
        known = rules or read_rules(Licences, "licences")
    except ConfigError as error:
        return Check(name="licence", outcome=Outcome.NO_VERDICT, reason=str(error))
    return scan(
        "licence",
        "license-expression",
        {"Python packages": lambda: _python(subject, known), "npm packages": lambda: _npm(subject, known)},
    )


def _python(subject: Subject, rules: Licences) -> Sight:
    pipeline = subject.pipeline
    shipped: dict[str, Package] = {}
    missing: list[str] = []
    for name in pipeline.locks.shipped:
        found = installed(locked_environment(subject.tree / name, pipeline.app.python), shipped=True)
        missing += [f"{name}: {one}" for one in sorted(pinned(subject.tree / name) - set(found))]
        shipped |= found
    others = installed(subject.workspace.environment, shipped=False)
    packages = {**others, **shipped}
    judged = _judge(packages, rules)
    problems = (f"the metadata of {', '.join(missing[:10])} is not there",) if missing else ()
    others_count = len(packages) - len(shipped)
    said = f"{len(shipped)} shipped Python packages and {others_count} others ({', '.join(judged.examined)})"
    return Sight(judged.findings, problems, (said,), judged.notes)


def _npm(subject: Subject, rules: Licences) -> Sight:
    locks = named(list(regular_files(subject.tree)), ("package-lock.json",))
    packages = {
        f"{one.name} {one.version}": one
        for lock in locks
        if "node_modules/" not in lock
        for one in npm_packages(subject.tree / lock)
    }
    if not packages:
        return Sight(problems=tuple(f"{lock} names no packages" for lock in locks))
    shipped = sum(one.shipped for one in packages.values())
    judged = _judge(packages, rules)
    examined = f"{shipped} shipped npm packages and {len(packages) - shipped} others"
    return Sight(judged.findings, (), (examined,), judged.notes)


def _judge(packages: Mapping[str, Package], rules: Licences) -> Sight:
    stated = []
    for package in packages.values():
        if any(fnmatchcase(package.name, pattern) for pattern in rules.ours):
            continue
        origin, text = licence_text(package, rules)
        stated.append(Stated(package, origin, text, parse_expression(text) if text else None))
    findings, notes = judge_licences(stated, rules)
    return Sight(tuple(findings), (), (origins(stated),), tuple(notes))


def _reads(subject: Subject) -> Reads:
    pipeline = subject.pipeline
    locks = contents(subject, (*pipeline.locks.shipped, pipeline.locks.ci))
    parts = (pipeline.app.python, locks, subject.workspace.environment.name)
    return Reads(named(list(subject.workspace.source.files), ("package-lock.json",)), parts)


SCAN = Scan("licence", scan_licence, _reads, Rule(waivable=(Severity.HIGH, Severity.MEDIUM, Severity.LOW)))
