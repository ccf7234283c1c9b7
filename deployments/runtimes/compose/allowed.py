"""What a compose file may say: every key of every part, as compose itself prints it. What is not here is refused.

A key that only some role may have, or that reaches out of the containers, is judged in judge.py besides.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

# Why, or what instead, for keys that people do use; each other one that is not allowed is to be removed.
WAYS_OUT = {
    "annotations": "some runtimes obey them; use labels",
    "cgroup_parent": "limit it with mem_limit, cpus and pids_limit",
    "credential_spec": "mount a secret",
    "device_cgroup_rules": "no container gets devices of the host",
    "devices": "no container gets devices of the host",
    "external_links": "put both services on one network; they reach each other by name",
    "gpus": "no container gets devices of the host",
    "group_add": "set the group with user: <uid>:<gid>",
    "links": "put both services on one network; they reach each other by name",
    "models": "run it as a shared service",
    "pre_stop": "Slipway stops containers through the engine, where it would not run; handle SIGTERM",
    "privileged": "no service may be; give a shared service the one capability that it lacks",
    "provider": "compose would run a program of the host",
    "runtime": "set the engine's default",
    "use_api_socket": "no container gets the engine",
    "userns_mode": "set it for the engine as a whole",
    "volumes_from": "name the volume in both services",
}
SYSCTLS = re.compile(
    r"net\.core\.somaxconn|net\.ipv4\.(ip_local_port_range|ip_unprivileged_port_start|ping_group_range|tcp_[a-z0-9_]+)"
    r"|net\.ipv6\.conf\.(all|default|lo)\.disable_ipv6|kernel\.(shm(max|all|mni)|sem|msg(max|mnb|mni))|fs\.mqueue\.\w+"
)
# Not nice, rtprio and rttime: with these a container takes the processor from all others.
ULIMITS = re.compile("core|cpu|data|fsize|locks|memlock|msgqueue|nofile|nproc|sigpending|stack")
TMPFS = re.compile(r"(size|mode|uid|gid|nr_inodes)=[0-9]+[kmg%]?b?|rw|ro|exec|noexec|nosuid|nodev", re.IGNORECASE)
LOG_OPTIONS = re.compile(r"max-size|max-file|compress|mode|max-buffer-size|(labels|env)(-regex)?|tag")
DEEPEST = 60
LABELS = re.compile(r"(?!com\.docker\.|slipway\.).*|slipway\.(role|port|timeout|writable|migrates|database)", re.DOTALL)
SECURITY_OPTIONS = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")


def scalar(value: object) -> object:
    """Return a value that is text, a number or a truth value. Raises ValueError for others."""
    if not isinstance(value, str | int | float | bool | None):
        raise ValueError("expected text or a number")
    return value


def _matches(allowed: re.Pattern[str], given: str) -> str:
    if not allowed.fullmatch(given):
        raise ValueError("not allowed; remove it")
    return given


def _tmpfs(given: Any) -> Any:
    for one in [given] if isinstance(given, str) else given:
        path, _, options = one.partition(":")
        if not path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{one[:60]}: expected an absolute path")
        for option in filter(None, options.split(",")):
            if not TMPFS.fullmatch(option):
                raise ValueError(f"{path[:60]}: the option {option[:60]}: not allowed; remove it")
    return given


def _security(given: Any) -> Any:
    for one in given:
        if one not in SECURITY_OPTIONS:
            raise ValueError(f"{one[:60]}: expected no-new-privileges:true at most; remove it")
    return given


def _not_privileged(given: Any) -> Any:
    if str(given).lower() not in ("false", "none"):
        raise ValueError(WAYS_OUT["privileged"])
    return given


def _not_negative(given: Any) -> Any:
    if str(given).strip().startswith("-"):
        raise ValueError(f'got "{given}", expected 0 or more')
    return given


def _below(given: Any) -> Any:
    if ".." in str(given).split("/") or str(given).startswith("/"):
        raise ValueError(f'got "{given}", expected a path below the volume')
    return given


BRANCHES = ("list[", "dict[", "[key]")  # what is no key, in the places that pydantic names
Scalar = Annotated[Any, AfterValidator(scalar)]
Texts = list[str]
Label = Annotated[str, AfterValidator(partial(_matches, LABELS))]
Sysctl = Annotated[str, AfterValidator(partial(_matches, SYSCTLS))]
Ulimit = Annotated[str, AfterValidator(partial(_matches, ULIMITS))]
LogOption = Annotated[str, AfterValidator(partial(_matches, LOG_OPTIONS))]
Labels = dict[Label, Scalar]
# What docker swarm alone obeys: accepted, since compose ignores it.
Ignored = Any


class Part(BaseModel):
    """A part of the model. Extensions (`x-...`) are dropped: compose does nothing with them. A key without a value is
    none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: value for key, value in given.items() if value is not None and not str(key).startswith("x-")}


