"""The delivery report: one file that loads nothing, with every plot, and hostile names stay names."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from deployments.past_releases import CiRun
from gates.delivery import Delivered, deployments_of, dora_figures
from gates.notify.slack_blocks import blocks
from host.errors import ConfigError
from host.home import Home
from host.ports import free_port
from settings.targets import Target
from tasks.delivery import plots
from tasks.delivery.collect import Report, collect
from tasks.delivery.page import PLOTS, html_page, markdown_page, report_message
from tests.many_releases import operations_of, releases, write_journal
from tests.slack_server import bad_blocks

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
EVIL = "<script>alert(1)</script>|**x**"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    directory = tmp_path_factory.mktemp("journal")
    since = UNTIL - timedelta(days=60)
    write_journal(directory / "journal.jsonl", releases(200, since, timedelta(hours=7)))
    operations = operations_of(directory)
    deployments = tuple(deployments_of(operations))
    arrivals = tuple(
        Delivered(one.release.version.commit, one.at, 600.0 * (n % 30 + 1)) for n, one in enumerate(deployments)
    )
    return Report(
        app="assistant",
        environment="production",
        since=since,
        until=UNTIL,
        figures=dora_figures(deployments, arrivals, since, UNTIL),
        times=(),
        deployments=deployments,
        arrivals=arrivals,
        steps=(("install", 3.0), (EVIL, 0.05)),
        ci=tuple(CiRun(since + timedelta(hours=n), 1500.0, n % 9 > 0) for n in range(300)),
        tests=(),
        flaky=((EVIL, 3),),
        heads=(("production", 12, "a" * 64),),
        notes=(EVIL,),
    )


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Report]:
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", str(free_port()))
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    home = Home(tmp_path)
    home.create()
    (home.keys / "prefect-auth").write_text("slipway:x")
    yield collect(home, 90, Target("production"))


@pytest.mark.parametrize("draw", [draw for _, _, draw in PLOTS])
def test_each_plot_is_an_svg(report: Report, draw: plots.Draw) -> None:
    picture = plots.svg(report, draw)
    assert fromstring(picture).tag.endswith("svg")
    assert plots.INK not in picture and "currentColor" in picture


def test_the_page_loads_nothing_and_shows_names_as_they_are(report: Report) -> None:
    page = html_page(report)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=[\"']https?:", page)
    assert page.count("<svg") == len(PLOTS)
    identifiers = re.findall(r'<clipPath id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    failed = [one.release.version.version for one in report.deployments if one.failed]
    assert failed and f"<td>{failed[-1]}</td>" in page


def test_an_empty_installation_says_no_data_everywhere(empty: Report) -> None:
    page = html_page(empty)
    assert page.count("<b>no data</b>") == 10 and "<svg" not in page
    assert "0.0 %" not in page
    assert "Prefect server does not answer" in page
    assert "no data" in markdown_page(empty)
    assert report_message(empty).headline.endswith("no data")
    assert plots.png(empty).startswith(b"\x89PNG")


def test_the_report_of_another_hosts_environment_is_refused(empty: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_POOLS", "ci,staging")
    with pytest.raises(ConfigError, match="production is another host's"):
        collect(Home.find(), 90, Target("production"))


def test_the_message_holds_the_journals_heads(report: Report) -> None:
    message = report_message(report)
    assert f"journal of production: entry 12, {'a' * 64}" in message.lines
    assert bad_blocks(blocks(message)) == ""


def test_the_picture_is_a_png(report: Report) -> None:
    assert plots.png(report).startswith(b"\x89PNG")


def test_the_ui_page_cannot_be_broken_by_names(report: Report) -> None:
    page = markdown_page(report)
    assert "<script>" not in page and EVIL not in page
