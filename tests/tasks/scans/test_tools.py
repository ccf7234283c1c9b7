import os
from pathlib import Path

import pytest

from host.errors import ToolError
from host.sandbox.run import Completed
from tasks.scans.tools import Scanner, parse_json, read_json, scanner
from tests.tasks.scans.subjects import fake_tool, make_subject

DONE = Completed(1, "first\n\n  the last \n\n", False, False, False, 1.0)


@pytest.mark.parametrize(("size", "fine"), [(10, True), (11, False)])
def test_a_report_has_a_largest_size(tmp_path: Path, size: int, fine: bool) -> None:
    report = tmp_path / "report.json"
    report.write_text("1" * size)
    if fine:
        assert read_json(report, DONE, 10) == 1111111111
    else:
        with pytest.raises(ToolError, match="11 bytes, at most 10"):
            read_json(report, DONE, 10)


def test_traps_in_place_of_a_report_are_not_followed_nor_waited_for(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe", "absent"):
        with pytest.raises(ToolError):
            read_json(tmp_path / name, DONE)


@pytest.mark.parametrize("raw", [b"", b" \n", b"{", b"\xff", b"[" * 100_000, b"[1, 2"])
def test_what_is_not_whole_is_told_with_the_last_words(raw: bytes) -> None:
    with pytest.raises(ToolError, match=r"exit code 1\): the last"):
        parse_json(raw, DONE)


def test_only_programs_are_scanners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text").write_text("")
    for place in (tmp_path, tmp_path / "text", tmp_path / "absent"):
        monkeypatch.setenv("SLIPWAY_PIP_AUDIT", str(place))
        with pytest.raises(ToolError, match=f"pip-audit is absent: {place.name} is no program"):
            scanner("pip-audit")


def test_only_scanners_with_a_network_learn_how_to_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("certificate")
    authority.chmod(0o644)
    for name, value in {
        "HTTPS_PROXY": "http://proxy",
        "SSL_CERT_FILE": str(authority),
        "REQUESTS_CA_BUNDLE": "/absent",
    }.items():
        monkeypatch.setenv(name, value)
    body = "print(os.environ.get('HTTPS_PROXY'), open(os.environ.get('SSL_CERT_FILE', '/dev/null')).read(), "
    body += "os.environ.get('REQUESTS_CA_BUNDLE'))"
    monkeypatch.setenv("SLIPWAY_BANDIT", str(fake_tool(tmp_path / "fake", body)))
    subject = make_subject(tmp_path / "subject", {})
    with_network = Scanner.of(subject, "code", "bandit", 20, network=True).run()
    assert with_network.output.split() == ["http://proxy", "certificate", "None"]
    assert Scanner.of(subject, "code", "bandit", 20).run().output.split() == ["None", "None"]
