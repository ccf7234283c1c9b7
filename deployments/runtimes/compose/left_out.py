"""What of a team's file does not reach the containers, though nothing is wrong with it: named, each with why."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deployments.runtimes.compose.files import DROPPED, OF_SWARM
from deployments.runtimes.compose.judge import Reach, in_source, secrets_in
from deployments.runtimes.compose.model import Stack, is_writable
from gates.compose_roles import Role

# Keys of a file that mean nothing here, wherever they stand.
WHY = {
    "attachable": "containers by hand are no part of a release",
    "build": "a release never builds; the image is the one that was checked",
    "container_name": "each slot has names of its own",
    "develop": "for a programmer's own machine",
    "enable_ipv4": "the engine's default holds",
    "enable_ipv6": "the engine's default holds",
    "endpoint_mode": "docker swarm alone obeys it",
    "gw_priority": "the engine chooses",
    "ipam": "the engine chooses the addresses",
    "ipv4_address": "a slot has no fixed place",
    "ipv6_address": "a slot has no fixed place",
    "labels": "Slipway's own labels hold",
    "mac_address": "a slot has no fixed place",
    "name": "PROJECT of config/<environment>.env holds",
    "placement": "docker swarm alone obeys it",
    "profiles": "a release starts it whatever the profile",
    "pull_policy": "images are had by digest, before anything starts",
    "read_only": 'the root of a service of the app is read-only, unless it is labelled slipway.writable: "true"',
    "rollback_config": "docker swarm alone obeys it",
    "update_config": "docker swarm alone obeys it",
    "version": "compose ignores it",
}
ONCE = "a task is run once, to its end; one that fails stops the release"
# Why a service does not wait for one of another role.
WAITS = {
    Role.SHARED: "shared services are up before",
    Role.SINGLETON: "singletons follow the switch",
    Role.SLOT: "slots start after the shared services, and are there before singletons are",
    Role.TASK: "tasks have ended before",
    None: "it is not in the file that is released",
}
HOST = re.compile(r"://(?:[^/\s@]*@)?([\w.-]+)")
OF_ATTACHMENT = ("ipv4_address", "ipv6_address", "mac_address", "gw_priority")
OF_NETWORK = ("attachable", "enable_ipv4", "enable_ipv6", "ipam", "labels")
OF_VOLUME = ("labels",)
QUIET = ("privileged", "ports", "depends_on")  # that is false in all that is accepted; the others are told by role


def left_out(stack: Stack, reach: Reach) -> list[str]:
    """Return what the files that run do not have of a stack's, one line each."""
    found = [line for name, role in stack.roles.items() for line in _service(stack, name, role, reach)]
    for kind, keys in (("network", OF_NETWORK), ("volume", OF_VOLUME)):
        for name, part in (stack.model.get(f"{kind}s") or {}).items():
            found += [f"{kind} {name}: {key}: {WHY[key]}" for key in keys if part.get(key)]
    return found


def _service(stack: Stack, name: str, role: Role, reach: Reach) -> Iterator[str]:
    service = stack.service(name)
    keys = [key for key in DROPPED if key not in QUIET and service.get(key) not in (None, [], {})]
    rows = [(key, WHY[key]) for key in keys]
    rows += [(f"deploy.{key}", WHY[key]) for key in OF_SWARM if (service.get("deploy") or {}).get(key)]
    for network, options in (service.get("networks") or {}).items():
        rows += [(f"networks.{network}.{key}", WHY[key]) for key in OF_ATTACHMENT if (options or {}).get(key)]
    if role is not Role.SHARED:
        rows += _of_the_app(stack, name, service)
    for index, mount in enumerate(service.get("volumes") or ()):
        if mount["type"] == "bind" and not mount.get("read_only") and in_source(str(mount.get("source")), reach):
            rows.append((f"volumes.{index}", f"{mount['target']} is read-only, as all files of the artifact are"))
    others = [one for one in service.get("depends_on") or {} if stack.roles.get(one) is not role]
    for kind in dict.fromkeys(stack.roles.get(one) for one in others):
        same = [one for one in others if stack.roles.get(one) is kind]
        rows.append((f"depends_on {', '.join(same)}", WAITS[kind]))
    rows += [] if role is Role.SLOT else _unheard(stack, service)
    places = {"read_only": f"{stack.writable[name]}: "} if name in stack.writable else {}
    return (f"{places.get(key, '')}service {name}: {key}: {why}" for key, why in rows)


def _unheard(stack: Stack, service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a service that is no slot has an address of one: each colour has a name of its own."""
    networks = [options for one in stack.services(Role.SLOT) for options in _networks(stack.service(one))]
    aliases = {alias for options in networks for alias in options.get("aliases") or ()}
    for key in ("environment", "command", "entrypoint", "healthcheck"):
        hosts = {host for text in _texts(service.get(key)) for host in HOST.findall(text)}
        for name in [name for name in stack.services(Role.SLOT) if name in hosts - aliases]:
            yield key, (
                f"nobody is called {name}: the slots are {name}-blue and {name}-green; an alias on a shared network is "
                "a name that both have while a release switches"
            )


def _networks(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [options or {} for options in (service.get("networks") or {}).values()]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _of_the_app(stack: Stack, name: str, service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if name in stack.writable and not is_writable(service):
        yield "read_only", WHY["read_only"]
    if stack.roles[name] is Role.TASK:
        policy = (service.get("deploy") or {}).get("restart_policy")
        given = {"restart": service.get("restart"), "healthcheck": service.get("healthcheck")}
        given |= {"deploy.restart_policy": policy}
        yield from ((key, ONCE) for key, one in given.items() if one not in (None, "no", {}, {"disable": True}))
    if service.get("ports"):
        public = f"Slipway publishes port {stack.port} on 127.0.0.1" if name == stack.public else "nothing is published"
        yield "ports", public


def untaken(stack: Stack, references: Mapping[str, str]) -> list[str]:
    """Return the secrets (`references`: SECRET_ settings by name) that no container of a stack gets."""
    taken = secrets_in(stack.model.get("services") or {}) | secrets_in(stack.model.get("configs") or {})
    for service in (stack.model.get("services") or {}).values():
        taken |= {name for name, value in (service.get("environment") or {}).items() if value is None}
        taken |= {str(one["source"]).upper() for one in service.get("secrets") or ()}
    taken |= {str(one.get("environment")) for one in (stack.model.get("configs") or {}).values()}
    # What a template that somebody takes is made of is taken, too.
    templates = [ref for name, ref in references.items() if name in taken and ref.startswith("template:")]
    return [
        name
        for name in references
        if name not in taken and not any(f"{{{name}}}" in template for template in templates)
    ]
