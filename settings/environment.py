"""What one environment is set to: `config/<environment>.env`, checked whole before anything is changed.

Every key can be overridden for one host by the environment variable `SLIPWAY_<ENVIRONMENT>_<KEY>`, for example
`SLIPWAY_PRODUCTION_PORT=9080`.
"""

import difflib
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from gates.documents import first_error
from gates.release.health_rules import HOST
from host.errors import ConfigError
from host.sandbox.run import Isolation
from settings import targets
from settings.database import DatabaseSettings
from settings.env_files import read_env_file
from settings.redis import RedisSettings
from settings.secret_references import URLS, check_plain, check_templates, checked_reference
from settings.targets import Target
from settings.tls import Tls

APP_KEY = re.compile(r"APP_([A-Z][A-Z0-9_]*)")
SECRET_KEY = re.compile(r"SECRET_([A-Z][A-Z0-9_]*)")

EXTERNAL = re.compile(r"(volume|network)/[A-Za-z0-9][A-Za-z0-9_.-]*|port/[0-9]{1,5}(-[0-9]{1,5})?")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _externals(text: str) -> str:
    for one in _listed(text):
        # The host's own network is none that a file may name.
        if not EXTERNAL.fullmatch(one) or one == "network/host":
            raise ValueError(f'"{one}": expected volume/<name>, network/<name> or port/<number>')
    return text


class Strategy(StrEnum):
    """`direct` stops the old version before it starts the new one; `blue-green` never has none serving."""

    DIRECT = "direct"
    BLUE_GREEN = "blue-green"


