"""Dockerfiles and compose files: which image is built, and which role each service has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gates.adopt.draft import ALL, Draft
from gates.adopt.started import split
from gates.adopt.tree import ASIDE, Tree, Yaml, part, subtable
from gates.migrations.migrate_command import read_command
from gates.scans.dockerfiles.instructions import instructions
from gates.scans.dockerfiles.stages import stages
from gates.scans.outcome import ReportError

SHARED = re.compile(
    "|".join(
        "postgres postgis timescale pgvector mysql mariadb percona mongo redis valkey keydb dragonfly memcached"
        " rabbitmq kafka zookeeper nats elasticsearch opensearch meilisearch typesense solr minio seaweedfs clickhouse"
        " cassandra etcd vault influxdb prometheus grafana loki alertmanager jaeger otel tempo qdrant weaviate milvus"
        " chroma localstack azurite gotenberg tika".split()
    )
)
PROXIES = re.compile(r"(?:^|/)(?:nginx|nginx-unprivileged|traefik|caddy|haproxy|envoy|swag|certbot|httpd)(?::|@|$)")
AIDS = re.compile(
    "mailhog|mailpit|mailcatcher|maildev|adminer|pgadmin|phpmyadmin|mongo-express|redisinsight|redis-commander|flower"
    "|watchtower|portainer|playwright|selenium"
)
BEAT = re.compile(r"\bbeat\b|\bscheduler\b|\brqscheduler\b|\bcron\b|celerybeat|\bclock\b|apscheduler")
WORKER = re.compile(
    r"\bworker\b|\bconsumer\b|\bdramatiq\b|\brq\b|\bhuey\b|\barq\b|\bqcluster\b|\btaskiq\b|procrastinate|\bsaq\b"
)
MIGRATES = re.compile(
    r"alembic\s+upgrade|manage\.py\s+migrate|flask\s+db\s+upgrade|\bmigrate\b|prestart|initdb|init_db"
)
COMPLETED = "service_completed_successfully"
FILE = re.compile(r"(?:docker-)?compose(?P<rest>[\w.-]*)\.ya?ml")
OTHERS = re.compile(r"override|dev|local|test|ci|debug|ui|e2e|https|build")
PRODUCTION = re.compile(r"prod|deploy|live|release")


@dataclass(frozen=True)
class Service:
    """A service of a compose file, with the role that is proposed for it and why. "" is a role of none."""

    name: str
    role: str
    why: str
    line: int
    built: bool = False


@dataclass(frozen=True)
class Stack:
    """A compose file."""

    file: str
    services: tuple[Service, ...] = ()

    @property
    def needed(self) -> list[Service]:
        """Return what of it a runtime of processes could not replace: other than the app, its database and proxies."""
        slots = [one for one in self.services if one.role == "slot"]
        more = [one for one in slots if one.why.startswith("a worker")] or slots[1:]
        others = [one for one in self.services if one.role in ("singleton", "task") or _is_other_store(one)]
        return [*more, *others]


def _is_other_store(service: Service) -> bool:
    return service.role == "shared" and not re.search("postgres|postgis|pgvector|timescale", service.why)


def read_stack(tree: Tree, draft: Draft) -> Stack | None:
    """Return the repository's compose file, the plain or production one, with a role for each service."""
    files = [name for name in tree.yamls if FILE.fullmatch(name.rpartition("/")[2]) and not _is_aside(name)]
    files = [name for name in files if subtable(tree.yamls[name].value, "services")]
    if not files:
        return None
    chosen = min(files, key=lambda name: (_is_overlay(tree.yamls[name]), *_rank(name)))
    others = sorted(set(files) - {chosen})
    if others:
        draft.note(f"of the compose files {chosen} is proposed; the others are not looked at: {', '.join(others)}")
    return Stack(chosen, tuple(_services(tree, chosen)))


def _is_overlay(yaml: Yaml) -> bool:
    """Return whether a file only changes another one: most of its services say nothing that runs."""
    services = subtable(yaml.value, "services")
    whole = [one for one in services.values() if {"image", "build", "extends"} & set(subtable({"one": one}, "one"))]
    return 2 * len(whole) <= len(services)


def _is_aside(name: str) -> bool:
    return bool(ASIDE.search(name))


def _rank(name: str) -> tuple[int, int, str]:
    match = FILE.fullmatch(name.rpartition("/")[2])
    rest = match["rest"] if match else ""
    return (0 if PRODUCTION.search(rest) else 1 if not rest else 3 if OTHERS.search(rest) else 2), name.count("/"), name


def _services(tree: Tree, file: str) -> list[Service]:
    yaml = tree.yamls[file]
    services = subtable(yaml.value, "services")
    ends = _awaited(services)
    images = {
        str(part(one, "image")) for one in services.values() if part(one, "build") is not None and part(one, "image")
    }
    return [_service(yaml, name, subtable(services, name), ends, images) for name in services]


