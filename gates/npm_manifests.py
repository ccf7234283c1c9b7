"""What `npm ci` is given: package.json, package-lock.json and settings, written anew from what is understood.

npm takes addresses, folders, git repositories, workspaces and programs out of these files, and more out of an .npmrc.
Only packages of a registry are accepted, each at one version with a hash of its archive; where the registry is, this
host says. What else stands there is refused by name.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gates.addresses import without_passwords

NAME = r"(?:@[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
PLACE = re.compile(rf"node_modules/{NAME}(?:/node_modules/{NAME})*")
LONGEST_PLACE = 4_096  # characters: no path is longer
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9][0-9A-Za-z.+-]*")
INTEGRITY = re.compile(r"(?:sha(?:1|256|384|512)-[A-Za-z0-9+/]+=*)(?:\s+sha(?:1|256|384|512)-[A-Za-z0-9+/]+=*)*")
RANGE = r"[0-9A-Za-z.*+^~<>=|, _-]*"
# What npm takes for a folder or an archive (npm-package-arg).
FOLDER_OR_ARCHIVE = re.compile(r"^\s*\.|\.(?:tgz|tar|tar\.gz)\s*$", re.I)
SPECIFICATION = re.compile(rf"{RANGE}|npm:{NAME}(?:@{RANGE})?")
WANTED = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
OF_ROOT = ("name", "version", "peerDependenciesMeta", "engines", *WANTED)
OF_PACKAGE = (
    *("name", "version", "integrity", "dependencies", "optionalDependencies", "peerDependencies"),
    *("peerDependenciesMeta", "bundleDependencies", "engines", "os", "cpu", "libc", "bin", "hasInstallScript"),
    *("dev", "optional", "devOptional", "peer", "inBundle", "extraneous"),
)
# Of no effect on what is installed, so not handed on.
TOLD = ("license", "funding", "deprecated", "resolved", "devDependencies", "link", "workspaces", "acceptDependencies")
# .npmrc: obeyed, as booleans; and of no effect on `npm ci`.
OBEYED = ("legacy-peer-deps", "strict-peer-deps", "engine-strict")
HARMLESS = (
    *("omit-lockfile-registry-resolved", "fund", "audit", "audit-level", "save", "save-exact", "save-prefix", "color"),
    *("package-lock", "lockfile-version", "loglevel", "progress", "update-notifier", "tag-version-prefix"),
)
SHOWN_CHARACTERS = 80
SETTING = re.compile(r"(?P<name>[^=\s]+)\s*(?:=\s*(?P<value>.*))?")


@dataclass(frozen=True)
class Manifests:
    """What npm is given. With any of the `problems` it is not to be run."""

    package: Mapping[str, Any]
    lock: Mapping[str, Any]
    settings: Mapping[str, str]
    problems: tuple[str, ...]


def read_manifests(package: Any, lock: Any, settings: str, registries: Collection[str]) -> Manifests:
    """Read the parsed package.json and package-lock.json, and the text of an .npmrc ("" without one).

    `registries` are the hosts of registries from which a package may say to come.
    """
    problems: list[str] = []
    obeyed: dict[str, str] = {}
    for number, name, value in _settings(settings):
        if name in OBEYED and value in ("true", "false"):
            obeyed[name] = value
        elif name not in HARMLESS and not (name == "registry" and _host(value) in registries):
            shown = name.split()[0][:SHOWN_CHARACTERS]  # a line that is no setting can end with a password
            shown = _told(shown) if "@" in shown else shown
            problems.append(f".npmrc: line {number}: {shown} is not accepted; set it on this host, or take it out")
    if not isinstance(package, dict):
        return Manifests({}, {}, {}, (*problems, "package.json: is no object"))
    if not _is_lock(lock):
        return Manifests(
            {}, {}, {}, (*problems, "package-lock.json: is none of version 2 or 3; npm install writes one")
        )
    problems += _root_problems(package, "package.json")
    packages = lock.get("packages", {})
    bundling = {place for place, entry in packages.items() if entry.get("bundleDependencies")}
    for place, entry in packages.items():
        if not place:
            problems += _root_problems(entry, "package-lock.json")
            continue
        if len(place) > LONGEST_PLACE:
            problems.append(f"package-lock.json: {place[:120]}...: is longer than a path can be")
            continue
        bundled = bool(entry.get("inBundle")) and any(above in bundling for above in _above(place))
        problems += [
            f"package-lock.json: {place[:120]}: {problem}" for problem in _problems(place, entry, bundled, registries)
        ]
    written = {place: _only(entry, OF_PACKAGE if place else OF_ROOT) for place, entry in packages.items()}
    own = {"lockfileVersion": 3, "requires": True, "packages": written}
    named = {**_only(lock, ("name", "version")), **own}
    return Manifests(_only(package, (*OF_ROOT, "overrides")), named, obeyed, tuple(problems))


def _settings(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and value of each setting. A line that is none is a setting of that name."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and line[0] not in "#;":
            setting = SETTING.fullmatch(line)
            yield number, setting["name"] if setting else line, (setting["value"] or "true") if setting else ""


def _told(value: object) -> str:
    return without_passwords(str(value))[:SHOWN_CHARACTERS]


def _host(address: object) -> str:
    """Return the host of an https address without a login, "" for everything else."""
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        return ""
    return parts.netloc.lower() if parts and parts.scheme == "https" and "@" not in parts.netloc else ""


def _is_lock(lock: Any) -> bool:
    packages = lock.get("packages", {}) if isinstance(lock, dict) else None
    if not isinstance(packages, dict) or lock.get("lockfileVersion") not in (2, 3):
        return False
    return all(isinstance(entry, dict) for entry in packages.values())


def _root_problems(package: Mapping[str, Any], file: str) -> list[str]:
    problems = [f"{file}: workspaces are not accepted"] if package.get("workspaces") else []
    return problems + [f"{file}: {problem}" for problem in _wanted_problems(package)]


def _wanted_problems(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield the packages that are asked for in another way than by a range of versions in a registry."""
    for section in WANTED:
        wanted = package.get(section) or {}
        if not isinstance(wanted, dict):
            yield f"{section} is no object"
            continue
        for name, specification in wanted.items():
            if not (re.fullmatch(NAME, name) and _is_range(specification)):
                yield f"{section}: {name[:80]}: {_told(specification)} is no version in a registry"
    for name, specification in _overrides(package.get("overrides") or {}):
        if not (_is_range(specification) or re.fullmatch(rf"\${NAME}", str(specification))):
            yield f"overrides: {name[:80]}: {_told(specification)} is no version in a registry"


