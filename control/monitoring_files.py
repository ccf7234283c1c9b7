"""The configuration of the monitoring stack, as plain values of what config/monitoring.toml says. No I/O.

All but Loki run in the host's network and listen on 127.0.0.1: what is measured does so too, and no container network
reaches that. Everybody on the host does, the app included: they speak TLS, and only with those who show the client
certificate of keys/ (control/monitoring_keys.py).
"""

from typing import Any

from control.monitoring_keys import Certificates
from settings.monitoring import Monitoring

Document = dict[str, Any]
LOCAL = "127.0.0.1"
# Where things lie in the containers.
RULES = "/etc/slipway/alerts.yml"
# Of Loki's own network; docker publishes it on 127.0.0.1.
EVERY_ADDRESS = "0.0.0.0"  # nosec B104
TOKEN = "/etc/slipway/token"  # nosec B105  # the path of the file, not the token
CONFIG = "/etc/slipway"
DATA = "/data"
TLS = f"{CONFIG}/tls"
LOKI_PORT = 3100  # in Loki's own network; on the host it has the port that config/monitoring.toml says
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
        "alerting": {"alertmanagers": [_ours(monitoring.alertmanager.port)]},
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
            {"job_name": "prometheus", **_ours(monitoring.prometheus.port)},
            {"job_name": "alertmanager", **_ours(monitoring.alertmanager.port)},
        ],
    }


def _ours(port: int) -> Document:
    """Return how Prometheus asks a program of the stack."""
    files = {"ca_file": f"{TLS}/ca.crt", "cert_file": f"{TLS}/client.crt", "key_file": f"{TLS}/client.key"}
    return {"scheme": "https", "tls_config": files, "static_configs": [_static(f"{LOCAL}:{port}")]}


def _static(address: str) -> Document:
    return {"targets": [address]}


def _server() -> Document:
    """Return the server's side, in the words that Prometheus, Alertmanager and Loki share."""
    return {
        "cert_file": f"{TLS}/server.crt",
        "key_file": f"{TLS}/server.key",
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": f"{TLS}/ca.crt",
    }


def web() -> Document:
    """Return web.yml of Prometheus and Alertmanager: whom they answer."""
    return {"tls_server_config": {**_server(), "min_version": "TLS12"}}


def client(directory: str) -> Document:
    """Return what amtool and promtool read (`--http.config.file`), for the client's files in `directory`."""
    names = {"ca_file": "ca.crt", "cert_file": "client.crt", "key_file": "client.key"}
    return {"tls_config": {key: f"{directory}/{name}" for key, name in names.items()}}


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
    """Return loki.yml: one process in a network of its own, files on this host, old lines removed.

    Out of that network leads one port of 127.0.0.1. Its parts speak with each other over gRPC, which asks nobody who he
    is: that stays inside.
    """
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": EVERY_ADDRESS,
            "http_listen_port": LOKI_PORT,
            "http_tls_config": _server(),
            "tls_min_version": "VersionTLS12",
            "grpc_listen_address": LOCAL,
            "grpc_listen_port": LOKI_PORT + 1,
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
        "limits_config": {
            "retention_period": f"{monitoring.loki.retention_days * 24}h",
            "volume_enabled": True,
            "deletion_mode": "disabled",  # lines go when their time is over, and not on request
        },
        "compactor": {
            "working_directory": f"{DATA}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
    }


def datasources(monitoring: Monitoring, shown: Certificates) -> Document:
    """Return Grafana's data sources, with what it shows them. Their uids are the ones that the dashboards name."""
    secrets = {
        "tlsCACert": shown.authority.decode(),
        "tlsClientCert": shown.client.decode(),
        "tlsClientKey": shown.client_key.decode(),
    }
    prometheus_port, loki_port = monitoring.prometheus.port, monitoring.loki.port
    made: list[Document] = [
        {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "url": f"https://{LOCAL}:{prometheus_port}",
            "isDefault": True,
            "jsonData": {"timeInterval": f"{monitoring.prometheus.scrape_seconds:g}s", "httpMethod": "POST"},
        },
        {"name": "Loki", "uid": "loki", "type": "loki", "url": f"https://{LOCAL}:{loki_port}", "jsonData": {}},
    ]
    tls = {"tlsAuth": True, "tlsAuthWithCACert": True, "serverName": LOCAL}
    common = {"access": "proxy", "editable": False, "secureJsonData": secrets}
    sources = [{**one, "jsonData": {**one["jsonData"], **tls}, **common} for one in made]
    return {"apiVersion": 1, "datasources": sources}


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
