"""How a service of a compose file reaches its host: rows of rule, severity and why. Variables are filled in already."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gates.findings import Severity
from gates.scans.dockerfiles.judge import is_root

Row = tuple[str, Severity, str]
FALSE = ("", "false", "no", "n", "off", "none", "0")
NAMESPACES = {
    "network_mode": (),  # any other name is a network's
    "pid": ("", "none"),
    "ipc": ("", "none", "private", "shareable"),
    "userns_mode": ("", "none"),
    "uts": ("", "none"),
    "cgroup": ("", "none", "private"),
}
HOST_FOLDERS = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/run",
    "/var/spool",
)
# The host's clock and authorities, which many images are given.
HARMLESS = ("/etc/localtime", "/etc/timezone", "/etc/ssl/certs", "/usr/share/zoneinfo", "/usr/share/ca-certificates")
SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock", "buildkitd.sock")
# The engine's own default set, and locking of memory: no other one is given without a word.
CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
NO_NEW = ("no-new-privileges", "no-new-privileges:true")
# Keys that give a service something of the host whatever their value is.
KEYS: Mapping[str, tuple[str, Severity]] = {
    "cgroup_parent": ("compose-host-cgroup", Severity.HIGH),
    "credential_spec": ("compose-host-file", Severity.HIGH),
    "device_cgroup_rules": ("compose-device", Severity.HIGH),
    "devices": ("compose-device", Severity.HIGH),
    "gpus": ("compose-device", Severity.MEDIUM),
    "group_add": ("compose-group", Severity.MEDIUM),
    "provider": ("compose-provider", Severity.HIGH),
    "runtime": ("compose-runtime", Severity.MEDIUM),
    "volumes_from": ("compose-volumes-from", Severity.MEDIUM),
}
UNKNOWN = "nobody here can tell what that is"
VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)[^}/]*\}?")


def reaches(service: Mapping[str, Any], folder: str) -> Iterator[Row]:
    """Yield what a service has of its host. `folder` of the tree is where its relative paths start."""
    yield from _privileges(service)
    yield from _namespaces(service)
    for key, (rule, severity) in KEYS.items():
        if service.get(key) not in (None, [], {}, ""):
            yield rule, severity, f"{key}: {str(service[key])[:60]}"
    reserved = mapping(mapping(mapping(service.get("deploy")).get("resources")).get("reservations"))
    if reserved.get("devices"):
        yield "compose-device", Severity.MEDIUM, "deploy.resources.reservations.devices"
    if is_true(service.get("use_api_socket")):
        yield "compose-host-mount", Severity.HIGH, "use_api_socket: it gets the engine"
    if is_true(service.get("oom_kill_disable")) or str(service.get("oom_score_adj", "")).startswith("-"):
        yield "compose-oom", Severity.MEDIUM, "others are ended for it when memory is short"
    yield from _options(service)
    yield from _mounts(service, folder)
    yield from _files(service, folder)
    yield from _build(mapping(service.get("build")), folder)


def is_true(value: Any) -> bool:
    """Say whether compose may take a value for true."""
    return value is not None and str(value).strip().lower() not in FALSE


def _privileges(service: Mapping[str, Any]) -> Iterator[Row]:
    if is_true(service.get("privileged")):
        yield "compose-privileged", Severity.HIGH, "it is privileged"
    user = str(service.get("user") if service.get("user") is not None else "")
    if user and is_root(user):
        yield "compose-root", Severity.HIGH, "user: root"
    for key in ("post_start", "pre_stop"):
        for hook in map(mapping, items(service.get(key))):
            if is_true(hook.get("privileged")):
                yield "compose-privileged", Severity.HIGH, f"{key} is privileged"
            if hook.get("user") is not None and is_root(str(hook["user"])):
                yield "compose-root", Severity.HIGH, f"{key} runs as root"


def _namespaces(service: Mapping[str, Any]) -> Iterator[Row]:
    for key, allowed in NAMESPACES.items():
        value = str(service.get(key) if service.get(key) is not None else "").strip()
        rule = f"compose-host-{key.partition('_')[0]}"
        if value.lower() == "host" or value.startswith("container:"):
            yield rule, Severity.HIGH, f"{key}: {value[:60]}"
        elif "$" in value or (allowed and value not in allowed and not value.startswith("service:")):
            yield rule, Severity.MEDIUM, f"{key}: {value[:60]}: nobody here can tell what that gives it"


def _options(service: Mapping[str, Any]) -> Iterator[Row]:
    for added in items(service.get("cap_add")):
        if str(added).strip().upper().removeprefix("CAP_") not in CAPABILITIES:
            yield "compose-capability", Severity.HIGH, f"cap_add: {str(added)[:30]}"
    for option in items(service.get("security_opt")):
        said = str(option).replace("=", ":").strip().lower()
        if said.endswith((":unconfined", ":disable", ":false")):
            yield "compose-unconfined", Severity.HIGH, str(option)[:120]
        elif said not in NO_NEW:
            yield "compose-security-option", Severity.MEDIUM, f"{str(option)[:120]}: a profile of its own"


def _mounts(service: Mapping[str, Any], folder: str) -> Iterator[Row]:
    for volume in items(service.get("volumes")):
        if isinstance(volume, dict):
            # A named volume, unless it says or looks otherwise.
            source = str(volume.get("source") or volume.get("src") or "")
            bind = volume.get("type") == "bind" or source.startswith(("/", ".", "~"))
            if volume.get("type") == "volume" and not bind:
                continue
        else:
            source = _source(str(volume))
            bind = source.startswith(("/", ".", "~"))
        yield from mount(source, bind, folder)


def _source(volume: str) -> str:
    """Return what stands before the first colon that is in no ${...}."""
    depth = 0
    for place, sign in enumerate(volume):
        depth += (sign == "{") - (sign == "}")
        if sign == ":" and depth <= 0:
            return volume[:place]
    return volume


def mount(source: str, bind: bool, folder: str) -> Iterator[Row]:
    """Yield what is wrong with a mount of `source`, which may begin with a variable that nobody sets here."""
    variable = VARIABLE.match(source)
    if variable and variable[1] == "PWD":
        source, bind, variable = f".{source[variable.end():]}", True, None
    if (variable and variable[1] == "HOME") or (bind and not variable and is_of_host(source, folder)):
        yield "compose-host-mount", Severity.HIGH, f"it mounts {source[:120]} of the host"
    elif variable or (bind and source.lstrip("/").startswith("$")):
        yield "compose-unknown-mount", Severity.MEDIUM, f"it mounts {source[:120]}: {UNKNOWN}"


def is_of_host(source: str, folder: str) -> bool:
    """Say whether a path is one of the host's own folders, in one, or above one; or outside of the tree."""
    if source.startswith("~"):
        return True
    if not source.startswith("/"):
        return posixpath.normpath(posixpath.join(folder, source)).split("/")[0] == ".."
    # Two slashes at the start would stay two.
    path = "/" + posixpath.normpath(source).lstrip("/")
    if posixpath.basename(path) in SOCKETS or path == "/":
        return True
    related = any(posixpath.commonpath([path, one]) in (path, one) for one in HOST_FOLDERS)
    return related and not any(posixpath.commonpath([path, one]) == one for one in HARMLESS)