def _is_range(specification: object) -> bool:
    if not isinstance(specification, str) or FOLDER_OR_ARCHIVE.search(specification):
        return False
    return bool(SPECIFICATION.fullmatch(specification))


def _overrides(overrides: Any) -> Iterator[tuple[str, object]]:
    waiting = [("all", overrides)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += reversed(value.items())
        else:
            yield name, value


def _above(place: str) -> Iterator[str]:
    """Yield the places in which one lies, inner ones first."""
    while "/" in place:
        place = place.rpartition("/")[0]
        yield place


def _problems(place: str, entry: Mapping[str, Any], bundled: bool, registries: Collection[str]) -> Iterator[str]:
    """Yield why an entry of a lock is no package of a registry at one version with a hash."""
    if not PLACE.fullmatch(place) or entry.get("link"):
        yield "is a folder of the commit, not a package of a registry"
        return
    for key in sorted(set(entry) - {*OF_PACKAGE, *TOLD}):
        yield f"{key[:60]} is not accepted"
    if "name" in entry and not re.fullmatch(NAME, str(entry["name"])):
        yield f"name: {_told(entry['name'])} is none"
    if not VERSION.fullmatch(str(entry.get("version", ""))):
        yield f"version: {_told(entry.get('version', ''))} is none of a registry"
    if "resolved" in entry and _host(entry["resolved"]) not in registries:
        yield f"resolved: {_told(entry['resolved'])} is not in the registry"
    if not (bundled or INTEGRITY.fullmatch(str(entry.get("integrity", "")))):
        yield "it has no integrity"
    yield from _wanted_problems(entry)


def _only(entry: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if key in entry}
