"""The demo: from a commit to production and back, under traffic, on a bare machine."""

import os

import psutil
import pytest

from deployments.runtimes.layout import app_secrets
from settings.targets import Target
from tests.installation import Installation, read_json

pytestmark = [pytest.mark.stack]


def test_demo_ends_as_expected(installation: Installation) -> None:
    assert installation.demo_exit in (0, None), installation.demo_output


def test_no_request_is_lost_over_the_switches_and_the_rollbacks(installation: Installation) -> None:
    report = read_json(installation.demo_report)
    assert report["totals"]["sent"] > 1000
    assert report["totals"]["lost"] == 0, report["lost"]
    assert report["totals"]["not_sent"] == 0
    assert report["totals"]["app_error"] > 0  # the bad version was really bad


def test_production_was_never_down(installation: Installation) -> None:
    probes = read_json(installation.demo_report)["probes"]
    assert probes["production"]["downtime_s"]["longest"] == 0
    limit = installation.place(Target("staging")).settings.max_downtime_seconds
    assert probes["staging"]["downtime_s"]["longest"] <= limit


def test_bad_version_is_condemned_and_the_first_one_serves(installation: Installation) -> None:
    ledger = installation.place().ledger()
    outcomes = [(one.kind, one.version.version, one.outcome) for one in ledger.operations[:4]]
    assert outcomes == [
        ("release", "v1", "promoted"),
        ("release", "v2", "promoted"),
        ("release", "v3", "rolled back"),
        ("rollback", "v1", "rolled back"),
    ]
    condemned = {ledger.versions[digest].version for digest in ledger.condemned}
    assert {"v2", "v3"} <= condemned


def test_status_tells_what_is_live(installation: Installation) -> None:
    said = installation.slipway("status")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "production" in said.stdout and "healthy" in said.stdout


def test_no_secret_stands_in_a_log(installation: Installation) -> None:
    places = [installation.place(target) for target in Target.all()]
    secrets = {secret for place in places for secret in app_secrets(place, place.runtime.database.secrets())}
    secrets.add(installation.control.auth.partition(":")[2])
    logs = [path for path in installation.root.rglob("*.log*") if path.is_file() and not path.name.endswith(".lock")]
    assert len(logs) > 10
    for path in logs:
        text = path.read_text(errors="replace")
        assert not [path for secret in secrets if secret in text], path


def test_nothing_listens_beyond_this_host(installation: Installation) -> None:
    mine = {
        int(os.environ[f"SLIPWAY_{name}_PORT"])
        for name in ("PREFECT", "RECEIVER", "EXPORTER", "DEVELOPMENT", "STAGING", "PRODUCTION")
    }
    listening = [one.laddr for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    found = [address for address in listening if address.port in mine]
    assert {address.port for address in found if address.ip == "127.0.0.1"} == mine
    assert {address.ip for address in found} <= {"127.0.0.1", "::1"}
