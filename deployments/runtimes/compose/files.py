"""The compose files that run: made from a team's own by value, so that a person can read what will happen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from deployments.runtimes.compose.judge import SENTINEL, SHARED_CAPABILITIES, VEILED, capability
from deployments.runtimes.compose.limits import missing
from deployments.runtimes.compose.model import Stack, is_writable
from gates.compose_roles import Role

# What names a service, fixes it to one place or makes it start others: the file itself says where a service runs.
DROPPED = (
    "container_name",
    "build",
    "profiles",
    "ports",
    "depends_on",
    "mac_address",
    "pull_policy",
    "develop",
    "privileged",
)
# What docker swarm alone obeys.
OF_SWARM = ("endpoint_mode", "placement", "rollback_config", "update_config")
TMP = "/tmp"  # nosec B108  # the container's own


@dataclass(frozen=True)
class Names:
    """How everything of one environment is called on its engine. `project` is like "assistant-prod"."""

    project: str
    owner: Mapping[str, str]

    def slot(self, colour: str) -> str:
        return f"{self.project}-{colour}"

    @property
    def singleton(self) -> str:
        return f"{self.project}-singleton"

    @property
    def shared(self) -> str:
        return f"{self.project}-shared"

    @property
    def task(self) -> str:
        return f"{self.project}-task"


@dataclass(frozen=True)
class Settled:
    """What a release adds to the team's file: images, artifact, the app's settings, and where its secrets lie.

    `image` is the artifact's first; `images` maps each service that has a build of its own to the id of what it runs.
    `source`: the directory of the artifact's files, of which a container gets those that the file mounts, read-only.
    `external`: volumes and networks that are not ours to create, as in COMPOSE_EXTERNAL.
    """

    names: Names
    image: str
    digest: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    external: Sequence[str] = ()
    images: Mapping[str, str] = field(default_factory=dict)


def slot_file(stack: Stack, settled: Settled, colour: str, port: int, stop_s: float) -> dict[str, Any]:
    """Return the file of a slot: its public service is published on 127.0.0.1:`port`, nothing else is.

    Services are called by colour (web-blue): on the networks that both colours share no name stands for two. Among
    themselves they keep their names, on a network of their own.
    """
    names = stack.services(Role.SLOT)
    private = len(names) > 1
    services = {}
    for name in names:
        service = _hardened(stack, settled, name, stop_s)
        if private:
            service["networks"] = {**service.get("networks", {}), "slot": {"aliases": [name]}}
        if name == stack.public:
            published = {"target": stack.port, "published": str(port), "host_ip": "127.0.0.1", "protocol": "tcp"}
            service["ports"] = [{"mode": "host", **published}]
        service["depends_on"] = _within(stack.service(name), {one: f"{one}-{colour}" for one in names})
        services[f"{name}-{colour}"] = {key: value for key, value in service.items() if value not in ({}, None)}
    return _file(settled.names.slot(colour), stack, settled, services, private)


def singleton_file(stack: Stack, settled: Settled, stop_s: float) -> dict[str, Any]:
    """Return the file of the singletons: one project for all versions, so that there is one of each at most."""
    names = stack.services(Role.SINGLETON)
    services = {name: _hardened(stack, settled, name, stop_s) for name in names}
    for name in names:
        services[name]["depends_on"] = _within(stack.service(name), {one: one for one in names})
    return _file(settled.names.singleton, stack, settled, services)


def shared_file(stack: Stack, settled: Settled) -> dict[str, Any]:
    """Return the file of the shared services: as the team wrote them, with the few capabilities of a database."""
    names = stack.services(Role.SHARED)
    services = {}
    for name in names:
        service = _common(stack, settled, name)
        service |= _capabilities(service)
        service["ports"] = stack.service(name).get("ports")
        service["depends_on"] = _within(stack.service(name), {one: one for one in names})
        services[name] = {key: value for key, value in service.items() if value not in ({}, None)}
    return _file(settled.names.shared, stack, settled, services)


def one_shot_file(stack: Stack, settled: Settled, name: str, stop_s: float) -> dict[str, Any]:
    """Return the file of a service that is run once, to its end."""
    return _file(settled.names.task, stack, settled, {name: _once(_hardened(stack, settled, name, stop_s))})


def task_file(stack: Stack, settled: Settled, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the file of a one-off container: the public service with another command, that nothing reaches."""
    service = _once(_hardened(stack, settled, stack.public, 10))
    service.pop("post_start", None)
    service["command"] = [word.replace("$", "$$") for word in command]
    service["entrypoint"] = None
    service["environment"] = {**environment, **service.get("environment", {})}
    return _file(settled.names.task, stack, settled, {"task": service})