class Settings(Tls, DatabaseSettings, RedisSettings):
    """One environment's settings. Seconds are floats >= 0, rates are fractions in [0, 1]."""

    short: Annotated[str, Field(pattern="^(|[a-z][a-z0-9-]{0,29})$")] = ""
    """Name in deployments (`release/<short>`) and of the work pool. Empty: the environment's name; for `development`
    and `production` it is `dev` and `prod`.
    """
    production: bool = False
    """The environment serves the app's users: no seed, release notes when a version is promoted, the weekly report.
    Default `true` for an environment called `production`.
    """
    release_on_green: bool = False
    """A version whose checks are green on a branch of `github.release_on_green` is released here by itself. Default
    `true` for an environment called `development`.
    """
    runtime: Annotated[str, Field(pattern="^(process|compose)$")] = "process"
    """How slots run: processes of this host, or containers of a Docker engine ([adopting a project](adopt.md))."""
    docker_host: str = ""
    """`compose`: the engine's address. Empty: this host's engine."""
    router: Annotated[str, Field(pattern="^(embedded|container)$")] = "embedded"
    """`compose`: Envoy runs as a process (`embedded`) or as a container."""
    router_image: str = "envoyproxy/envoy:v1.40-latest"
    """`compose`: image of Envoy with `ROUTER=container`."""
    project: Annotated[str, Field(pattern="^(|[a-z0-9][a-z0-9_-]{0,50})$")] = ""
    """`compose`: name of the projects on the engine. Empty: `<app>-<SHORT>`."""
    compose_binds: str = ""
    """`compose`: host directories that compose files may mount, separated by commas."""
    compose_external: Annotated[str, AfterValidator(_externals)] = ""
    """`compose`: volumes and networks not of the project that compose files may use, and ports that shared services may
    publish beyond 127.0.0.1: `volume/<name>`, `network/<name>` and `port/<number>`, separated by commas. Slipway
    creates and removes none of them.
    """
    require_live_restore: bool = False
    """`compose`: block a release on an engine that stops all containers when it restarts (`live-restore` is off).
    `false`: only note it.
    """
    min_free_disk_mb: float = Field(1024, ge=0)
    """Free disk space that a release with `compose`, and a backup before a migration, need."""
    host: Annotated[str, AfterValidator(lambda host: str(ip_address(host)))] = "127.0.0.1"
    """Address on which the router listens. Any other than the default can be reached from outside."""
    xff_trusted_hops: int = Field(0, ge=0, le=10)
    """Number of proxies in front of the router whose `X-Forwarded-For` is trusted. 0: none."""
    strategy: Strategy
    """`direct` stops the old version, then starts the new one. `blue-green` starts and tests the new version, then
    switches.
    """
    approval: Annotated[str, Field(pattern="^(required|none)$")] = "required"
    """Whether a release asks a person."""
    approval_timeout_seconds: float = Field(3600, ge=5)
    """How long the question waits for an answer."""
    allow_author_approval: bool = False
    """Whether an author of a released commit may approve it."""
    required_gates: str
    """Names of checks that the evidence must show as passed, separated by commas. May be empty."""
    requires_promotion_in: str = ""
    """Environment that must have promoted the artifact before. Empty: none."""
    allowed_branches: str = ""
    """Branches from which a version may go out, separated by commas; `*` in a name stands for any characters. The
    commit must be reachable from one of them when it is released, in the repository as it is then. Empty: `app.branch`
    and `app.protected` of `config/pipeline.toml`. `*` alone: any, and the repository is not asked.
    """
    required_isolation: Isolation = Isolation.NAMESPACES
    """Weakest isolation of app code that is accepted, in the evidence and on the host."""
    max_scan_age_hours: float = Field(24, gt=0)
    """Security scans older than this block a release."""
    health_host: Annotated[str, Field(pattern=HOST)] = ""
    """The name in the Host header of Slipway's own requests, such as `shop.example.com`, for an app that answers to its
    own names only. Empty: `[health]` `host` of `config/pipeline.toml`.
    """
    health_timeout_seconds: float = Field(30, gt=0)
    """How long a version may take to become healthy. Time in which the host had no processor to spare is not counted
    (up to ten times the limit).
    """
    migration_timeout_seconds: float = Field(120, gt=0)
    """How long the migration may take."""
    seed: Annotated[str, Field(pattern="^(|samples|masked|full)$")] = ""
    """Data that the environment gets once in its life: `samples` for development; `masked` (taken from production by
    your command) or `full` (of production's size) for staging. Empty: none. Refused for production.
    """
    seed_timeout_seconds: float = Field(600, gt=0)
    """How long the seed command may take."""
    backup_before_migration: bool = False
    """Dump the database (pg_dump; mariadb-dump or mysqldump) before a release that has a migration to run. If the dump
    fails, nothing is changed.
    """
    backups_kept: int = Field(5, ge=1)
    """How many dumps stay in `environments/<environment>/backups`."""
    backup_timeout_seconds: float = Field(600, gt=0)
    """How long a dump may take."""
    approved_contracts: str = ""
    """With `APPROVAL=none`: revisions of reviewed migrations that the version before cannot live with, separated by
    commas. Where a person is asked, the question names these migrations and the answer must repeat them. A rollback
    refuses the versions from before them.
    """
    smoke_timeout_seconds: float = Field(60, gt=0)
    """How long the smoke tests may take."""
    verify_seconds: float = Field(1, ge=0.2, le=60)
    """How long answers, query times, memory and processor of the new version are measured before it gets traffic
    (`direct`: after the switch).
    """
    max_query_p95_seconds: float = Field(0.5, gt=0)
    """Limit of the 95th percentile of the app's queries during `VERIFY_SECONDS`, read from its histogram
    `performance.query_metric`.
    """
    max_memory_mb: float = Field(512, gt=0)
    """`process`: limit of the slot's memory, in MB (a million bytes)."""
    max_memory_percent: float = Field(90, gt=0)
    """Limit of memory during `VERIFY_SECONDS`. `compose`: percent of each container's own limit. `process`: percent of
    `MAX_MEMORY_MB`.
    """
    max_cpu_percent: float = Field(90, gt=0)
    """Limit of processor time during `VERIFY_SECONDS`. `compose`: percent of each container's own limit. `process`:
    percent of one processor.
    """
    bake_seconds: float = Field(60, ge=0)
    """Shortest time that a release watches the new version before it promotes."""
    bake_max_seconds: float = Field(300, ge=0)
    """Longest time that a release watches. If the figures still cannot tell, it ends Restored: the old version serves,
    and the new one is not condemned. At least `BAKE_SECONDS`.
    """
    bake_probes_per_second: float = Field(5, ge=0, le=100)
    """Slipway's own requests during the bake, so that a quiet service can be judged. They are sent one at a time, so
    they are fewer when answers are slow.
    """
    min_requests: int = Field(50, ge=1)
    """Users' requests and probes that are needed to judge."""
    max_error_rate: float = Field(0.01, ge=0, le=1)
    """Share of requests that may fail (5xx; of probes any bad answer), of users' requests and of all with the probes.
    Or the share before the switch if that was more. A release rolls back when more fail than chance explains, and
    promotes when no more failed. A probe without an answer in 10 s makes the release wait, and 15 s of nothing but
    those roll back. Time in which the host had no processor to spare is not counted (up to ten times the 15 s).
    """
    max_p95_seconds: float = Field(2.0, gt=0)
    """Limit of the 95th percentile: of Slipway's own requests before the switch; of all requests afterwards, by the
    router's histogram. A release rolls back when more than 5 % take longer than chance explains.
    """
    max_p95_ratio: float = Field(3.0, ge=1)
    """Limit of p95 divided by the p95 of the window before the switch. It counts above 0.25 s and with `MIN_REQUESTS`
    in that window. The lower of the two limits holds.
    """
    drain_seconds: float = Field(30, ge=0)
    """How long the old slot may finish its requests. Streams end then."""
    rollback_window_seconds: float = Field(3600, ge=0)
    """How long the old slot stays warm after a promotion."""
    max_downtime_seconds: float = Field(0, ge=0)
    """Longest time in which a `direct` release may leave nothing serving. A release that took longer ends
    DowntimeExceeded, and its version serves. Must be 0 for `blue-green`.
    """
    watch: Annotated[str, Field(pattern="^(basic|full)$")] = "basic"
    """What `watch` probes every 4 s: the first health path (`basic`), or every health path, the router and the slot
    (`full`).
    """
    alerts: bool = False
    """Report in Slack when the environment becomes unhealthy and when it is healthy again. Roll back by itself a
    release that turns bad within `ROLLBACK_WINDOW_SECONDS`.
    """
    app: dict[str, str] = Field(default_factory=dict)
    """Given to the app as `<NAME>`, with `compose` to every container of slots, singletons and tasks. Any text; one
    with a blank and `#` between quotes, else a comment begins there.
    """
    secrets: dict[str, str] = Field(default_factory=dict)
    """Given to the app as `<NAME>`, with `compose` only to the services whose file names it; preflight says which none
    names. The value is a reference, never the secret: `generated` (made once, kept in the state directory),
    `file:PATH`, `env:VARIABLE`, or `template:TEXT` in which `{NAME}` is another secret. `make up` hands the variable to
    the workers.
    """

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.bake_max_seconds < self.bake_seconds:
            raise ValueError("BAKE_MAX_SECONDS must not be below BAKE_SECONDS")
        if self.strategy is Strategy.BLUE_GREEN and self.max_downtime_seconds > 0:
            raise ValueError("MAX_DOWNTIME_SECONDS must be 0 for STRATEGY=blue-green")
        blue_green = self.strategy is Strategy.BLUE_GREEN
        backup = self.backup_before_migration
        if problem := self.database_problem(runtime=self.runtime, blue_green=blue_green, backup=backup):
            raise ValueError(problem)
        if self.database_port == self.port:
            raise ValueError(f"DATABASE_PORT and PORT are both {self.port}, expected two ports")
        if problem := self.redis_problem(runtime=self.runtime, app=self.app, secrets=self.secrets):
            raise ValueError(problem)
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """Return all references to secrets."""
        return (*self.secrets.values(), *filter(None, (self.database_url, self.redis_url)))

    @property
    def gates(self) -> tuple[str, ...]:
        """Return the names of the checks that the evidence must show as passed."""
        return _listed(self.required_gates)

    @property
    def binds(self) -> tuple[str, ...]:
        """Return the host directories that compose files may mount."""
        return _listed(self.compose_binds)

    @property
    def external(self) -> tuple[str, ...]:
        """Return what is not of the project and compose files may use, as COMPOSE_EXTERNAL."""
        return _listed(self.compose_external)


