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

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from host.errors import ConfigError
from host.sandbox.run import Isolation
from settings import targets
from settings.env_files import read_env_file
from settings.targets import Target

APP_KEY = re.compile(r"APP_([A-Z][A-Z0-9_]*)")
SECRET_KEY = re.compile(r"SECRET_([A-Z][A-Z0-9_]*)")
SECRET_REFERENCE = re.compile(r"generated|file:.+|env:[A-Za-z_][A-Za-z0-9_]*|template:.+")


class Strategy(StrEnum):
    """`direct` stops the old version before it starts the new one; `blue-green` never has none serving."""

    DIRECT = "direct"
    BLUE_GREEN = "blue-green"


class Settings(BaseModel):
    """One environment's settings. Seconds are floats >= 0, rates are fractions in [0, 1]."""

    # No figure ever exceeds "inf": as a limit it would let everything pass.
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=str.upper, allow_inf_nan=False)

    short: Annotated[str, Field(pattern="^(|[a-z][a-z0-9-]{0,29})$")] = ""
    production: bool = False
    release_on_green: bool = False
    runtime: Annotated[str, Field(pattern="^(process|compose)$")] = "process"
    docker_host: str = ""
    router: Annotated[str, Field(pattern="^(embedded|container)$")] = "embedded"
    router_image: str = "envoyproxy/envoy:v1.40-latest"
    project: Annotated[str, Field(pattern="^(|[a-z0-9][a-z0-9_-]{0,50})$")] = ""
    compose_binds: str = ""
    require_live_restore: bool = False
    min_free_disk_mb: float = Field(1024, ge=0)
    host: Annotated[str, AfterValidator(lambda host: str(ip_address(host)))] = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    tls_certificate: Annotated[str, Field(pattern="^(|/.+)$")] = ""
    tls_key: Annotated[str, Field(pattern="^(|/.+)$")] = ""
    redirect_port: int = Field(0, ge=0, le=65535)
    xff_trusted_hops: int = Field(0, ge=0, le=10)
    strategy: Strategy
    approval: Annotated[str, Field(pattern="^(required|none)$")] = "required"
    approval_timeout_seconds: float = Field(3600, ge=5)
    allow_author_approval: bool = False
    required_gates: str
    requires_promotion_in: str = ""
    required_isolation: Isolation = Isolation.NAMESPACES
    max_scan_age_hours: float = Field(24, gt=0)
    health_timeout_seconds: float = Field(30, gt=0)
    migration_timeout_seconds: float = Field(120, gt=0)
    seed: Annotated[str, Field(pattern="^(|samples|masked|full)$")] = ""
    seed_timeout_seconds: float = Field(600, gt=0)
    backup_before_migration: bool = False
    backups_kept: int = Field(5, ge=1)
    backup_timeout_seconds: float = Field(600, gt=0)
    approved_contracts: str = ""
    smoke_timeout_seconds: float = Field(60, gt=0)
    verify_seconds: float = Field(1, ge=0.2, le=60)
    max_query_p95_seconds: float = Field(0.5, gt=0)
    max_memory_mb: float = Field(512, gt=0)
    max_memory_percent: float = Field(90, gt=0)
    max_cpu_percent: float = Field(90, gt=0)
    bake_seconds: float = Field(60, ge=0)
    bake_max_seconds: float = Field(300, ge=0)
    bake_probes_per_second: float = Field(5, ge=0, le=100)
    min_requests: int = Field(50, ge=1)
    max_error_rate: float = Field(0.01, ge=0, le=1)
    max_p95_seconds: float = Field(2.0, gt=0)
    max_p95_ratio: float = Field(3.0, ge=1)
    drain_seconds: float = Field(30, ge=0)
    rollback_window_seconds: float = Field(3600, ge=0)
    max_downtime_seconds: float = Field(0, ge=0)
    watch: Annotated[str, Field(pattern="^(basic|full)$")] = "basic"
    alerts: bool = False
    app: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.bake_max_seconds < self.bake_seconds:
            raise ValueError("BAKE_MAX_SECONDS must not be below BAKE_SECONDS")
        if self.strategy is Strategy.BLUE_GREEN and self.max_downtime_seconds > 0:
            raise ValueError("MAX_DOWNTIME_SECONDS must be 0 for STRATEGY=blue-green")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("TLS_CERTIFICATE and TLS_KEY must both be set, or neither")
        if self.redirect_port and (not self.tls_certificate or self.redirect_port == self.port):
            raise ValueError("REDIRECT_PORT leads to TLS: it needs TLS_CERTIFICATE, and another port than PORT")
        return self

    @property
    def gates(self) -> tuple[str, ...]:
        """Return the names of the checks that the evidence must show as passed."""
        return tuple(name.strip() for name in self.required_gates.split(",") if name.strip())


def read_settings(target: Target, config: Path | None = None) -> Settings:
    """Read and check one environment's file. ConfigError names the file, the key, what it got and what it expected."""
    file = (config or targets.CONFIG) / f"{target.value}.env"
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; copy one of config/*.env and set its keys")
    raw = targets.defaults(target.value) | read_env_file(file)
    sources = dict.fromkeys(raw, str(file))
    prefix = target.variable("")
    for name, value in os.environ.items():
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            raw[key] = value
            sources[key] = f"the environment variable {name}"
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
            app[match[1]] = value
        elif match := SECRET_KEY.fullmatch(key):
            secrets[match[1]] = _reference(sources[key], key, value)
        elif key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f'; did you mean "{near[0]}"?' if near else "; known keys are in the README"
            raise ConfigError(f"{sources[key]}: {key}: unknown key{hint}")
        else:
            values[key] = value
    try:
        return Settings.model_validate({**values, "APP": app, "SECRETS": secrets})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "the file as a whole"
        got = f'got "{raw[key]}", ' if key in raw else ""
        raise ConfigError(f"{sources.get(key, file)}: {key}: {got}{first['msg']}") from error


def _reference(source: str, key: str, value: str) -> str:
    if not SECRET_REFERENCE.fullmatch(value):
        # The value itself may be the secret: it is not repeated here.
        raise ConfigError(
            f"{source}: {key}: expected generated, file:PATH, env:NAME or template:TEXT, got something else (not shown)"
        )
    return value
