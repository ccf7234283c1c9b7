"""What an environment lets a compose file reach beyond its own containers, by role and by place."""

import posixpath
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import Any

from deployments.runtimes.compose.limits import unfit, unlimited
from gates.compose_roles import Role

SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
# A service of the app has no capability, but for a port below 1024. Images of databases start as root, take their
# directory, and drop to a user of their own: that much of the engine's default set is left to shared services.
APP_CAPABILITIES = ("NET_BIND_SERVICE",)
SHARED_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
)
# What a program is told: here a secret may stand as ${NAME}, besides the content of a config.
TOLD = ("command", "entrypoint", "environment", "healthcheck", "labels", "post_start")
TELLS = f"{', '.join(TOLD)} and a config's content"
# What stands for a secret while a file is read and checked, and is exchanged afterwards. It is new in each process, so
# that a file cannot hold it: then something else would be used than was checked.
_MARK = secrets.token_hex(16)
SENTINEL = f"__slipway_{_MARK}_{{}}__"
VEILED = re.compile(rf"__slipway_{_MARK}_([A-Z][A-Z0-9_]*?)__")
BIND_OPTIONS = ("bind", "rbind", "rw", "ro")


@dataclass(frozen=True)
class Reach:
    """What an environment gives its compose file. `project` is like "assistant-prod".

    `source`: the directory of the artifact's files, which may be mounted. `binds`: directories of the host that
    COMPOSE_BINDS names. `external`: what COMPOSE_EXTERNAL names, like "volume/backups" or "port/5432". `variables`:
    names that config/<environment>.env gives the app. `closed`: directories of Slipway's own.
    """

    project: str
    source: str
    binds: Sequence[str] = ()
    external: Collection[str] = ()
    variables: Collection[str] = ()
    closed: Sequence[str] = ()


def reach_problems(model: Mapping[str, Any], roles: Mapping[str, Role], reach: Reach) -> list[str]:
    """Return what a model reaches for that this environment does not give it, each with the way out."""
    found = []
    for name, role in roles.items():
        service = model["services"][name]
        rows = [*_rights(service, role), *_namespaces(service, role, roles), *_ports(service, role, reach)]
        rows += [*_mounts(service, reach)]
        rows += [] if role is Role.SHARED else [*unlimited(service), *unfit(service)]
        found += [f"service {name}: {why}" for why in rows]
    for kind in ("network", "volume"):
        for key, part in model.get(f"{kind}s", {}).items():
            found += [f"{kind} {key}: {why}" for why in _own(kind, key, part, reach)]
    for key, part in model.get("volumes", {}).items():
        found += [f"volume {key}: {why}" for why in _options(part.get("driver_opts") or {}, reach)]
    found += [f"{where}: {name} is a secret; it may stand in {TELLS}" for where, name in _told(model)]
    for key, part in model.get("configs", {}).items():
        found += [f"config {key}: {why}" for why in _config(part, reach)]
    return found