def _files(service: Mapping[str, Any], folder: str) -> Iterator[Row]:
    for key in ("env_file", "label_file"):
        given = service.get(key)
        for one in given if isinstance(given, list) else [given]:
            yield from host_file(f"{key} ", mapping(one).get("path") if isinstance(one, dict) else one, folder)


def host_file(what: str, path: Any, folder: str) -> Iterator[Row]:
    """Yield that a file which compose reads is the host's own, or that a variable decides which file it is."""
    if not isinstance(path, str) or not path:
        return
    variable = VARIABLE.match(path)
    if variable and variable[1] == "PWD":
        path, variable = f".{path[variable.end():]}", None
    if (variable and variable[1] == "HOME") or (not variable and is_of_host(path, folder)):
        yield "compose-host-file", Severity.HIGH, f"{what}{path[:120]}: a file of the host"
    elif variable:
        yield "compose-unknown-file", Severity.MEDIUM, f"{what}{path[:120]}: {UNKNOWN}"


def _build(build: Mapping[str, Any], folder: str) -> Iterator[Row]:
    if is_true(build.get("privileged")) or items(build.get("entitlements")):
        yield "compose-privileged", Severity.HIGH, "its build is privileged"
    if str(build.get("network", "")).lower() == "host":
        yield "compose-host-network", Severity.MEDIUM, "build.network: host"
    if "$" in (target := str(build.get("target", ""))):
        yield "compose-unknown-target", Severity.MEDIUM, f"build.target {target[:60]}: {UNKNOWN}"
    context, file = build.get("context"), build.get("dockerfile")
    yield from host_file("build.context ", context, folder)
    if isinstance(file, str) and isinstance(context, str | None) and "://" not in str(context):
        yield from host_file("build.dockerfile ", file, posixpath.join(folder, context or "."))
    for name, path in mapping(build.get("additional_contexts")).items():
        yield from host_file(f"build.additional_contexts.{str(name)[:60]} ", path, folder)


def items(value: Any) -> list[Any]:
    """Return a list, empty for what is none."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, empty for what is none."""
    return value if isinstance(value, dict) else {}
