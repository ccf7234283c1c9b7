"""Reader of `config/monitoring.toml`: the exporter and the monitoring stack. Every key has a default."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from host.home import CHECKOUT
from settings.toml_files import checked, read_toml

FILE = CHECKOUT / "config" / "monitoring.toml"
Port = Annotated[int, Field(ge=1, le=65535)]
# The key, by the environment variable that overrides it for one host.
OVERRIDES = {
    "SLIPWAY_EXPORTER_PORT": ("exporter", "port"),
    "SLIPWAY_PROMETHEUS_PORT": ("prometheus", "port"),
    "SLIPWAY_ALERTMANAGER_PORT": ("alertmanager", "port"),
    "SLIPWAY_LOKI_PORT": ("loki", "port"),
    "SLIPWAY_ALLOY_PORT": ("alloy", "port"),
    "SLIPWAY_GRAFANA_PORT": ("grafana", "port"),
    "SLIPWAY_SCRAPE_SECONDS": ("prometheus", "scrape_seconds"),
    "SLIPWAY_EVALUATION_SECONDS": ("prometheus", "evaluation_seconds"),
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Exporter(_Section):
    """Slipway's own exporter. It runs always."""

    host: str = "127.0.0.1"
    """Address on which it listens."""
    port: Port = 4220
    """Port on which it listens. `SLIPWAY_EXPORTER_PORT` overrides it."""
    app_metrics: bool = True
    """Scrape the app in every slot, at `performance.metrics_path` or `/metrics`."""
    probe_seconds: float = Field(5, ge=1, le=300)
    """How often health is probed."""
    prefect_seconds: float = Field(10, ge=1, le=600)
    """How often Prefect's API is queried."""
    delivery_days: float = Field(28, ge=1, le=366)
    """Window of DORA's figures."""


class Prometheus(_Section):
    """Prometheus, with the alert rules of `config/monitoring/alerts.yml`."""

    image: str = "prom/prometheus:v2.53.3"
    """Image of the container."""
    port: Port = 9090
    """Port on 127.0.0.1. `SLIPWAY_PROMETHEUS_PORT` overrides it."""
    scrape_seconds: float = Field(5, ge=1, le=15)
    """How often it scrapes. At most 15: the rules look at the last minute, which must hold four scrapes.
    `SLIPWAY_SCRAPE_SECONDS` overrides it.
    """
    evaluation_seconds: float = Field(5, ge=1, le=60)
    """How often it evaluates the rules. `SLIPWAY_EVALUATION_SECONDS` overrides it."""
    retention_days: int = Field(30, ge=1, le=3650)
    """How long figures are kept."""
    memory: str = "1g"
    """Limit of the container's memory."""


class Alertmanager(_Section):
    """Alertmanager. It hands alerts to the receiver."""

    image: str = "prom/alertmanager:v0.28.1"
    """Image of the container."""
    port: Port = 9093
    """Port on 127.0.0.1. `SLIPWAY_ALERTMANAGER_PORT` overrides it."""
    group_wait_seconds: float = Field(1, ge=0, le=300)
    """How long it waits for more alerts of the same kind before it reports the first."""
    repeat_hours: float = Field(4, gt=0, le=168)
    """After this time an alert that still fires is reported again."""
    memory: str = "128m"
    """Limit of the container's memory."""


class Loki(_Section):
    """Loki keeps the logs."""

    image: str = "grafana/loki:3.3.2"
    """Image of the container."""
    port: Port = 3100
    """Port on 127.0.0.1. `SLIPWAY_LOKI_PORT` overrides it."""
    retention_days: int = Field(14, ge=1, le=3650)
    """How long log lines are kept."""
    memory: str = "512m"
    """Limit of the container's memory."""


class Alloy(_Section):
    """Alloy ships the logs to Loki."""

    image: str = "grafana/alloy:v1.5.1"
    """Image of the container."""
    port: Port = 12345
    """Port of its status page on 127.0.0.1. `SLIPWAY_ALLOY_PORT` overrides it."""
    memory: str = "256m"
    """Limit of the container's memory."""


class Grafana(_Section):
    """Grafana shows the dashboards. The login is `admin`, with the password of `keys/grafana-password`."""

    image: str = "grafana/grafana:11.4.0"
    """Image of the container."""
    port: Port = 3000
    """Port on 127.0.0.1. `SLIPWAY_GRAFANA_PORT` overrides it."""
    memory: str = "256m"
    """Limit of the container's memory."""


class Monitoring(_Section):
    """The whole file, checked."""

    exporter: Exporter = Exporter()
    prometheus: Prometheus = Prometheus()
    alertmanager: Alertmanager = Alertmanager()
    loki: Loki = Loki()
    alloy: Alloy = Alloy()
    grafana: Grafana = Grafana()


def read_monitoring(file: Path | None = None) -> Monitoring:
    """Read and check the file; an absent one means all defaults. Raises ConfigError, which names file, key, got and
    expected.
    """
    file = file or FILE
    raw = read_toml(file) if file.exists() else {}
    for variable, (section, key) in OVERRIDES.items():
        value = os.environ.get(variable, "")
        if value and isinstance(raw.setdefault(section, {}), dict):
            raw[section][key] = int(value) if value.isascii() and value.isdigit() else value
    return checked(Monitoring, raw, file)
