"""What must name every scan, names every scan."""

import re
from pathlib import Path

import pytest

from deployments import verified_evidence
from gates.scans.security import RULES
from gates.scans.security_score import SCORE
from host.home import CHECKOUT
from settings.environment import read_settings
from settings.targets import Target
from tasks import scans
from tasks.scans import SCANS, keys
from tasks.scans.all import scanners


def test_every_module_that_scans_is_a_scan_with_a_rule() -> None:
    modules = {
        file.stem
        for file in Path(scans.__file__).parent.glob("*.py")
        if re.search(rf"^def scan_{file.stem}\(subject: Subject\) -> Looked", file.read_text(encoding="utf-8"), re.M)
    }
    assert modules == set(RULES)
    assert set(scanners()) == set(SCANS)


def test_every_scan_says_what_it_reads() -> None:
    assert set(keys.READS) == set(SCANS)


def test_a_release_asks_for_the_freshness_of_every_scan() -> None:
    assert set(verified_evidence.SCANS) == {*SCANS, SCORE}


@pytest.mark.parametrize("target", [Target("staging"), Target("production")])
def test_staging_and_production_require_every_scan(target: Target) -> None:
    assert set(SCANS) <= set(read_settings(target, CHECKOUT / "config").required_gates.split(","))


def test_the_documents_name_every_scan() -> None:
    text = (CHECKOUT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert [name for name in SCANS if f"| `{name}` |" not in text] == []
