"""What our policy says of a compose file: what a service may not have, and what it must say."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gates.findings import Finding, Severity, make_finding
from gates.scans.compose_keys import unknown, unknown_top
from gates.scans.compose_reach import NO_NEW, Row, host_file, items, mapping, mount, reaches
from gates.scans.dockerfile import ImageRules, filled, is_pinned
from gates.scans.image_names import full_name
from gates.scans.outcome import ReportError

LOCAL = ("127.0.0.1", "localhost", "::1")
DEEPEST = 10  # services that extend each other
# A limit of 0 or less is none.
NOTHING = re.compile(r"\s*(-.*|[0.]+\s*[bkmgtpi]*)\s*", re.IGNORECASE)


def judge_compose(
    file: str, documents: Mapping[str, Any], rules: ImageRules, lines: Mapping[str, int] | None = None
) -> list[Finding]:
    """Hold one compose file, already parsed, against the policy. `documents` are all of the tree, for `extends`;
    `lines` says where each service stands (from 1).

    What a service lacks counts only where it says what it runs (`image`, `build`): other files only change some of it.
    Raises ReportError if it is no compose file.
    """
    document = documents[file]
    findings = [_finding(file, "", row) for row in _top(file, document)]
    services = _services(file, document)
    own = _own_images(services)
    for name in services:
        service = _filled(_extended(file, name, documents, 0))
        rows = [*reaches(service, file), *_published(service)]
        rows += [
            ("compose-unknown-key", Severity.MEDIUM, f"{key}: a key that nobody here knows") for key in unknown(service)
        ]
        if "image" in service or "build" in service:
            rows += [*_missing(service), *_image(service, rules, own)]
        shown = f"service {str(name)[:60]}: "
        # Of an extended service the same may stand in both.
        findings += [_finding(file, shown, row, str(name), (lines or {}).get(name, 0)) for row in dict.fromkeys(rows)]
    return findings


def _finding(file: str, shown: str, row: Row, name: str = "", line: int = 0) -> Finding:
    rule, severity, why = row
    return make_finding("policy", rule, severity, f"{shown}{why}", file, line=line, key=(rule, file, name, why))


def dockerfiles_of(document: Any) -> list[str]:
    """Return the Dockerfiles that a compose file's services are built of, as paths from the file's own folder. What is
    no plain path (variables, addresses) names no file of the commit.
    """
    found = []
    for service in mapping(mapping(document).get("services")).values():
        build = mapping(service).get("build")
        given = build if isinstance(build, Mapping) else {"context": build}
        paths = (given.get("context", "."), given.get("dockerfile", "Dockerfile"))
        texts = [
            one for one in paths if isinstance(one, str) and one and not set("$\0") & set(one) and "://" not in one
        ]
        if build is not None and len(texts) == len(paths):
            found.append(posixpath.join(*texts))
    return found


def files_of(file: str, document: Any) -> tuple[list[str], list[str]]:
    """Return the files that a compose file includes, and those whose services it extends: paths in the tree.

    Raises ReportError for one that is not of the tree: nobody can look at it.
    """
    included: list[Any] = []
    given = mapping(document).get("include")
    for one in given if isinstance(given, list) else [given]:
        paths = mapping(one).get("path") if isinstance(one, dict) else one
        included += paths if isinstance(paths, list) else [paths]
    services = mapping(mapping(document).get("services")).values()
    extended = [mapping(mapping(service).get("extends")).get("file") for service in services]
    return [_there(file, one) for one in included if one], [_there(file, one) for one in extended if one]


def _there(file: str, other: Any) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(file), filled(str(other), {})))
    if path == ".." or path.startswith(("/", "../", "~")) or "://" in str(other) or "$" in path:
        raise ReportError(f"{file}: {str(other)[:120]} is not a file of the commit; nobody looked at it")
    return path


def _top(file: str, document: Mapping[str, Any]) -> Iterator[Row]:
    """Yield what stands beside the services: unknown keys, and volumes, configs and secrets that are the host's."""
    for key in unknown_top(mapping(document)):
        yield "compose-unknown-key", Severity.MEDIUM, f"{key}: a key that nobody here knows"
    for name, volume in mapping(mapping(document).get("volumes")).items():
        device = mapping(mapping(volume).get("driver_opts")).get("device")
        source = filled(str(device), {})
        for rule, severity, why in mount(source, source.startswith(("/", "~")), file) if device is not None else ():
            yield rule, severity, f"volume {str(name)[:60]}: {why}"
    for kind in ("configs", "secrets"):
        for name, one in mapping(mapping(document).get(kind)).items():
            path = mapping(one).get("file")
            yield from host_file(f"{kind} {str(name)[:60]}: ", filled(str(path), {}) if path else None, file)


