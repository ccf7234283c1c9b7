"""What is measured, how often and where its programs listen: `config/monitoring.toml`. Every key has a default."""

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
    """Slipway's own figures. `probe_seconds`: how often health is asked, `prefect_seconds`: how often Prefect is."""

    host: str = "127.0.0.1"
    port: Port = 4220
    app_metrics: bool = True
    probe_seconds: float = Field(5, ge=1, le=300)
    prefect_seconds: float = Field(10, ge=1, le=600)
    delivery_days: float = Field(28, ge=1, le=366)


class Prometheus(_Section):
    """`scrape_seconds` at most 15: the rules look at the last minute, which must hold four scrapes."""

    image: str = "prom/prometheus:v2.53.3"
    port: Port = 9090
    scrape_seconds: float = Field(5, ge=1, le=15)
    evaluation_seconds: float = Field(5, ge=1, le=60)
    retention_days: int = Field(30, ge=1, le=3650)
    memory: str = "1g"


class Alertmanager(_Section):
    """`group_wait_seconds`: how long it waits for more alerts of the same kind before it tells the first."""

    image: str = "prom/alertmanager:v0.28.1"
    port: Port = 9093
    group_wait_seconds: float = Field(1, ge=0, le=300)
    repeat_hours: float = Field(4, gt=0, le=168)
    memory: str = "128m"


class Loki(_Section):
    """Where logs are kept."""

    image: str = "grafana/loki:3.3.2"
    port: Port = 3100
    retention_days: int = Field(14, ge=1, le=3650)
    memory: str = "512m"


class Alloy(_Section):
    """What ships logs to Loki; its port is its own status page."""

    image: str = "grafana/alloy:v1.5.1"
    port: Port = 12345
    memory: str = "256m"


class Grafana(_Section):
    """Where dashboards are looked at; the login is `admin` with the password of keys/grafana-password."""

    image: str = "grafana/grafana:11.4.0"
    port: Port = 3000
    memory: str = "256m"


class Monitoring(_Section):
    """The whole file, checked."""

    exporter: Exporter = Exporter()
    prometheus: Prometheus = Prometheus()
    alertmanager: Alertmanager = Alertmanager()
    loki: Loki = Loki()
    alloy: Alloy = Alloy()
    grafana: Grafana = Grafana()


def read_monitoring(file: Path | None = None) -> Monitoring:
    """Read and check the file; an absent one means all defaults. ConfigError names file, key, got and expected."""
    file = file or FILE
    raw = read_toml(file) if file.exists() else {}
    for variable, (section, key) in OVERRIDES.items():
        if os.environ.get(variable) and isinstance(raw.setdefault(section, {}), dict):
            raw[section][key] = os.environ[variable]
    return checked(Monitoring, raw, file)
