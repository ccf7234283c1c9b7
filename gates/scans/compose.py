"""What our policy says of a compose file: what a service may not have, and what it must say."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gates.findings import Finding, Severity, make_finding
from gates.scans.compose_keys import unknown, unknown_top
from gates.scans.compose_reach import NO_NEW, Row, host_file, items, mapping, mount, reaches
from gates.scans.compose_tree import Part, extended, services_of
from gates.scans.dockerfiles.judge import ImageRules, filled, is_pinned
from gates.scans.image_names import full_name

LOCAL = ("127.0.0.1", "localhost", "::1")
DEEPEST = 10  # defaults that hold variables with defaults
# A limit of 0 or less is none.
NOTHING = re.compile(r"\s*(-.*|[0.]+\s*[bkmgtpi]*)\s*", re.IGNORECASE)


def judge_compose(
    file: str,
    documents: Mapping[str, Any],
    rules: ImageRules,
    lines: Mapping[str, int] | None = None,
    folder: str | None = None,
) -> list[Finding]:
    """Hold one compose file, already parsed, against the policy. `documents` are all of the tree, for `extends`;
    `lines` says where each service stands (from 1); `folder` is where the file's paths begin, if not its own.

    What a service lacks counts only where it says what it runs (`image`, `build`): other files only change some of it.
    Raises ReportError if it is no compose file.
    """
    document = documents[file]
    part = Part.of(file) if folder is None else Part((file,), folder)
    findings = [_finding(file, "", row) for row in _top(part.folder, document)]
    services = services_of(file, document)
    own = _own_images(services)
    for name in services:
        service = _filled(extended(part, name, documents))
        rows = [*reaches(service, part.folder), *_published(service)]
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


def _top(folder: str, document: Mapping[str, Any]) -> Iterator[Row]:
    """Yield what stands beside the services: unknown keys, and volumes, configs and secrets that are the host's."""
    for key in unknown_top(mapping(document)):
        yield "compose-unknown-key", Severity.MEDIUM, f"{key}: a key that nobody here knows"
    for name, volume in mapping(mapping(document).get("volumes")).items():
        device = mapping(mapping(volume).get("driver_opts")).get("device")
        source = filled(str(device), {})
        for rule, severity, why in mount(source, source.startswith(("/", "~")), folder) if device is not None else ():
            yield rule, severity, f"volume {str(name)[:60]}: {why}"
    for kind in ("configs", "secrets"):
        for name, one in mapping(mapping(document).get(kind)).items():
            path = mapping(one).get("file")
            yield from host_file(f"{kind} {str(name)[:60]}: ", filled(str(path), {}) if path else None, folder)


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
