"""What a team's compose file says, and what in it cannot be released."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.runtimes.compose import allowed
from deployments.runtimes.compose.builds import PROJECT, read_builds, runners
from deployments.runtimes.compose.judge import Reach, reach_problems
from deployments.runtimes.compose.marks import DEFAULT, READ_ONLY
from deployments.runtimes.compose.problems import PLACES, UNREAD, Unusable, placed
from deployments.runtimes.compose.tasks import roles_of, task_problems
from evidence.bundle import Build
from gates.compose_roles import PORT, ROLE, Role
from host.errors import ConfigError

WRITABLE = "slipway.writable"
YES, NO = ("true", "yes"), ("false", "no")
NONE = "no services, or none without `profiles`; nobody names one here: remove that key from what is released"
PORT_NUMBER = re.compile("[1-9][0-9]{0,4}")
Parts = Mapping[str, Any]


@dataclass(frozen=True)
class Stack:
    """A checked compose model. `public` is the slot service that the router sends requests to, `port` its port.

    `builds`: what services are built of. `runs`: the service whose build a service runs, its own or another's.
    `writable`: where a service says `read_only: false`.
    """

    model: Parts
    roles: Mapping[str, Role]
    public: str
    port: int
    builds: Mapping[str, Build] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    writable: Mapping[str, str] = field(default_factory=dict)

    def services(self, role: Role) -> list[str]:
        """Return the names of the services of a role, as the file orders them."""
        return [name for name, one in self.roles.items() if one is role]

    def service(self, name: str) -> Mapping[str, Any]:
        """Return one service's part of the model."""
        service: Mapping[str, Any] = self.model["services"][name]
        return service


def read_stack(model: Parts, file: str, reach: Reach, problems: Sequence[str] = ()) -> Stack:
    """Check a model as compose printed it. `problems`: what was wrong with the file before compose read it.

    Raises ConfigError, which names the file and everything that is wrong with it, each with the way out.
    """
    defaults, writable = model.get(DEFAULT) or {}, model.get(READ_ONLY) or {}
    places, unread = model.get(PLACES) or {}, model.get(UNREAD) or ()
    projects = frozenset(str(one) for one in (model.get("name"), model.get(PROJECT)) if one)
    try:
        model, wrong = allowed.checked(model)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}; expected what docker compose config prints") from error
    found = [*problems, *placed(wrong, places)]
    services: Mapping[str, Parts] = model.get("services") or {}
    if not services:
        raise Unusable(file, [*found, NONE])
    roles, unknown = roles_of(services)
    judged = unknown + _unclear(services) + _misplaced(services, roles) + task_problems(services, roles)
    builds, unbuildable = read_builds(services, reach)
    runs, unclear = runners(services, roles, projects, defaults)
    judged += unbuildable + unclear
    judged += [] if wrong else _undefined(model, services)
    judged += reach_problems(model, roles, reach)
    unsure: list[str] = []
    public, port = _public({name: services[name] for name, role in roles.items() if role is Role.SLOT}, unsure)
    # Without a role, or unread, a service may be the one that is missed.
    judged += [] if unread or (unknown and not public) else unsure
    stack = Stack(model, roles, public, port, builds, runs, writable)
    if found := [*found, *placed(judged, places)]:
        raise Unusable(file, found, stack)
    return stack


def public_service(services: Mapping[str, Parts]) -> str:
    """Return the service that gets the requests. Raises ConfigError if it cannot be told."""
    roles, problems = roles_of(services)
    public, _ = _public({name: services[name] for name, role in roles.items() if role is Role.SLOT}, problems)
    if not public:
        raise ConfigError("; ".join(problems))
    return public


def _undefined(model: Parts, services: Mapping[str, Parts]) -> list[str]:
    """Return what a service uses that the file does not define: compose would have refused it."""
    found = []
    for name, one in services.items():
        volumes = [mount.get("source") for mount in one.get("volumes") or () if mount["type"] == "volume"]
        used = {"network": list(one.get("networks") or ()), "volume": [each for each in volumes if each is not None]}
        used |= {kind: [each["source"] for each in one.get(f"{kind}s") or ()] for kind in ("secret", "config")}
        for kind, wanted in used.items():
            known = model.get(f"{kind}s") or {}
            found += [f"service {name}: the {kind} {each} is not in the file" for each in wanted if each not in known]
    return found


def is_writable(service: Parts) -> bool:
    """Say whether the root of a service of the app stays writable."""
    return str((service.get("labels") or {}).get(WRITABLE)).lower() in YES


def _unclear(services: Mapping[str, Parts]) -> list[str]:
    said = {
        name: str(one["labels"][WRITABLE]) for name, one in services.items() if WRITABLE in (one.get("labels") or {})
    }
    return [
        f'service {name}: {WRITABLE}: got "{text[:60]}", expected "true" or "false"'
        for name, text in said.items()
        if text.lower() not in (*YES, *NO)
    ]


def _misplaced(services: Mapping[str, Parts], roles: Mapping[str, Role]) -> list[str]:
    return [
        f"service {name}: {_replicas(services[name])} replicas of a singleton"
        for name, role in roles.items()
        if role is Role.SINGLETON and _replicas(services[name]) != 1
    ]


def _public(slots: Mapping[str, Mapping[str, Any]], problems: list[str]) -> tuple[str, int]:
    """Return the service that gets the requests: the one labelled with a port, else the only one that has one."""
    labelled = {name: str(one["labels"][PORT]) for name, one in slots.items() if PORT in one["labels"]}
    found = labelled or {name: port for name, one in slots.items() if (port := _only_port(one))}
    if len(found) != 1:
        several = [name for name, one in slots.items() if len(_ports(one)) > 1]
        what = f"{', '.join(several)} has several ports" if several else "none has a port"
        what = f"{', '.join(sorted(found))} have ports" if found else what
        problems.append(
            f"expected one service with {ROLE}: slot that answers requests, {what}; label it {PORT}: <port>"
        )
        return "", 0
    name, port = next(iter(found.items()))
    if not PORT_NUMBER.fullmatch(port) or int(port) > 65535:
        problems.append(f'service {name}: {PORT}: got "{port[:60]}", expected 1 to 65535')
        return name, 0
    if _replicas(slots[name]) != 1:
        problems.append(
            f"service {name}: {_replicas(slots[name])} replicas; the router reaches one, so give it workers"
        )
    return name, int(port)


def _only_port(service: Mapping[str, Any]) -> str | None:
    ports = _ports(service)
    return ports.pop() if len(ports) == 1 else None


def _ports(service: Mapping[str, Any]) -> set[str]:
    ports = {str(one["target"]) for one in service.get("ports") or () if one.get("target") is not None}
    ports |= {str(one).split("/", maxsplit=1)[0] for one in service.get("expose") or ()}
    return ports


def _replicas(service: Mapping[str, Any]) -> int:
    given = (service.get("scale"), (service.get("deploy") or {}).get("replicas"))
    return next((int(number) for number in given if number is not None), 1)