def _once(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service that ends, and is not started again."""
    once = {**service, "restart": "no", "healthcheck": {"disable": True}}
    if "deploy" in once:
        once["deploy"] = {key: value for key, value in once["deploy"].items() if key != "restart_policy"}
    return once


def _common(stack: Stack, settled: Settled, name: str) -> dict[str, Any]:
    """Return a service without what fixes it to one place, and with what every one gets unless it says otherwise."""
    given = stack.service(name)
    service = {key: value for key, value in given.items() if key not in DROPPED and value is not None}
    role = stack.roles[name]
    labels = {"slipway.role": str(role), "slipway.service": name, "slipway.digest": settled.digest}
    service["labels"] = {**given.get("labels", {}), **settled.names.owner, **labels}
    service.setdefault("restart", "unless-stopped")
    service.setdefault("logging", {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}})
    service["security_opt"] = ["no-new-privileges:true"]
    if deploy := given.get("deploy"):
        service["deploy"] = {key: value for key, value in deploy.items() if key not in OF_SWARM}
    if mounts := given.get("volumes"):
        service["volumes"] = [_mount(one, settled) for one in mounts]
    if builder := stack.runs.get(name):
        service["image"] = settled.images.get(builder, settled.image)
    if networks := given.get("networks"):
        service["networks"] = {one: _without_address(options) for one, options in networks.items()}
    return service


def _hardened(stack: Stack, settled: Settled, name: str, stop_s: float) -> dict[str, Any]:
    """Return a service of the app: limited, read-only, without capabilities, with its settings from outside."""
    service = _common(stack, settled, name)
    given = stack.service(name)
    service |= missing(service)
    service["cap_drop"] = ["ALL"]
    service.setdefault("init", True)
    service.setdefault("stop_grace_period", f"{stop_s:g}s")
    if not is_writable(given):
        service["read_only"] = True
        mounted = _as_list(given.get("tmpfs"))
        service["tmpfs"] = mounted if any(one.split(":")[0] == TMP for one in mounted) else [*mounted, TMP]
    service["environment"] = _environment(given.get("environment") or {}, settled)
    return service


def _capabilities(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return those of a shared service: what the file adds when it drops all, else SHARED_CAPABILITIES."""
    added = {capability(one) for one in given.get("cap_add") or ()}
    dropped = {capability(one) for one in given.get("cap_drop") or ()}
    kept = added if "ALL" in dropped else (set(SHARED_CAPABILITIES) - dropped) | added
    return {"cap_drop": ["ALL"], "cap_add": sorted(kept)}


def _mount(given: Mapping[str, Any], settled: Settled) -> dict[str, Any]:
    """Return a mount; one of the artifact's own files is read-only, and nothing is made where there is none."""
    if (
        given["type"] != "bind"
        or not settled.source
        or not PurePosixPath(given["source"]).is_relative_to(settled.source)
    ):
        return dict(given)
    return {**given, "read_only": True, "bind": {**(given.get("bind") or {}), "create_host_path": False}}


def _as_list(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list) else []


def _environment(given: Mapping[str, Any], settled: Settled) -> dict[str, str]:
    """Return the variables: the file's, over them config/<environment>.env's. Secrets stand as ${NAME}."""
    found = {name: str(value) for name, value in given.items() if value is not None}
    found |= {name: f"${{{name}}}" for name, value in given.items() if value is None}
    return found | {name: value.replace("$", "$$") for name, value in settled.settings.items()}


def _without_address(options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not options:
        return None
    kept = {key: value for key, value in options.items() if key not in ("ipv4_address", "ipv6_address", "mac_address")}
    return kept or None


def _within(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the dependencies that lie in the same file: others run already, or are none of a release's business."""
    return {names[one]: how for one, how in (given.get("depends_on") or {}).items() if one in names}


def _file(
    project: str, stack: Stack, settled: Settled, services: Mapping[str, Mapping[str, Any]], private: bool = False
) -> dict[str, Any]:
    networks = {one for service in services.values() for one in service.get("networks") or {}}
    volumes = {
        mount["source"]
        for service in services.values()
        for mount in service.get("volumes") or ()
        if mount["type"] == "volume" and "source" in mount
    }
    secrets = {one["source"] for service in services.values() for one in service.get("secrets") or ()}
    configs = {one["source"] for service in services.values() for one in service.get("configs") or ()}
    file: dict[str, Any] = {"name": project, "services": dict(services)}
    file["networks"] = {one: _external(stack.model["networks"][one]) for one in sorted(networks - {"slot"})}
    internal = [stack.model["networks"][one]["name"] for one in networks - {"slot"} if _is_internal(stack, one)]
    file["x-internal-networks"] = sorted(internal)  # for who creates them: compose wants no such word beside "external"
    if private:
        file["networks"]["slot"] = {"labels": dict(settled.names.owner)}
    file["volumes"] = {one: _external(stack.model["volumes"][one]) for one in sorted(volumes)}
    file["x-existing"] = _existing(file, settled)
    options = {one: stack.model["volumes"][one].get("driver_opts") for one in sorted(volumes)}
    file["x-volume-options"] = {file["volumes"][one]["name"]: given for one, given in options.items() if given}
    file["secrets"] = {one: {"file": settled.secrets[one]} for one in sorted(secrets)}
    file["configs"] = {one: _config(stack.model["configs"][one], settled) for one in sorted(configs)}
    whole: dict[str, Any] = unveiled({key: value for key, value in file.items() if value})
    return whole


def _external(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": given["name"], "external": True}


def _existing(file: Mapping[str, Any], settled: Settled) -> list[str]:
    """Return what is not ours to create or to own: it must be there."""
    names = [
        f"{kind}/{one['name']}" for kind in ("network", "volume") for one in file[f"{kind}s"].values() if "name" in one
    ]
    return [one for one in names if one in settled.external]


def _config(given: Mapping[str, Any], settled: Settled) -> dict[str, Any]:
    """Return a config by its content or file. One by a variable gets the environment's, a secret as ${NAME}."""
    name = given.get("environment")
    if name is None:
        return {key: given[key] for key in ("content", "file") if given.get(key) is not None}
    return {"content": settled.settings[name].replace("$", "$$") if name in settled.settings else f"${{{name}}}"}


def _is_internal(stack: Stack, network: str) -> bool:
    return bool(stack.model["networks"][network].get("internal"))


def veil(name: str) -> str:
    """Return what stands for a secret's value while the team's file is read."""
    return SENTINEL.format(name)


def unveiled(value: Any) -> Any:
    """Return a model in which every veiled secret is a reference (${NAME}) that compose resolves when it runs."""
    if isinstance(value, Mapping):
        return {key: unveiled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [unveiled(one) for one in value]
    if isinstance(value, str):
        return VEILED.sub(lambda found: f"${{{found[1]}}}", value)
    return value
