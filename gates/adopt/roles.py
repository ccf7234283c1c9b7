"""Which role a service of a compose file seems to have, and why: a proposal for who labels it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gates.compose_roles import PORT, ROLE, Role, awaited
from gates.scans.dockerfiles.judge import filled
from gates.scans.entrypoints import migration_in, words_of

Service = Mapping[str, Any]
Services = Mapping[str, Service]
# By the last word of an image's name, without what a packager puts around it.
DATA = re.compile(
    r"(postgres|postgis|pgvector|timescale|mysql|mariadb|percona|mongo|redis|valkey|keydb|dragonfly|memcached|rabbitmq"
    r"|kafka|redpanda|zookeeper|nats|mosquitto|emqx|elasticsearch|opensearch|kibana|meilisearch|typesense|qdrant"
    r"|weaviate|milvus|clickhouse|influxdb|cassandra|scylla|cockroach|neo4j|minio|vault|consul|etcd|grafana|prometheus"
    r"|alertmanager|loki|tempo|jaeger|zipkin|otel|opentelemetry|mailhog|mailpit|mailcatcher|adminer|pgadmin|pgbouncer"
    r"|localstack|keycloak|flower|cadvisor|(node|postgres|redis)[-_]exporter)",
    re.IGNORECASE,
)
PROXY = re.compile(r"(traefik|nginx|caddy|haproxy|envoy|swag|openresty|nginx-proxy)", re.IGNORECASE)
NAMED_DATA = re.compile(r"(db|database|cache|broker|queue|postgres|mysql|mariadb|mongo|redis|rabbitmq)", re.IGNORECASE)
SCHEDULER = re.compile(
    r"\bcelery\b.*(\bbeat\b|\s-\w*B\b|--beat\b)|\b(rqscheduler|rq-scheduler|apscheduler|supercronic|crond?|ofelia)\b"
    r"|\b(scheduler|clock|celerybeat)\b",
    re.IGNORECASE,
)
CONSUMER = re.compile(
    r"\bcelery\b.*\bworker\b|\b(rq|arq|taskiq|procrastinate)\b.*\bworker\b|\b(arq|dramatiq|huey_consumer|run_huey"
    r"|qcluster|consumer|rqworker|streaq)\b",
    re.IGNORECASE,
)
DASHBOARD = re.compile(r"\bcelery\b.*\sflower\b|\b(rq-dashboard|rqmonitor|flower)\b", re.IGNORECASE)
LISTENS = re.compile(
    r"(?:--port|--http-port|-p)[\s=]+(\d{2,5})\b|(?:--bind|-b|--address|runserver)[\s=]+(?:[\w.\[\]:]*:)?(\d{2,5})\b"
)
ASKED = re.compile(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b")
BY_PROXY = re.compile(r"loadbalancer\.server\.port\D{1,6}(\d{2,5})")
ONCE = ("no", "false", "on-failure")


@dataclass(frozen=True)
class Proposal:
    """A service's labels, and why. Without labels nobody could tell: `why` says what is to be decided. `answers`: it
    has a port.
    """

    service: str
    why: str
    labels: Mapping[str, str] = field(default_factory=dict)
    answers: bool = False


def propose_roles(services: Services) -> list[Proposal]:
    """Return a proposal for each service that has no label of its own, as the file orders them."""
    ends, own = awaited(_with_waits(services)), own_services(services)
    found = [
        _proposal(name, one, name in own, ends.get(name))
        for name, one in services.items()
        if ROLE not in labels_of(one)
    ]
    return _with_public(found, services)


def labels_of(service: Service) -> dict[str, str]:
    """Return a service's labels, whether they are a mapping or a list."""
    given = service.get("labels") or {}
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    return dict(str(one).partition("=")[::2] for one in given) if isinstance(given, list) else {}


def _with_waits(services: Services) -> dict[str, Service]:
    """Return services whose depends_on is a mapping of mappings: what else stands there is compose's to refuse."""
    found: dict[str, Service] = {}
    for name, one in services.items():
        waits = one.get("depends_on")
        named = waits.items() if isinstance(waits, Mapping) else ()
        found[name] = {"depends_on": {other: how for other, how in named if isinstance(how, Mapping)}}
    return found


def own_services(services: Services) -> set[str]:
    """Return the services that run what the repository builds."""
    tags = {str(one["image"]) for one in services.values() if one.get("build") is not None and one.get("image")}
    return {
        name
        for name, one in services.items()
        if one.get("build") is not None or "SLIPWAY_IMAGE" in str(one.get("image")) or str(one.get("image")) in tags
    }


def _proposal(name: str, service: Service, own: bool, by: str | None) -> Proposal:
    line = " ".join([*words_of(_words(service, "entrypoint")), *words_of(_words(service, "command"))])
    if by or str(service.get("restart")).split(":")[0].lower() in ONCE and own and not _ports(service):
        why = f"{by} waits for its end (service_completed_successfully)" if by else "it is not kept running (restart)"
        return _once(name, why, line)
    return _of_ours(name, service, line) if own else _of_others(name, service)


def _once(name: str, why: str, line: str) -> Proposal:
    if found := migration_in(line):
        way = "make that [run] migrate of config/pipeline.toml and take the service out (docs/adopt.md, 5)"
        return Proposal(name, f"{why}, and it runs `{found}`: {way}")
    return Proposal(name, why, {ROLE: Role.TASK})


