"""What a team's compose file says, and what in it cannot be released."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from host.errors import ConfigError

ROLE = "slipway.role"
PORT = "slipway.port"
Model = Mapping[str, Any]
# With these a container of the app reaches into the host or into other containers.
REFUSED_FOR_APP = (
    "cap_add",
    "devices",
    "device_cgroup_rules",
    "volumes_from",
    "links",
    "external_links",
    "userns_mode",
)
# Of a security option: seccomp:unconfined, label:disable, no-new-privileges:false (also with "=").
WEAKENING = ("unconfined", "disable", "no-new-privileges:false", "no-new-privileges=false")
SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")


class Role(StrEnum):
    """What a release does with a service, by its label `slipway.role`.

    SLOT: one for each colour. SINGLETON: one only, of the live version. SHARED: started once, not a release's business.
    """

    SLOT = "slot"
    SINGLETON = "singleton"
    SHARED = "shared"


@dataclass(frozen=True)
class Stack:
    """A checked compose model. `public` is the slot service that the router sends requests to, `port` its port."""

    model: Model
    roles: Mapping[str, Role]
    public: str
    port: int

    def services(self, role: Role) -> list[str]:
        """Return the names of the services of a role, as the file orders them."""
        return [name for name, one in self.roles.items() if one is role]

    def service(self, name: str) -> Mapping[str, Any]:
        """Return one service's part of the model."""
        service: Mapping[str, Any] = self.model["services"][name]
        return service


def read_stack(model: Model, file: str, source: str, binds: Sequence[str] = ()) -> Stack:
    """Check a model. `source` is the directory whose files may be mounted, and `binds` those of the host besides.

    Raises ConfigError, which names the file and everything that is wrong with it, each with the way out.
    """
    services: Mapping[str, Mapping[str, Any]] = model.get("services") or {}
    if not services:
        raise ConfigError(f"{file}: no services")
    problems: list[str] = []
    roles = {name: role for name, one in services.items() if (role := _role(name, one, problems))}
    for name, role in roles.items():
        problems += _refused(name, services[name], role, source, binds)
    public, port = _public({name: services[name] for name, role in roles.items() if role is Role.SLOT}, problems)
    if problems:
        raise ConfigError(f"{file}: " + "; ".join(problems))
    return Stack(model, roles, public, port)


def _role(name: str, service: Mapping[str, Any], problems: list[str]) -> Role | None:
    label = (service.get("labels") or {}).get(ROLE)
    if label in list(Role):
        return Role(label)
    got = f'got "{label}"' if label else "no label"
    problems.append(f"service {name}: {got}, expected {ROLE}: slot, singleton or shared")
    return None


def _refused(name: str, service: Mapping[str, Any], role: Role, source: str, binds: Sequence[str]) -> list[str]:
    found = ["privileged: no service may be; give it the one capability that it lacks, in a shared service"]
    found = found if service.get("privileged") else []
    if role is not Role.SHARED:
        found += [f"{key}: not for a service of the app" for key in REFUSED_FOR_APP if service.get(key)]
        for key in ("network_mode", "pid", "ipc", "uts", "cgroup"):
            if service.get(key) not in (None, "private", "shareable", "none", "bridge"):
                found.append(f'{key} "{service[key]}": not for a service of the app')
        if role is Role.SINGLETON and _replicas(service) != 1:
            found.append(f"{_replicas(service)} replicas of a singleton")
        found += [
            f"security_opt {option}: not for a service of the app"
            for option in service.get("security_opt") or ()
            if any(word in option for word in WEAKENING)
        ]
        for mount in service.get("volumes") or ():
            if mount["type"] == "bind" and not _allowed(mount["source"], source, binds):
                found.append(
                    f"it mounts {mount['source']} of the host; name it in COMPOSE_BINDS of config/<environment>.env if "
                    "that is meant"
                )
    return [f"service {name}: {one}" for one in found]


def _allowed(path: str, source: str, binds: Sequence[str]) -> bool:
    wanted = PurePosixPath(path)
    if ".." in wanted.parts or wanted.name in SOCKETS:
        return False
    return any(wanted.is_relative_to(one) for one in (source, *binds))


def _public(slots: Mapping[str, Mapping[str, Any]], problems: list[str]) -> tuple[str, int]:
    """Return the service that gets the requests: the one labelled with a port, else the only one that has one."""
    labelled = {name: str(one["labels"][PORT]) for name, one in slots.items() if PORT in one["labels"]}
    found = labelled or {name: port for name, one in slots.items() if (port := _only_port(one))}
    if len(found) != 1:
        what = "none has a port" if not found else f"{', '.join(sorted(found))} have ports"
        problems.append(
            f"expected one service with {ROLE}: slot that answers requests, {what}; label it {PORT}: <port>"
        )
        return "", 0
    name, port = next(iter(found.items()))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        problems.append(f'service {name}: {PORT}: got "{port}", expected 1 to 65535')
        return name, 0
    if _replicas(slots[name]) != 1:
        problems.append(
            f"service {name}: {_replicas(slots[name])} replicas; the router reaches one, so give it workers"
        )
    return name, int(port)


def _only_port(service: Mapping[str, Any]) -> str | None:
    ports = {str(one["target"]) for one in service.get("ports") or ()}
    ports |= {str(one).split("/", maxsplit=1)[0] for one in service.get("expose") or ()}
    return ports.pop() if len(ports) == 1 else None


def _replicas(service: Mapping[str, Any]) -> int:
    given = (service.get("scale"), (service.get("deploy") or {}).get("replicas"))
    return next((int(number) for number in given if number is not None), 1)