def _services(file: str, document: Any) -> Mapping[str, Any]:
    services = document.get("services") if isinstance(document, dict) else None
    if services is None and mapping(document).get("include"):
        return {}
    if not isinstance(services, dict) or not all(isinstance(service, dict | None) for service in services.values()):
        raise ReportError(f"{file} is not a compose file: it has no mapping of services")
    return services


def _extended(file: str, name: Any, documents: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Return a service with what it extends below it. Raises ReportError if that is not there."""
    services = mapping(mapping(documents.get(file)).get("services"))
    if name not in services or not isinstance(services[name], dict | None) or depth > DEEPEST:
        raise ReportError(f"{file}: the service {str(name)[:60]} that is extended is not there")
    own = dict(services[name] or {})
    extends = own.get("extends")
    if not extends:
        return own
    target = extends if isinstance(extends, dict) else {"service": extends}
    there = _there(file, target["file"]) if target.get("file") else file
    return _merged(_extended(there, str(target.get("service", "")), documents, depth + 1), own)


def _merged(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return one mapping over another as compose merges them: lists are put together, mappings as well."""
    whole = {**below, **own}
    for key in below.keys() & own.keys():
        if isinstance(below[key], list) and isinstance(own[key], list):
            whole[key] = [*below[key], *own[key]]
        elif isinstance(below[key], dict) and isinstance(own[key], dict):
            whole[key] = _merged(below[key], own[key])
    return whole


def _filled(value: Any) -> Any:
    """Return a value with the variables of its texts replaced by their own defaults."""
    if isinstance(value, dict):
        return {key: _filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one) for one in value]
    for _ in range(DEEPEST if isinstance(value, str) and "$" in value else 0):
        value = filled(value, {})  # a default may hold one, too
    return value


def _published(service: Mapping[str, Any]) -> Iterator[Row]:
    for port in items(service.get("ports")):
        if isinstance(port, dict):
            host, shown = str(port.get("host_ip", "")), str(port.get("published") or port.get("target") or "")
        else:
            shown = str(port)
            host = shown.rpartition("]")[0] or shown.partition(":")[0]
        if host.strip("[]") not in LOCAL:
            yield "compose-public-port", Severity.HIGH, f"port {shown[:60]} is not bound to 127.0.0.1"


def _limited(given: Any) -> bool:
    return bool(given) and not NOTHING.fullmatch(str(given))


def _missing(service: Mapping[str, Any]) -> Iterator[Row]:
    limits = mapping(mapping(mapping(service.get("deploy")).get("resources")).get("limits"))
    if not (_limited(service.get("mem_limit")) or _limited(limits.get("memory"))):
        yield "compose-no-memory-limit", Severity.HIGH, "it has no memory limit"
    if not any(_limited(one) for one in (service.get("cpus"), limits.get("cpus"), service.get("cpu_quota"))):
        yield "compose-no-cpu-limit", Severity.HIGH, "it has no CPU limit"
    if "ALL" not in [str(dropped).upper() for dropped in items(service.get("cap_drop"))]:
        yield "compose-capabilities", Severity.MEDIUM, "it does not say cap_drop: [ALL]"
    options = [str(option).replace("=", ":") for option in items(service.get("security_opt"))]
    if not set(NO_NEW) & set(options):
        yield "compose-new-privileges", Severity.MEDIUM, "it does not say no-new-privileges"
    if service.get("read_only") not in (True, "true"):
        yield "compose-writable", Severity.LOW, "its root file system is writable"


def _own_images(services: Mapping[str, Any]) -> frozenset[str]:
    """Return as what services of the file are built: who names such an image runs what was built, whatever a tag
    means elsewhere.
    """
    found = []
    for service in map(mapping, services.values()):
        if service.get("build") is not None:
            found += [service.get("image"), *items(mapping(service["build"]).get("tags"))]
    return frozenset(full_name(filled(one, {})) for one in found if isinstance(one, str) and one)


def _image(service: Mapping[str, Any], rules: ImageRules, own: Collection[str]) -> Iterator[Row]:
    image = str(service.get("image", ""))
    if not image or "build" in service or full_name(image) in own:
        return
    pinned, why = is_pinned(image, rules)
    if why == "latest":
        yield "compose-latest", Severity.HIGH, f"image {image[:120]} has no tag or latest"
    elif not pinned and why == "moves":
        yield "compose-unpinned", Severity.MEDIUM, f"image {image[:120]} has a tag that moves"
