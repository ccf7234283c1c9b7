"""The configuration of the monitoring stack, as plain values of what config/monitoring.toml says. No I/O.

Everything runs in the host's network and listens on 127.0.0.1: what is measured does so too, and no container network
reaches that.
"""

from typing import Any

from settings.monitoring import Monitoring

Document = dict[str, Any]
LOCAL = "127.0.0.1"
# Where things lie in the containers.
RULES = "/etc/slipway/alerts.yml"
TOKEN = "/etc/slipway/token"  # nosec B105  # the path of the file, not the token
CONFIG = "/etc/slipway"
DATA = "/data"
# What an app may not say: the names of our own series, of the rules' and of Prometheus' own.
OUR_NAMES = "slipway_.*|envoy_.*|slot:.*|up|ALERTS.*|scrape_.*|prometheus_.*|alertmanager_.*"
# Of one scrape of an app. Beyond them the whole scrape is refused, and AppMetricsRefused fires.
APP_LIMITS = {
    "body_size_limit": "8MB",
    "sample_limit": 10_000,
    "label_limit": 30,
    "label_name_length_limit": 200,
    "label_value_length_limit": 1_000,
}


def prometheus(monitoring: Monitoring) -> Document:
    """Return prometheus.yml: what moves is asked of the exporter (services/exporter/targets.py)."""
    exporter = f"{LOCAL}:{monitoring.exporter.port}"
    every = f"{monitoring.prometheus.scrape_seconds:g}s"
    discovered = {"refresh_interval": every}
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": f"{monitoring.prometheus.evaluation_seconds:g}s",
        },
        "rule_files": [RULES],
        "alerting": {"alertmanagers": [_static(f"{LOCAL}:{monitoring.alertmanager.port}", as_list=True)]},
        "scrape_configs": [
            {"job_name": "exporter", "static_configs": [_static(exporter)]},
            {
                "job_name": "app",
                "http_sd_configs": [{"url": f"http://{exporter}/targets/app", **discovered}],
                "honor_labels": False,
                "honor_timestamps": False,
                "follow_redirects": False,
                "metric_relabel_configs": [
                    {"source_labels": ["__name__"], "regex": OUR_NAMES, "action": "drop"},
                ],
                **APP_LIMITS,
            },
            {
                "job_name": "router",
                "http_sd_configs": [{"url": f"http://{exporter}/targets/router", **discovered}],
                "metric_relabel_configs": [
                    # A slot is a cluster of Envoy's, and is called slot everywhere else.
                    {"source_labels": ["envoy_cluster_name"], "regex": "(.+)", "target_label": "slot"}
                ],
            },
            {"job_name": "prometheus", "static_configs": [_static(f"{LOCAL}:{monitoring.prometheus.port}")]},
            {"job_name": "alertmanager", "static_configs": [_static(f"{LOCAL}:{monitoring.alertmanager.port}")]},
        ],
    }


def _static(address: str, as_list: bool = False) -> Document:
    return {"static_configs": [{"targets": [address]}]} if as_list else {"targets": [address]}


def alertmanager(monitoring: Monitoring, receiver_port: int) -> Document:
    """Return alertmanager.yml: everything goes to the receiver, which tells Slack and starts rollbacks.

    One group for each alert of an environment and digest: a group that waits for others would keep a rollback waiting.
    """
    route = {
        "receiver": "slipway",
        "group_by": ["alertname", "environment", "digest"],
        "group_wait": f"{monitoring.alertmanager.group_wait_seconds:g}s",
        "group_interval": "10s",
        "repeat_interval": f"{monitoring.alertmanager.repeat_hours * 3600:.0f}s",
    }
    hook = {
        "url": f"http://{LOCAL}:{receiver_port}/alerts",
        "send_resolved": True,
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": TOKEN}, "follow_redirects": False},
    }
    return {
        "global": {"resolve_timeout": "5m"},
        "route": route,
        "receivers": [{"name": "slipway", "webhook_configs": [hook]}],
        # Nobody needs to be told that the database is lost by each consequence of it.
        "inhibit_rules": [
            {
                "source_matchers": ["alertname = ServiceDown"],
                "target_matchers": ["alertname =~ DatabaseLost|PoolExhausted|ErrorRateHigh|LatencyHigh"],
                "equal": ["environment", "digest"],
            },
            {
                "source_matchers": ["alertname = ExporterDown"],
                "target_matchers": ["alertname =~ RouterDown|ProgramDown|PrefectDown|WorkerLost"],
            },
        ],
    }


def loki(monitoring: Monitoring) -> Document:
    """Return loki.yml: one process, files on this host, old lines removed."""
    port = monitoring.loki.port
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": LOCAL,
            "http_listen_port": port,
            "grpc_listen_address": LOCAL,
            "grpc_listen_port": port + 1,
            "log_level": "warn",
        },
        "common": {
            "instance_addr": LOCAL,
            "path_prefix": DATA,
            "replication_factor": 1,
            "ring": {"instance_addr": LOCAL, "kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": f"{DATA}/chunks", "rules_directory": f"{DATA}/rules"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "limits_config": {"retention_period": f"{monitoring.loki.retention_days * 24}h", "volume_enabled": True},
        "compactor": {
            "working_directory": f"{DATA}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
    }


def datasources(monitoring: Monitoring) -> Document:
    """Return Grafana's data sources. Their uids are the ones that the dashboards name."""
    prometheus_port, loki_port = monitoring.prometheus.port, monitoring.loki.port
    made: list[Document] = [
        {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "url": f"http://{LOCAL}:{prometheus_port}",
            "isDefault": True,
            "jsonData": {"timeInterval": f"{monitoring.prometheus.scrape_seconds:g}s", "httpMethod": "POST"},
        },
        {"name": "Loki", "uid": "loki", "type": "loki", "url": f"http://{LOCAL}:{loki_port}"},
    ]
    return {"apiVersion": 1, "datasources": [{**one, "access": "proxy", "editable": False} for one in made]}


def dashboard_provider() -> Document:
    """Return where Grafana finds the dashboards. They are files: a change in the browser is not kept."""
    provider = {
        "name": "slipway",
        "folder": "Slipway",
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": f"{CONFIG}/dashboards"},
    }
    return {"apiVersion": 1, "providers": [provider]}
