"""Which alerts are ours: the critical ones of Prometheus' rules."""

from pathlib import Path

import pytest

from host.errors import ConfigError
from settings.alert_rules import critical_alerts


def test_the_critical_alerts_of_this_repository_are_ours() -> None:
    assert {"ErrorRateHigh", "LatencyHigh", "ServiceDown", "DatabaseLost", "PoolExhausted"} <= critical_alerts()
    assert not {"DiskFilling", "slot:requests:rate1m", ""} & critical_alerts()


@pytest.mark.parametrize("text", ["", "groups: 5", "[", "groups:\n- name: x", "groups:\n- rules: [{alert: [1]}]"])
def test_what_is_not_rules_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "alerts.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="alerts.yml: not Prometheus' alert rules"):
        critical_alerts(file)
    with pytest.raises(ConfigError, match="absent.yml"):
        critical_alerts(tmp_path / "absent.yml")
