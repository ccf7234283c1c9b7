"""Planted advisories: each package here is vulnerable at one version and clean at another."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gates.findings import Severity

NOW = datetime.now(UTC)
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:N/A:N"
LOW = "CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N"
HIGH_V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N"


@dataclass(frozen=True)
class Plant:
    """One vulnerable pin, what must be told of it, and its clean twin."""

    name: str
    vulnerable: str
    clean: str
    rule: str
    severity: Severity
    fixed: str
    records: tuple[dict[str, Any], ...]


def record(identifier: str, name: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return an OSV record about one package of the Python index, changed just now."""
    versions = more.pop("versions", [])
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges, "versions": versions}
    return {
        "schema_version": "1.6.0",
        "id": identifier,
        "modified": NOW.isoformat().replace("+00:00", "Z"),
        "published": "2019-01-01T00:00:00Z",
        "affected": [affected],
        **more,
    }


def vector(text: str) -> list[dict[str, str]]:
    return [{"type": "CVSS_V4" if text.startswith("CVSS:4") else "CVSS_V3", "score": text}]


ZERO = {"introduced": "0"}
PLANTS = (
    Plant(
        # two databases, one vulnerability; the vector is in one of them only
        "jinja2",
        "2.10",
        "3.1.6",
        "CVE-2019-10906",
        Severity.HIGH,
        "2.10.1",
        (
            record(
                "PYSEC-2019-217", "jinja2", ZERO, {"fixed": "2.10.1"}, aliases=["CVE-2019-10906", "GHSA-462w-v97r-4m45"]
            ),
            record(
                "GHSA-462w-v97r-4m45",
                "jinja2",
                ZERO,
                {"fixed": "2.10.1"},
                aliases=["CVE-2019-10906", "PYSEC-2019-217"],
                severity=vector("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N"),
                summary="Sandbox escape",
            ),
        ),
    ),
    Plant(
        "pyyaml",
        "5.3",
        "6.0.2",
        "CVE-2020-14343",
        Severity.CRITICAL,
        "5.4",
        (
            record(
                "GHSA-8q59-q68h-6hv4",
                "pyyaml",
                ZERO,
                {"fixed": "5.4"},
                aliases=["CVE-2020-14343"],
                severity=vector(CRITICAL),
            ),
        ),
    ),
    Plant(
        # no vector anywhere: the alias's own word counts
        "requests",
        "2.19.0",
        "2.32.4",
        "CVE-2018-18074",
        Severity.MEDIUM,
        "2.20.0",
        (
            record(
                "PYSEC-2018-28",
                "requests",
                ZERO,
                {"fixed": "2.20.0"},
                aliases=["CVE-2018-18074", "GHSA-x84v-xcm2-53pg"],
            ),
            record(
                "GHSA-x84v-xcm2-53pg",
                "requests",
                ZERO,
                {"fixed": "2.20.0"},
                aliases=["CVE-2018-18074"],
                database_specific={"severity": "MODERATE"},
            ),
        ),
    ),
    Plant(
        # nobody scored it
        "abandoned",
        "1.0",
        "2.0",
        "PYSEC-2024-1",
        Severity.HIGH,
        "",
        (record("PYSEC-2024-1", "abandoned", ZERO, {"last_affected": "1.5"}),),
    ),
    Plant(
        # versions named one by one, which pip-audit gives no fix for
        "listed",
        "1.0.0",
        "1.2",
        "PYSEC-2024-2",
        Severity.LOW,
        "",
        (record("PYSEC-2024-2", "listed", versions=["1.0", "1.1"], severity=vector(LOW)),),
    ),
    Plant(
        "modern",
        "4.0",
        "4.1",
        "CVE-2025-4000",
        Severity.HIGH,
        "4.0.1",
        (
            record(
                "GHSA-mmmm-oooo-dddd",
                "modern",
                {"introduced": "3"},
                {"fixed": "4.0.1"},
                aliases=["CVE-2025-4000"],
                severity=vector(HIGH_V4),
            ),
        ),
    ),
    Plant(
        # fixed on two branches: the next one up is the one to take
        "branches",
        "1.4",
        "1.5",
        "CVE-2023-1",
        Severity.MEDIUM,
        "1.5",
        (
            record(
                "GHSA-bbbb-rrrr-aaaa",
                "branches",
                ZERO,
                {"fixed": "1.5"},
                {"introduced": "2.0"},
                {"fixed": "2.3"},
                aliases=["CVE-2023-1"],
                severity=vector(MEDIUM),
            ),
        ),
    ),
    Plant(
        # the record only the alias leads to
        "elsewhere",
        "1.0",
        "1.1",
        "GHSA-eeee-llll-ssss",
        Severity.CRITICAL,
        "1.1",
        (
            record("PYSEC-2024-3", "elsewhere", ZERO, {"fixed": "1.1"}, aliases=["GHSA-eeee-llll-ssss"]),
            record("GHSA-eeee-llll-ssss", "another", ZERO, database_specific={"severity": "CRITICAL"}),
        ),
    ),
    Plant(
        "flask-cors",
        "3.0.8",
        "6.0.0",
        "CVE-2020-25032",
        Severity.CRITICAL,
        "3.0.9",
        (
            record(
                "PYSEC-2020-43",
                "Flask_Cors",
                ZERO,
                {"fixed": "3.0.9"},
                aliases=["CVE-2020-25032"],
                severity=vector(CRITICAL),
            ),
        ),
    ),
)
# Withdrawn: it was a mistake.
WITHDRAWN = record("PYSEC-2024-9", "mistaken", ZERO, withdrawn="2024-02-01T00:00:00Z", severity=vector(CRITICAL))


def write_records(directory: Path) -> None:
    """Write every planted record, one a file."""
    for one in [*(record for plant in PLANTS for record in plant.records), WITHDRAWN]:
        (directory / f"{one['id']}.json").write_text(json.dumps(one))