class Dependency(Part):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"] | None = None
    restart: bool | None = None
    required: bool | None = None


class Amounts(Part):
    cpus: Scalar = None
    memory: Scalar = None
    pids: Scalar = None


class Resources(Part):
    limits: Amounts | None = None
    reservations: Amounts | None = None


class Deploy(Part):
    mode: Literal["replicated", "global", None] = None
    replicas: int | None = None
    resources: Resources | None = None
    restart_policy: dict[str, Scalar] | None = None
    labels: Labels | None = None
    endpoint_mode: Ignored = None
    placement: Ignored = None
    rollback_config: Ignored = None
    update_config: Ignored = None


class Build(Part):
    """How a service is built. Of the other keys a file's reader says why they are not here: builds.py."""

    additional_contexts: dict[str, str] | None = None
    args: dict[str, Scalar] | None = None
    context: str | None = None
    dockerfile: str | None = None
    labels: dict[str, Scalar] | None = None
    platforms: Texts | None = None
    tags: Texts | None = None
    target: str | None = None


class Healthcheck(Part):
    test: Texts | str | None = None
    interval: Scalar = None
    timeout: Scalar = None
    retries: Scalar = None
    start_period: Scalar = None
    start_interval: Scalar = None
    disable: bool | None = None


class Logging(Part):
    driver: Literal["json-file", "local", "journald", "none", None] = None
    options: dict[LogOption, Scalar] | None = None


class Attachment(Part):
    """A service on a network."""

    aliases: Texts | None = None
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    mac_address: str | None = None
    priority: int | None = None
    gw_priority: int | None = None


class Port(Part):
    name: str | None = None
    mode: Literal["ingress", "host", None] = None
    host_ip: str | None = None
    target: int | None = None
    published: Scalar = None
    protocol: Literal["tcp", "udp", None] = None
    app_protocol: str | None = None


class BindOptions(Part):
    create_host_path: bool | None = None
    propagation: Literal["private", "rprivate", None] = None
    selinux: Literal["z", "Z", None] = None


class VolumeOptions(Part):
    nocopy: bool | None = None
    subpath: Annotated[str, AfterValidator(_below)] | None = None


class TmpfsOptions(Part):
    size: Scalar = None
    mode: Scalar = None


class Mount(Part):
    type: Literal["volume", "bind", "tmpfs"]
    source: str | None = None
    target: str | None = None
    read_only: bool | None = None
    consistency: str | None = None
    bind: BindOptions | None = None
    volume: VolumeOptions | None = None
    tmpfs: TmpfsOptions | None = None


class Grant(Part):
    """A secret or a config in a service."""

    source: str
    target: str | None = None
    uid: Scalar = None
    gid: Scalar = None
    mode: Scalar = None


class Hook(Part):
    """What compose runs in a container that has started: as the container's own user, with its own rights."""

    command: Texts | str | None = None
    environment: dict[str, Scalar] | Texts | None = None
    working_dir: str | None = None
    privileged: Annotated[Any, AfterValidator(_not_privileged)] = None


class Limit(Part):
    soft: Scalar = None
    hard: Scalar = None


class Service(Part):
    """A service, whatever its role."""

    attach: bool | None = None
    build: Build | None = None
    cap_add: Texts | None = None
    cap_drop: Texts | None = None
    cgroup: Literal["private", "", None] = None
    command: Texts | str | None = None
    configs: list[Grant] | None = None
    container_name: str | None = None
    cpu_count: Scalar = None
    cpu_percent: Scalar = None
    cpu_period: Scalar = None
    cpu_quota: Scalar = None
    cpu_shares: Scalar = None
    cpus: Scalar = None
    cpuset: str | None = None
    depends_on: dict[str, Dependency] | None = None
    deploy: Deploy | None = None
    develop: Ignored = None
    dns: Texts | str | None = None
    dns_opt: Texts | None = None
    dns_search: Texts | str | None = None
    domainname: str | None = None
    entrypoint: Texts | str | None = None
    environment: dict[str, Scalar] | None = None
    expose: list[Scalar] | None = None
    extra_hosts: dict[str, Any] | Texts | None = None
    healthcheck: Healthcheck | None = None
    hostname: str | None = None
    image: str | None = None
    init: bool | None = None
    ipc: str | None = None
    labels: Labels | None = None
    logging: Logging | None = None
    mac_address: str | None = None
    mem_limit: Scalar = None
    mem_reservation: Scalar = None
    mem_swappiness: Scalar = None
    memswap_limit: Scalar = None
    network_mode: str | None = None
    networks: dict[str, Attachment | None] | None = None
    oom_score_adj: Annotated[Any, AfterValidator(_not_negative)] = None
    pid: Literal["", None] = None
    pids_limit: Scalar = None
    platform: str | None = None
    ports: list[Port] | None = None
    post_start: list[Hook] | None = None
    privileged: Annotated[Any, AfterValidator(_not_privileged)] = None
    profiles: Texts | None = None
    pull_policy: str | None = None
    read_only: bool | None = None
    restart: Scalar = None
    scale: int | None = None
    secrets: list[Grant] | None = None
    security_opt: Annotated[Texts, AfterValidator(_security)] | None = None
    shm_size: Scalar = None
    stdin_open: bool | None = None
    stop_grace_period: Scalar = None
    stop_signal: str | None = None
    sysctls: dict[Sysctl, Scalar] | None = None
    tmpfs: Annotated[Texts | str, AfterValidator(_tmpfs)] | None = None
    tty: bool | None = None
    ulimits: dict[Ulimit, int | Limit] | None = None
    user: Scalar = None
    uts: Literal["", None] = None
    volumes: list[Mount] | None = None
    working_dir: str | None = None


