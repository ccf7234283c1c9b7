"""What our policy says of a compose file: what a service may not have, and what it must say."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from gates.findings import Finding, Severity, make_finding
from gates.scans.dockerfile import ImageRules, filled, is_pinned
from gates.scans.outcome import ReportError

HOST_NAMESPACES = ("network_mode", "pid", "ipc", "userns_mode", "uts")
HOST_FOLDERS = (
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/run",
)
# The host's clock, which many images are given.
HARMLESS = ("/etc/localtime", "/etc/timezone")
SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
CAPABILITIES = ("ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN", "DAC_READ_SEARCH")
LOCAL = ("127.0.0.1", "localhost", "::1")
_Row = tuple[str, Severity, str]


def judge_compose(file: str, documents: Mapping[str, Any], rules: ImageRules) -> list[Finding]:
    """Hold one compose file, already parsed, against the policy. `documents` are all of the tree, for `extends`.

    What a service lacks counts only where it says what it runs (`image`, `build`): other files only change some of it.
    Raises ReportError if it is no compose file.
    """
    services = _services(file, documents[file])
    findings = []
    for name in services:
        service = _extended(file, str(name), documents, 0)
        rows = [*_forbidden(service), *_mounts(service, file), *_rights(service), *_published(service)]
        if "image" in service or "build" in service:
            rows += [*_missing(service), *_image(service, rules)]
        shown = f"service {str(name)[:60]}"
        findings += [
            make_finding("policy", rule, severity, f"{shown}: {why}", file, key=(rule, file, str(name), why))
            for rule, severity, why in rows
        ]
    return findings + _host_volumes(file, documents[file])


def _host_volumes(file: str, document: Mapping[str, Any]) -> list[Finding]:
    """Return the named volumes that are a folder of the host by their driver's options."""
    findings = []
    for name, volume in _mapping(document.get("volumes")).items():
        device = _mapping(_mapping(volume).get("driver_opts")).get("device")
        if device is not None and is_of_host(str(device), file):
            why = f"volume {str(name)[:60]}: it mounts {str(device)[:120]} of the host"
            key = ("compose-host-mount", file, str(name), why)
            findings.append(make_finding("policy", "compose-host-mount", Severity.HIGH, why, file, key=key))
    return findings


def _services(file: str, document: Any) -> Mapping[str, Any]:
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not all(isinstance(service, dict | None) for service in services.values()):
        raise ReportError(f"{file} is not a compose file: it has no mapping of services")
    return services


def _extended(file: str, name: str, documents: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Return a service with what it extends below it. Raises ReportError if that is not there."""
    if file not in documents or name not in _services(file, documents[file]) or depth > 10:
        raise ReportError(f"{file}: the service {name[:60]} that is extended is not there")
    own = dict(documents[file]["services"][name] or {})
    extends = own.get("extends")
    if not extends:
        return own
    target = extends if isinstance(extends, dict) else {"service": extends}
    folder = file.rpartition("/")[0]
    other = str(target.get("file", "")).removeprefix("./")
    there = (f"{folder}/{other}" if folder else other) if other else file
    return {**_extended(there, str(target.get("service", "")), documents, depth + 1), **own}


def _forbidden(service: Mapping[str, Any]) -> Iterator[_Row]:
    if service.get("privileged") in (True, "true"):
        yield "compose-privileged", Severity.HIGH, "it is privileged"
    for key in HOST_NAMESPACES:
        if str(service.get(key, "")) == "host":
            yield f"compose-host-{key.partition('_')[0]}", Severity.HIGH, f"{key}: host"
    if str(service.get("user", "")).partition(":")[0] in ("root", "0"):
        yield "compose-root", Severity.HIGH, "user: root"


def _mounts(service: Mapping[str, Any], file: str) -> Iterator[_Row]:
    for volume in _list(service.get("volumes")):
        if isinstance(volume, dict):
            # A named volume, unless it says or looks otherwise.
            source = str(volume.get("source") or "")
            bind = volume.get("type") == "bind" or source.startswith(("/", ".", "~"))
        else:
            source = filled(str(volume), {}).split(":")[0]
            bind = source.startswith(("/", ".", "~"))
        if bind and is_of_host(filled(source, {}), file):
            yield "compose-host-mount", Severity.HIGH, f"it mounts {source[:120]} of the host"


def is_of_host(source: str, file: str) -> bool:
    """Say whether a path is one of the host's own folders, in one, or above one; or outside of the tree of `file`."""
    if source.startswith("~"):
        return True
    if not source.startswith("/"):
        return posixpath.normpath(posixpath.join(posixpath.dirname(file), source)).split("/")[0] == ".."
    # Two slashes at the start would stay two.
    path = "/" + posixpath.normpath(source).lstrip("/")
    if path == "/" or posixpath.basename(path) in SOCKETS:
        return True
    inside = any(f"{path}/".startswith(f"{one}/") or f"{one}/".startswith(f"{path}/") for one in HOST_FOLDERS)
    return inside and path not in HARMLESS


def _rights(service: Mapping[str, Any]) -> Iterator[_Row]:
    for added in _list(service.get("cap_add")):
        if str(added).upper().removeprefix("CAP_") in CAPABILITIES:
            yield "compose-capability", Severity.HIGH, f"cap_add: {str(added)[:30]}"
    for option in _list(service.get("security_opt")):
        if str(option).replace("=", ":") in ("seccomp:unconfined", "apparmor:unconfined"):
            yield "compose-unconfined", Severity.HIGH, str(option)


def _published(service: Mapping[str, Any]) -> Iterator[_Row]:
    for port in _list(service.get("ports")):
        if isinstance(port, dict):
            host, shown = str(port.get("host_ip", "")), str(port.get("published") or port.get("target") or "")
        else:
            shown = str(port)
            host = filled(shown, {}).rpartition("]")[0] or filled(shown, {}).partition(":")[0]
        if host.strip("[]") not in LOCAL:
            yield "compose-public-port", Severity.HIGH, f"port {shown[:60]} is not bound to 127.0.0.1"


def _missing(service: Mapping[str, Any]) -> Iterator[_Row]:
    limits = _mapping(_mapping(_mapping(service.get("deploy")).get("resources")).get("limits"))
    if not (service.get("mem_limit") or limits.get("memory")):
        yield "compose-no-memory-limit", Severity.HIGH, "it has no memory limit"
    if not (service.get("cpus") or limits.get("cpus")):
        yield "compose-no-cpu-limit", Severity.HIGH, "it has no CPU limit"
    if "ALL" not in [str(dropped).upper() for dropped in _list(service.get("cap_drop"))]:
        yield "compose-capabilities", Severity.MEDIUM, "it does not say cap_drop: [ALL]"
    options = [str(option).replace("=", ":") for option in _list(service.get("security_opt"))]
    if not {"no-new-privileges", "no-new-privileges:true"} & set(options):
        yield "compose-new-privileges", Severity.MEDIUM, "it does not say no-new-privileges"
    if service.get("read_only") not in (True, "true"):
        yield "compose-writable", Severity.LOW, "its root file system is writable"


def _image(service: Mapping[str, Any], rules: ImageRules) -> Iterator[_Row]:
    image = filled(str(service.get("image", "")), {})
    if not image or "build" in service:
        return
    pinned, why = is_pinned(image, rules)
    if why == "latest":
        yield "compose-latest", Severity.HIGH, f"image {image[:120]} has no tag or latest"
    elif not pinned and why == "moves":
        yield "compose-unpinned", Severity.MEDIUM, f"image {image[:120]} has a tag that moves"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