def _of_ours(name: str, service: Service, line: str) -> Proposal:
    volumes, single = _volumes(service), _replicas(service) == 1
    if volumes and NAMED_DATA.fullmatch(name):
        return Proposal(name, f"it is called {name} and keeps data in the volume {volumes[0]}", {ROLE: Role.SHARED})
    if SCHEDULER.search(line):
        return Proposal(name, f"a scheduler must never run twice: `{line[:80]}`", {ROLE: Role.SINGLETON})
    if DASHBOARD.search(line):
        return Proposal(name, f"shows what the workers do, and one is enough: `{line[:80]}`", {ROLE: Role.SINGLETON})
    if CONSUMER.search(line) and not _ports(service):
        if single:
            return Proposal(name, f"a consumer with replicas: 1: `{line[:80]}`", {ROLE: Role.SINGLETON})
        why = f"a worker: `{line[:80]}`; it runs in both colours while a release switches, so if two must never run: "
        return Proposal(name, f"{why}singleton", {ROLE: Role.SLOT})
    if _ports(service):
        return Proposal(name, f"it is built here and has the port {_ports(service)[0]}", {ROLE: Role.SLOT}, True)
    if port := _hinted(service, line):
        return Proposal(name, f"it is built here and listens on {port}", {ROLE: Role.SLOT, PORT: port}, True)
    if single:
        return Proposal(name, "it is built here, has no port, and replicas: 1", {ROLE: Role.SINGLETON})
    return Proposal(
        name,
        f"no port and no command that tells: slot if it answers or helps (with {PORT} if it answers), singleton if it "
        "must never run twice, task if it ends by itself",
    )


def _of_others(name: str, service: Service) -> Proposal:
    image = filled(str(service.get("image") or ""), {})
    word, volumes = image.partition("@")[0].rpartition("/")[2].partition(":")[0], _volumes(service)
    keeps = f", with data in the volume {volumes[0]}" if volumes else ""
    if PROXY.search(word) and not DATA.search(word):
        return Proposal(name, f"the image {image}: a proxy; the router is Slipway's, take it out (docs/adopt.md, 2)")
    if DATA.search(word):
        return Proposal(name, f"the image {image}{keeps}", {ROLE: Role.SHARED})
    if image:
        return Proposal(name, f"the image {image} is not built here{keeps}", {ROLE: Role.SHARED})
    return Proposal(name, "neither image nor build")


def _with_public(found: list[Proposal], services: Services) -> list[Proposal]:
    """Have one slot that answers the public, by a label where the file alone does not tell."""
    slots = {one.service for one in found if one.labels.get(ROLE) == Role.SLOT}
    slots |= {name for name, one in services.items() if labels_of(one).get(ROLE) == Role.SLOT}
    if any(PORT in labels_of(services[name]) for name in slots):
        return [one if PORT not in one.labels else _without_port(one) for one in found]
    answering = [name for name in slots if _ports(services[name]) or _label(found, name)]
    published = [name for name in answering if services[name].get("ports")]
    if len(answering) < 2 and all(len(_ports(services[name])) < 2 for name in answering):
        return found
    if len(published) == 1 and len(_ports(services[published[0]])) == 1:
        port, public = _ports(services[published[0]])[0], published[0]
        return [_labelled(one, port) if one.service == public else _without_port(one) for one in found]
    names = ", ".join(name for name in services if name in answering)
    why = f'{names} have ports: label the one that answers the public {PORT}: "<port>"'
    return [*map(_without_port, found), Proposal(names, why)]


def _label(found: list[Proposal], name: str) -> bool:
    return any(one.service == name and PORT in one.labels for one in found)


def _labelled(one: Proposal, port: str) -> Proposal:
    return replace(one, why=f"{one.why}, the only published one", labels={**one.labels, PORT: port})


def _without_port(one: Proposal) -> Proposal:
    return replace(one, labels={key: value for key, value in one.labels.items() if key != PORT})


def _words(service: Service, key: str) -> Any:
    given = service.get(key)
    return [str(word) for word in given] if isinstance(given, list) else given if isinstance(given, str) else None


def _ports(service: Service) -> list[str]:
    """Return the ports of the container that a service names, each once."""
    found = []
    for one in [*_list(service.get("ports")), *_list(service.get("expose"))]:
        target = one.get("target") if isinstance(one, Mapping) else filled(str(one), {}).rpartition(":")[2]
        found.append(str(target).partition("/")[0])
    return [one for one in dict.fromkeys(found) if one.isdecimal()]


def _hinted(service: Service, line: str) -> str:
    """Return the port on which a service seems to listen, "" where nothing tells."""
    test = _words(service.get("healthcheck") or {}, "test") if isinstance(service.get("healthcheck"), Mapping) else None
    looks = ((BY_PROXY, str(labels_of(service))), (LISTENS, filled(line, {})), (ASKED, " ".join(words_of(test))))
    hits = [found for pattern, text in looks for found in pattern.finditer(text)]
    return next((port for found in hits for port in found.groups() if port), "")


def _volumes(service: Service) -> list[str]:
    """Return the named volumes in which a service keeps data."""
    return [name for one in _list(service.get("volumes")) for name in _volume(one)]


def _volume(given: Any) -> Iterator[str]:
    if isinstance(given, Mapping):
        source = given.get("source") if given.get("type") == "volume" else None
    else:
        source = str(given).partition(":")[0] if ":" in str(given) else None
    if source and not str(source).startswith((".", "/", "~", "$")):
        yield str(source)


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _replicas(service: Service) -> Any:
    deploy = service.get("deploy")
    return deploy.get("replicas") if isinstance(deploy, Mapping) else service.get("scale")