class Network(Part):
    name: str
    driver: Literal["bridge", "", None] = None
    internal: bool | None = None
    external: bool | None = None
    attachable: bool | None = None
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam: Ignored = None  # the engine chooses the addresses of what Slipway creates
    labels: Labels | None = None


class Volume(Part):
    name: str
    driver: Literal["local", "", None] = None
    driver_opts: dict[str, Scalar] | None = None
    external: bool | None = None
    labels: Labels | None = None


class Config(Part):
    name: str | None = None
    content: str | None = None
    environment: str | None = None
    file: str | None = None
    labels: Labels | None = None


class Secret(Part):
    """Only its name counts: the value is SECRET_<NAME> of the environment."""

    name: str | None = None
    file: str | None = None
    environment: str | None = None
    external: bool | None = None
    labels: Labels | None = None


class Model(Part):
    """A whole file."""

    name: str | None = None
    version: Scalar = None
    services: dict[str, Service] = Field(default_factory=dict)
    networks: dict[str, Network] = Field(default_factory=dict)
    volumes: dict[str, Volume] = Field(default_factory=dict)
    configs: dict[str, Config] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)


# What is resolved while the file is read, and stands in no model.
READ_OF_FILE = ("include",)
READ_OF_SERVICE = ("env_file", "extends", "label_file")
TOP = (*Model.model_fields, *READ_OF_FILE)
SERVICE = (*Service.model_fields, *READ_OF_SERVICE)


def way_out(key: str) -> str:
    """Return what to do about a key that is not allowed."""
    return WAYS_OUT.get(key, "remove it")


def checked(model: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what of a model is allowed, and what is wrong with the rest, one line each.

    Raises ValueError if it is not of mappings with text as keys, lists and plain values.
    """
    rest: Any = _with_text_keys(model)
    problems: list[str] = []
    while True:
        try:
            return Model.model_validate(rest).model_dump(exclude_unset=True), list(dict.fromkeys(problems))
        except ValidationError as error:
            # What is missing after something was removed is no fault of the file.
            seen = [one for one in error.errors() if not problems or one["type"] != "missing"]
            problems += [_line(one["loc"], one["type"], one["msg"], one["input"]) for one in seen]
            for holder, key in [_innermost(rest, one["loc"]) for one in error.errors()]:
                holder.pop(key, None)


def _with_text_keys(value: Any, depth: int = 0) -> Any:
    """Return a copy of a value. Raises ValueError for what compose prints nowhere."""
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} levels")
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"the key {str(wrong[0])[:60]} is no text")
        return {key: _with_text_keys(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_text_keys(one, depth + 1) for one in value]
    return value


def _innermost(model: Any, where: tuple[int | str, ...]) -> tuple[dict[str, Any], str]:
    """Return the innermost key on the way to a place, and the mapping that holds it."""
    holder, last, here = model, str(where[0]), model
    for step in where:
        if isinstance(here, dict) and step in here:
            holder, last, here = here, str(step), here[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
    return holder, last


def _line(where: tuple[int | str, ...], kind: str, message: str, given: Any) -> str:
    words = [str(one) for one in where if not str(one).startswith(BRANCHES)]
    part = ""
    if len(words) > 1 and words[0] in Model.model_fields:
        part, words = f"{words[0].removesuffix('s')} {words[1]}: ", words[2:]
    key = ".".join(words) or "it"
    if kind == "extra_forbidden":
        return f"{part}{key}: not allowed; {way_out(words[-1] if words else '')}"
    if kind == "literal_error":
        expected = message.removeprefix("Input should be ").replace("'' or None", "nothing").replace(" or None", "")
        return f'{part}{key} "{str(given)[:60]}": not allowed, expected {expected}; change or remove it'
    return f"{part}{key}: {message.removeprefix('Value error, ')}"
