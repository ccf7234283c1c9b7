"""May each package be shipped? SPDX licence expressions (spdx.org) against an allow-list."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gates.findings import Finding, Severity, make_finding
from gates.scans.licence_texts import named_in


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Override(_Section):
    """What a person found out about a package whose metadata says nothing, or too little. `version` "" is any."""

    package: str
    version: str = ""
    expression: str = Field(min_length=1)
    reason: Annotated[str, Field(min_length=10)]


class Licences(_Section):
    """config/licences.toml: SPDX identifiers that may be shipped, what classifiers and free texts mean, overrides.

    `ours` are globs of packages that are the team's own and need none.
    """

    allowed: tuple[str, ...] = Field(min_length=1)
    classifiers: dict[str, str] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)
    ours: tuple[str, ...] = ()
    override: tuple[Override, ...] = ()


@dataclass(frozen=True)
class Licence:
    """A licence, with its exception if it has one ("GPL-2.0-only WITH Classpath-exception-2.0")."""

    name: str


@dataclass(frozen=True)
class AllOf:
    """All of these hold."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class AnyOf:
    """One of these may be chosen."""

    parts: tuple["Expression", ...]


Expression = Licence | AllOf | AnyOf


class Origin(StrEnum):
    """Where a package's licence was found, the most trusted first."""

    OVERRIDE = "override"
    EXPRESSION = "License-Expression"
    CLASSIFIER = "classifier"
    TEXT = "License"
    WORDS = "the licence's own words"
    NPM = "package-lock.json"
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class Package:
    """A package and what its metadata says. `shipped` is false for what only builds or tests."""

    name: str
    version: str
    ecosystem: str
    shipped: bool
    expression: str = ""
    classifiers: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Stated:
    """A package's licence as text, where it was found, and parsed; None when it is no SPDX expression.

    `beside` is what its `License` says beside its classifiers, parsed.
    """

    package: Package
    origin: Origin
    text: str
    expression: Expression | None
    beside: Expression | None = None


def licence_text(package: Package, rules: Licences) -> tuple[Origin, str]:
    """Return where a package's licence stands and what it says: override, then PEP 639, classifiers, free text.

    Several classifiers hold together: which may be chosen is nowhere said.
    """
    for override in rules.override:
        if override.package == package.name and override.version in ("", package.version):
            return Origin.OVERRIDE, override.expression
    if package.expression and package.ecosystem == "npm":
        return Origin.NPM, _by_texts(package.expression, rules)  # npm's field was free text before it was SPDX
    if package.expression:
        return Origin.EXPRESSION, package.expression
    names = [name for name in package.classifiers if name.startswith("License ::")]
    known = list(dict.fromkeys(rules.classifiers.get(name, "") for name in names))
    if known and all(known):
        return Origin.CLASSIFIER, _together(known)
    text = " ".join(package.text.split())
    if text and len(text) <= 200:
        return Origin.TEXT, _by_texts(text, rules)
    if any(known) and all(name in rules.classifiers for name in names):
        return Origin.CLASSIFIER, _together([expression for expression in known if expression])
    if not any(name not in rules.classifiers for name in names) and (own := named_in(package.text)):
        return Origin.WORDS, _together(own)
    return Origin.NOWHERE, ""


def text_beside(package: Package, rules: Licences) -> str:
    """Return what a package's `License` says beside its classifiers: a short text as config/licences.toml knows it, or
    the licence whose words a long one begins with; "" when it is not known.
    """
    text = " ".join(package.text.split())
    return _by_texts(text, rules) if len(text) <= 200 else next(iter(named_in(text)), "")


def _together(expressions: Sequence[str]) -> str:
    return " AND ".join(f"({expression})" for expression in expressions)


def _by_texts(text: str, rules: Licences) -> str:
    """Return the expression that a text by hand stands for, the text itself when config/licences.toml has none."""
    return rules.texts.get(text.lower()) or rules.texts.get(_plain(text), text)


def _plain(text: str) -> str:
    """Return a text by hand as config/licences.toml writes it: the American spelling, no article, no full stop."""
    return text.lower().replace("licence", "license").removeprefix("the ").strip(" .,;")


def not_allowed(expression: Expression, allowed: frozenset[str]) -> list[str]:
    """Return the licences that keep an expression from being allowed, [] when it is.

    OR: any will do. AND: all must be allowed. An exception only adds rights, so that the licence without it decides,
    unless it is listed itself.
    """
    match expression:
        case Licence(name):
            return [] if {name, name.partition(" WITH ")[0]} & allowed else [name]
        case AllOf(parts):
            return [name for part in parts for name in not_allowed(part, allowed)]
        case AnyOf(parts):
            refused = [not_allowed(part, allowed) for part in parts]
            return [] if not all(refused) else [name for names in refused for name in names]


def judge_licences(stated: Sequence[Stated], rules: Licences) -> tuple[list[Finding], list[str]]:
    """Return a finding for each shipped package that may not be, and notes: what is not shipped, and the overrides."""
    allowed = frozenset(rules.allowed)
    findings, notes = [], []
    for licence in stated:
        package = licence.package
        refused = not_allowed(licence.expression, allowed) if licence.expression else []
        against = _contradicts(licence, refused, allowed)
        if licence.expression is not None and not refused and not against:
            continue
        refused = [] if against else refused
        why = f"{', '.join(dict.fromkeys(refused))} is not allowed" if refused else against or _unknown(licence)
        if not package.shipped:
            notes.append(f"not shipped: {package.name} {package.version}: {why}")
            continue
        rule = "licence-not-allowed" if refused else "licence-unknown"
        message = f"{package.name} {package.version} ({package.ecosystem}): {why} ({licence.origin})"
        key, version = (rule, package.ecosystem, package.name, licence.text), package.version
        findings.append(
            make_finding("licences", rule, Severity.HIGH, message, key=key, package=package.name, installed=version)
        )
    return findings, [*_overridden(stated, rules), *notes]


def _contradicts(licence: Stated, refused: Sequence[str], allowed: frozenset[str]) -> str:
    """Return why nobody can tell which licence holds: the classifiers may be shipped and `License` may not, or the
    other way round; "" when they agree in that.
    """
    if licence.origin is not Origin.CLASSIFIER or licence.beside is None:
        return ""
    beside = not_allowed(licence.beside, allowed)
    if bool(beside) == bool(refused):
        return ""
    said = f"{', '.join(dict.fromkeys(beside))} is not allowed" if beside else "that is allowed"
    return f"could not tell: its classifiers say {licence.text}, its License says otherwise ({said})"


def _unknown(licence: Stated) -> str:
    return f"{licence.text[:100]!r} is no SPDX expression" if licence.text else "its metadata names no licence"


def _overridden(stated: Sequence[Stated], rules: Licences) -> list[str]:
    used = {licence.package.name for licence in stated if licence.origin is Origin.OVERRIDE}
    overrides = [override for override in rules.override if override.package in used]
    return [f"override: {entry.package}: {entry.expression}: {entry.reason}" for entry in overrides]


def origins(stated: Sequence[Stated]) -> str:
    """Return how many licences were found where: "20 License-Expression, 3 classifier"."""
    counts = Counter(licence.origin for licence in stated)
    return ", ".join(f"{counts[origin]} {origin}" for origin in Origin if counts[origin])