def _awaited(services: Mapping[str, Any]) -> dict[str, str]:
    return {
        other: name
        for name, service in services.items()
        for other, how in subtable(service, "depends_on").items()
        if part(how, "condition") == COMPLETED
    }


def _service(yaml: Yaml, name: str, service: Mapping[str, Any], ends: Mapping[str, str], images: set[str]) -> Service:
    image, built = str(service.get("image") or ""), service.get("build") is not None
    built = built or image in images or "${" in image and not SHARED.search(image)
    command = " ".join([*split(service.get("entrypoint")), *split(service.get("command"))])
    role, why = _role(name, service, image, command, ends, built)
    return Service(name, role, why, yaml.line("services", name), built)


def _role(
    name: str, service: Mapping[str, Any], image: str, command: str, ends: Mapping[str, str], built: bool
) -> tuple[str, str]:
    told = part(service, "labels", "slipway.role")
    if isinstance(told, str):
        return told, "its label says so"
    if service.get("profiles"):
        return "", f"left out: it has profiles ({', '.join(map(str, service['profiles']))[:60]})"
    if PROXIES.search(image) or not built and name in ("proxy", "nginx", "traefik", "caddy"):
        return "", f"take it out: the router is Slipway's (image {image})"
    if AIDS.search(f"{image} {command}") or AIDS.fullmatch(name):
        return "", f"an aid of development (image {image or name}); take it out, or label it shared"
    if (
        (not built or not image)
        and SHARED.search(image.partition("@")[0].rpartition("/")[2] or "")
        or not built
        and SHARED.search(name)
    ):
        return "shared", f"image {image or name}"
    return _of_the_app(name, service, command, ends, built)


def _of_the_app(
    name: str, service: Mapping[str, Any], command: str, ends: Mapping[str, str], built: bool
) -> tuple[str, str]:
    if name in ends:
        migrates = "; it migrates: take that out, [run] migrate does it" if _migrates(name, command) else ""
        return "task", f"{ends[name]} waits for its end{migrates}"
    if BEAT.search(f"{name} {command}"):
        return "singleton", f"a scheduler must never run twice ({command[:60] or name})"
    if str(service.get("restart", "")).split(":")[0] in ("no", "False") and _migrates(name, command):
        return "task", "it migrates and is not restarted; take the migration out, [run] migrate does it"
    if service.get("ports") or service.get("expose"):
        return "slot", "it publishes a port"
    if WORKER.search(f"{name} {command}"):
        return "slot", f"a worker ({command[:60] or name}); singleton if two versions must never work at once"
    return ("slot", "it is built here") if built else ("shared", "an image of others that nobody here knows")


def _migrates(name: str, command: str) -> bool:
    return bool(read_command(command.split()) or MIGRATES.search(command) or MIGRATES.search(name))


def propose_image(tree: Tree, stack: Stack | None, folder: str, draft: Draft) -> None:
    """Propose [image]: the compose file of each environment, and what is built."""
    dockerfiles = [
        name
        for name in tree.called(r"(?:[\w-]+\.)?Dockerfile[\w.-]*", "Containerfile")
        if not _is_aside(name) and name in tree.texts
    ]
    for name in dockerfiles[:5]:
        draft.tell("Dockerfile", _targets(tree.texts[name]), name)
    if stack is None:
        if dockerfiles:
            draft.note(f"{dockerfiles[0]}: without a compose file no image is built; RUNTIME=process runs the app")
        return
    for service in stack.services:
        draft.tell(f"service {service.name}", service.role or "none", f"{stack.file}:{service.line}: {service.why}")
    public = [one for one in stack.services if one.role == "slot" and one.why == "it publishes a port"]
    if not any(one.built for one in stack.services):
        draft.note(f"{stack.file}: none of its services is built here, so it is proposed for nothing")
        return
    for service in stack.services:
        if service.role:
            draft.put(
                "image.compose", "", f"{stack.file}: service {service.name}: slipway.role: {service.role}", service.why
            )
    for environment in ALL:
        draft.put("image.compose", environment, stack.file, f"{stack.file}:1")
    if len(public) > 1:
        names = ", ".join(one.name for one in public)
        draft.note(f'{stack.file}: {names} publish ports: label the one that answers the public: slipway.port: "8000"')


def _targets(text: str) -> str:
    """Return a Dockerfile's stages, for the table."""
    try:
        found = stages(instructions(text))
    except ReportError as error:
        return f"it cannot be read: {str(error)[:100]}"
    named = [stage.name for stage in found if stage.name]
    return f"stages {', '.join(named)}; the last is built unless compose says target" if named else "one stage"


def runtime_because(stack: Stack | None) -> tuple[str, str]:
    """Return the runtime that fits: containers where the compose file has what processes cannot replace."""
    if stack is None or not any(one.built for one in stack.services):
        return "process", "no compose file builds an image of the app"
    if needed := stack.needed:
        return "compose", f"{stack.file}:{needed[0].line}: {needed[0].name} ({needed[0].role}) beside the app"
    return "process", f"{stack.file}: nothing beside the app and PostgreSQL, which Slipway has itself"