def read_settings(target: Target, config: Path | None = None) -> Settings:
    """Read and check one environment's file. Raises ConfigError, which names the file, the key, what it got and what it
    expected.
    """
    file = (config or targets.CONFIG) / f"{target.value}.env"
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; copy one of config/*.env and set its keys")
    raw = targets.defaults(target.value) | read_env_file(file)
    sources = dict.fromkeys(raw, str(file))
    for key, variable in target.overrides(os.environ).items():
        if key in targets.OF_THE_FILE_ALONE:
            raise ConfigError(f"{variable}: every host must agree on {key}; set it in {file}")
        raw[key] = os.environ[variable]
        sources[key] = f"the environment variable {variable}"
    settings = _build(file, raw, sources)
    list(target.chain())
    if settings.requires_promotion_in and settings.requires_promotion_in not in targets.names():
        raise ConfigError(
            f'{sources["REQUIRES_PROMOTION_IN"]}: REQUIRES_PROMOTION_IN: got "{settings.requires_promotion_in}", '
            f'expected one of: {", ".join(targets.names())}'
        )
    if settings.seed and settings.production:
        raise ConfigError(
            f'{sources["SEED"]}: SEED: got "{settings.seed}", expected none: production\'s data is its own'
        )
    return settings


def _build(file: Path, raw: Mapping[str, str], sources: Mapping[str, str]) -> Settings:
    """Check the values. `sources` says where each key comes from; what is missing is missing in the file."""
    values: dict[str, object] = {}
    app: dict[str, str] = {}
    secrets: dict[str, str] = {}
    known = {name.upper() for name in Settings.model_fields} - {"APP", "SECRETS"}
    for key, value in raw.items():
        if match := APP_KEY.fullmatch(key):
            check_plain(sources[key], key, value)
            app[match[1]] = value
        elif match := SECRET_KEY.fullmatch(key):
            secrets[match[1]] = checked_reference(sources[key], key, value)
        elif key in URLS and value:
            values[key] = checked_reference(sources[key], key, value)
        elif key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f'; did you mean "{near[0]}"?' if near else "; known keys are in docs/configuration.md"
            raise ConfigError(f"{sources[key]}: {key}: unknown key{hint}")
        else:
            values[key] = value
    check_templates(sources, {key: raw[key] for key in raw if SECRET_KEY.fullmatch(key) or key in URLS})
    try:
        return Settings.model_validate({**values, "APP": app, "SECRETS": secrets})
    except ValidationError as error:
        first = first_error(error)
        if not first["loc"]:  # of several keys, which the message names
            raise ConfigError(f"{file}: {first['msg']}") from error
        key = str(first["loc"][0])
        got = f'got "{raw[key]}", ' if key in raw else ""
        raise ConfigError(f"{sources.get(key, file)}: {key}: {got}{first['msg']}") from error
