"""Reader of `config/monitoring/alerts.yml`, Prometheus' rules: which alerts are ours."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from gates.documents import Foreign
from host.errors import ConfigError
from host.home import CHECKOUT

FILE = CHECKOUT / "config" / "monitoring" / "alerts.yml"
CRITICAL = "critical"


class _Part(Foreign, of="Prometheus' rules, which promtool checks"):
    pass


class _Rule(_Part):
    alert: str = ""
    labels: dict[str, str] = {}


class _Group(_Part):
    rules: tuple[_Rule, ...]


class _Rules(_Part):
    groups: tuple[_Group, ...]


def critical_alerts(file: Path | None = None) -> frozenset[str]:
    """Return the names of the alerts that the rules fire as critical. Raises ConfigError if they cannot be read."""
    file = file or FILE
    try:
        read = _Rules.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{file}: not Prometheus' alert rules: {str(error).splitlines()[0][:200]}") from error
    rules = (rule for group in read.groups for rule in group.rules)
    return frozenset(rule.alert for rule in rules if rule.alert and rule.labels.get("severity") == CRITICAL)
