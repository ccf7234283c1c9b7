"""The compose files of a tree: which others one leads to, and what a service is together with what it extends."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from gates.scans.compose_reach import mapping
from gates.scans.dockerfiles.judge import filled
from gates.scans.outcome import ReportError

Merged = dict[str, Any]
DEEPEST = 50  # services that extend each other


@dataclass(frozen=True)
class Part:
    """Files of the tree that compose reads as one, each over those before it. Their paths begin in `folder`."""

    files: tuple[str, ...]
    folder: str

    @classmethod
    def of(cls, file: str) -> "Part":
        """Return one file by itself."""
        return cls((file,), posixpath.dirname(file))


def files_of(file: str, document: Any, folder: str | None = None) -> tuple[list[Part], list[str]]:
    """Return what a compose file includes, and the files whose services it extends: paths in the tree. `folder` is
    where its paths begin, its own folder without one.

    Raises ReportError for a file that is not of the tree: nobody can look at it.
    """
    base = posixpath.dirname(file) if folder is None else folder
    given = mapping(document).get("include")
    included = [
        _included(file, base, one) for one in (given if isinstance(given, list) else [given]) if one is not None
    ]
    services = mapping(mapping(document).get("services")).values()
    extended = [mapping(mapping(service).get("extends")).get("file") for service in services]
    return [one for one in included if one], [there(file, base, one) for one in extended if one]


def _included(file: str, base: str, given: Any) -> Part | None:
    entry = given if isinstance(given, dict) else {"path": given}
    paths = entry.get("path")
    files = tuple(there(file, base, one) for one in (paths if isinstance(paths, list) else [paths]) if one)
    if not files:
        return None
    folder = entry.get("project_directory")
    where = there(file, base, folder) if folder else posixpath.dirname(files[0])
    return Part(files, "" if where == "." else where)


def there(file: str, base: str, other: Any) -> str:
    """Return where in the tree another file lies. Raises ReportError for one that is not of the tree."""
    path = posixpath.normpath(posixpath.join(base, filled(str(other), {})))
    if path == ".." or path.startswith(("/", "../", "~")) or "://" in str(other) or "$" in path:
        raise ReportError(f"{file}: {str(other)[:120]} is not a file of the commit; nobody looked at it")
    return path


def services_of(file: str, document: Any) -> Mapping[str, Any]:
    """Return a compose file's services. Raises ReportError if it is no compose file."""
    services = document.get("services") if isinstance(document, dict) else None
    if services is None and mapping(document).get("include"):
        return {}
    if not isinstance(services, dict) or not all(isinstance(service, dict | None) for service in services.values()):
        raise ReportError(f"{file} is not a compose file: it has no mapping of services")
    return services


def extended(part: Part, name: Any, documents: Mapping[str, Any]) -> Merged:
    """Return a service with what it extends below it, all its paths as from the part's folder.

    Raises ReportError if what is extended is not there, or if services extend each other in a circle.
    """
    whole: Merged = {}
    for file in part.files:
        if name in mapping(mapping(documents.get(file)).get("services")):
            whole = merged(whole, _chain(file, part.folder, name, documents))
    return whole


def _chain(file: str, folder: str, name: Any, documents: Mapping[str, Any]) -> Merged:
    """Return a service over the one that it extends, and so on."""
    layers: list[Merged] = []
    seen: set[tuple[str, Any]] = set()
    base = folder
    while True:
        own = _with_mappings(_layer(file, name, documents))
        if (file, name) in seen or len(seen) >= DEEPEST:
            how = "in a circle" if (file, name) in seen else f"by more than {DEEPEST} others"
            raise ReportError(f"{file}: the service {str(name)[:60]} is extended {how}")
        seen.add((file, name))
        layers.append(own if base == folder else _rebased(own, posixpath.relpath(base or ".", folder or ".")))
        extends = own.get("extends")
        if not extends:
            break
        target = extends if isinstance(extends, dict) else {"service": extends}
        if target.get("file"):
            file = there(file, base, target["file"])
            base = posixpath.dirname(file)
        name = str(target.get("service", ""))
    return reduce(merged, reversed(layers), {})


def _layer(file: str, name: Any, documents: Mapping[str, Any]) -> Mapping[str, Any]:
    services = mapping(mapping(documents.get(file)).get("services"))
    if name not in services or not isinstance(services[name], dict | None):
        raise ReportError(f"{file}: the service {str(name)[:60]} that is extended is not there")
    return services[name] or {}


def merged(below: Mapping[str, Any], own: Mapping[str, Any]) -> Merged:
    """Return one mapping over another as compose merges them: lists are put together, mappings as well."""
    whole = {**below, **own}
    for key in below.keys() & own.keys():
        if isinstance(below[key], list) and isinstance(own[key], list):
            whole[key] = [*below[key], *own[key]]
        elif isinstance(below[key], dict) and isinstance(own[key], dict):
            whole[key] = merged(below[key], own[key])
    return whole


def _with_mappings(service: Mapping[str, Any]) -> Merged:
    """Return a service whose build is a mapping of mappings, as it may be written in other ways, too."""
    build = service.get("build")
    if not isinstance(build, str | dict):
        return dict(service)
    whole: Merged = {"context": build} if isinstance(build, str) else dict(build)
    for key in ("additional_contexts", "args"):
        if isinstance(whole.get(key), list):
            whole[key] = dict(_pairs(whole[key]))
    return {**service, "build": whole}


def _pairs(given: list[Any]) -> Iterator[tuple[str, str | None]]:
    for one in given:
        name, equals, value = str(one).partition("=")
        yield name, value if equals else None


def _rebased(service: Merged, way: str) -> Merged:
    """Return a service with its paths as they are from another folder; `way` leads from there to its own."""
    whole = dict(service)
    for key in ("env_file", "label_file"):
        if key in whole:
            whole[key] = _files_moved(whole[key], way)
    if isinstance(whole.get("volumes"), list):
        whole["volumes"] = [_mount_moved(one, way) for one in whole["volumes"]]
    if isinstance(build := whole.get("build"), dict):
        contexts = mapping(build.get("additional_contexts"))
        moved = {"additional_contexts": {name: _moved(path, way) for name, path in contexts.items()}}
        moved |= {"context": _moved(build["context"], way)} if "context" in build else {}
        whole["build"] = {**build, **moved}
    return whole


def _files_moved(given: Any, way: str) -> Any:
    if isinstance(given, list):
        return [_files_moved(one, way) for one in given]
    return {**given, "path": _moved(given.get("path"), way)} if isinstance(given, dict) else _moved(given, way)


def _mount_moved(given: Any, way: str) -> Any:
    if isinstance(given, dict):
        source = filled(str(given.get("source")), {})
        moves = given.get("type") == "bind" or source.startswith(".")
        return {**given, "source": _moved(source, way)} if moves and "source" in given else given
    text = filled(given, {}) if isinstance(given, str) else ""
    return _moved(text, way) if text.startswith(".") else given


def _moved(path: Any, way: str) -> Any:
    text = filled(path, {}) if isinstance(path, str) else ""
    return f"./{way}/{text}" if text and not text.startswith(("/", "~", "$")) and "://" not in text else path