def _told(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a secret's value would decide about more than what a program is told: nobody could check it."""
    for part in ("services", "networks", "volumes"):
        for name, one in model.get(part, {}).items():
            for key, value in one.items():
                if part != "services" or key not in (*TOLD, "build"):  # what a build is told: builds.py
                    yield from ((f"{part.removesuffix('s')} {name}: {key}", secret) for secret in secrets_in(value))


def secrets_in(value: Any) -> set[str]:
    """Return the names of the secrets that a part of the model refers to."""
    if isinstance(value, Mapping):
        return {name for pair in value.items() for one in pair for name in secrets_in(one)}
    if isinstance(value, list):
        return {name for one in value for name in secrets_in(one)}
    return set(VEILED.findall(value)) if isinstance(value, str) else set()


def capability(name: str) -> str:
    """Return a capability as the engine names it."""
    return name.upper().removeprefix("CAP_")


def _rights(service: Mapping[str, Any], role: Role) -> Iterator[str]:
    allowed = SHARED_CAPABILITIES if role is Role.SHARED else APP_CAPABILITIES
    for name in service.get("cap_add") or ():
        if capability(name) not in allowed:
            yield f"cap_add {name}: a {role} service may have {', '.join(allowed)}; remove it"
    user = service.get("user")
    if role is not Role.SHARED and user is not None and is_root(str(user)):
        yield f"user {user}: a {role} service does not run as root; give it another user, or remove it"


def is_root(user: str) -> bool:
    """Say whether a container's user is root: by name, as any spelling of 0, or because only a group is given."""
    name = user.partition(":")[0].strip()
    return name in ("", "root") or not name.strip("+-0")


def _namespaces(service: Mapping[str, Any], role: Role, roles: Mapping[str, Role]) -> Iterator[str]:
    network = service.get("network_mode") or "none"
    other = roles.get(network.removeprefix("service:")) if network.startswith("service:") else None
    if network != "none" and not (role is other is Role.SHARED):
        yield f'network_mode "{network}": not allowed; put it on a network of the file, or remove it'
    if (ipc := service.get("ipc") or "private") not in ("private", "shareable", "none"):
        yield f'ipc "{ipc}": not allowed; remove it'


def _ports(service: Mapping[str, Any], role: Role, reach: Reach) -> Iterator[str]:
    """Shared services alone keep their ports: those of others are dropped."""
    for port in service.get("ports") or () if role is Role.SHARED else ():
        target, published, host = port.get("target"), port.get("published"), port.get("host_ip")
        named = f"port/{published or target}"
        try:
            local = host is not None and ip_address(host).is_loopback
        except ValueError:
            yield f'port {target}: host_ip "{host}": expected an address'
            continue
        if not local and named not in reach.external:
            yield (
                f"port {target}: published at {host or 'all addresses of the host'}; write "
                f'"127.0.0.1:{published or ""}:{target}", or name {named} in COMPOSE_EXTERNAL of '
                "config/<environment>.env if that is meant"
            )


def _mounts(service: Mapping[str, Any], reach: Reach) -> Iterator[str]:
    for mount in service.get("volumes") or ():
        source = mount.get("source") or ""
        if mount["type"] == "bind" and not (in_source(source, reach) or in_binds(source, reach)):
            yield (
                f"it mounts {source} of the host; name it in COMPOSE_BINDS of config/<environment>.env if that is "
                "meant, or remove it"
            )


def in_source(path: str, reach: Reach) -> bool:
    """Say whether a path is one of the artifact's own files, links followed."""
    return _leads_below(path, [reach.source]) is not None


def in_binds(path: str, reach: Reach) -> bool:
    """Say whether COMPOSE_BINDS names a path or a directory above it, and it leads to nothing of Slipway's."""
    real = _leads_below(path, reach.binds)
    closed = [Path(one).resolve() for one in reach.closed]
    return real is not None and not any(real.is_relative_to(one) or one.is_relative_to(real) for one in closed)


def _leads_below(path: str, directories: Iterable[str]) -> Path | None:
    """Return where a path leads, None if by its text or by its links that is not below a directory, or is a socket.

    A "$" stands twice where compose prints it: what the engine gets is another path than this.
    """
    wanted = PurePosixPath(path)
    if not wanted.is_absolute() or ".." in wanted.parts or "$" in path or (real := real_path(path)) is None:
        return None
    if wanted.name in SOCKETS or real.name in SOCKETS or real.is_socket():
        return None
    below = any(
        wanted.is_relative_to(posixpath.normpath(one)) and real.is_relative_to(Path(one).resolve())
        for one in directories
    )
    return real if below else None


def real_path(path: str | Path) -> Path | None:
    """Return where a path leads, None if that cannot be known: links in a circle, a name that no file can have."""
    try:
        real = Path(path).resolve()
        real.is_socket()
    except (OSError, RuntimeError, ValueError):
        return None
    return real


def _own(kind: str, key: str, part: Mapping[str, Any], reach: Reach) -> Iterator[str]:
    """What is shared beyond the environment's project is named by the environment, not by the app."""
    name = part["name"]
    if name == f"{reach.project}_{key}" or f"{kind}/{name}" in reach.external:
        return
    yield (
        f"the {kind} {name} is not of the project {reach.project}; add {kind}/{name} to COMPOSE_EXTERNAL of "
        "config/<environment>.env if that is meant, or remove its name and external"
    )


def _options(options: Mapping[str, Any], reach: Reach) -> Iterator[str]:
    """A volume of the driver `local` can be a bind mount: it is held to the same directories."""
    if not options:
        return
    words = set(str(options.get("o", "")).split(","))
    simple = set(options) <= {"type", "o", "device"} and options.get("type") in ("none", "bind")
    if not simple or not words <= set(BIND_OPTIONS) or not words & {"bind", "rbind"}:
        yield (
            f"driver_opts {', '.join(f'{key}={value}' for key, value in options.items())[:120]}: only a directory of "
            "COMPOSE_BINDS may be a volume; create this one by hand, write external: true in place "
            "of driver_opts, and name it in COMPOSE_EXTERNAL"
        )
    elif not in_binds(str(options.get("device")), reach):
        yield (
            f"driver_opts: it mounts {options.get('device')} of the host; name it in COMPOSE_BINDS of "
            "config/<environment>.env if that is meant, or remove it"
        )


def _config(part: Mapping[str, Any], reach: Reach) -> Iterator[str]:
    if all(part.get(key) is None for key in ("content", "environment", "file")):
        yield "expected content, environment or file"
    if (name := part.get("environment")) is not None and name not in reach.variables:
        yield f"environment {name}: not of this environment; set APP_{name} in config/<environment>.env, or remove it"
    if (file := part.get("file")) is not None and not in_source(file, reach):
        yield f"file {file}: not of the artifact; give it content, or a file of the repository"
