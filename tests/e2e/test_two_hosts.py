"""Production on a host of its own: its worker takes the runs, the Prefect server and the rest are another host's.

Slack is told of production from there; who presses a button is heard on the first one.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.ports import free_port
from tests.installation import Installation
from tests.serving import serving
from tests.slack_server import APP_TOKEN, CHANNEL, TOKEN, SlackServer
from tests.waiting import wait_for

ROBIN = "U0EXAMPLE1"  # in config/approvers.toml
pytestmark = [pytest.mark.stack, pytest.mark.gauntlet]


class Host:
    """A second host: a home of its own, which shares with the first one the store, and the login of its server."""

    def __init__(self, first: Installation, root: Path) -> None:
        self.installation = Installation(root)
        self.environment = {
            "SLIPWAY_HOME": str(root),
            "SLIPWAY_POOLS": "prod",
            "SLIPWAY_PREFECT_URL": first.control.url,
            "SLIPWAY_STORE": str(first.home.store),
            "SLIPWAY_REPOSITORY": str(first.root / "demo" / "assistant"),
            **{f"SLIPWAY_{name}_PORT": str(free_port()) for name in ("RECEIVER", "EXPORTER", "PRODUCTION")},
        }
        keys, theirs = self.installation.home.keys, first.home.keys
        (keys / "trusted").mkdir(parents=True)
        shutil.copy(theirs / "prefect-auth", keys)
        for file in (theirs / "trusted").iterdir():
            shutil.copy(file, keys / "trusted")

    @contextmanager
    def on_it(self) -> Iterator[Installation]:
        """Type what is typed there."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield self.installation
        finally:
            os.environ.clear()
            os.environ.update(before)

    def type(self, *argv: str) -> str:
        with self.on_it() as here:
            done = here.slipway(*argv, timeout_s=1800)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout


@pytest.fixture
def slack(installation: Installation, tmp_path: Path) -> Iterator[SlackServer]:
    """Tell both hosts of a Slack."""
    server = SlackServer()
    with serving(server.app) as server.url:
        for name, token in (("slack", TOKEN), ("app", APP_TOKEN)):
            (tmp_path / name).write_text(token)
        config = tmp_path / "notify.toml"
        config.write_text(
            f'[slack]\nbase_url = "{server.url}/api/"\ntoken = "file:{tmp_path}/slack"\n'
            f'app_token = "file:{tmp_path}/app"\nchannel = "{CHANNEL}"\nauthors = false\n'
        )
        os.environ["SLIPWAY_NOTIFY"] = str(config)
        try:
            up(installation)
            wait_for(lambda: bool(server.sockets), "Slack's listener connects")
            yield server
        finally:
            del os.environ["SLIPWAY_NOTIFY"]
            up(installation)


def up(installation: Installation) -> None:
    """Have the programs run with the environment as it is now."""
    done = installation.slipway("up", timeout_s=400)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def second(installation: Installation, slack: SlackServer, tmp_path: Path) -> Iterator[Host]:
    host = Host(installation, tmp_path / "second")
    installation.control.supervisor.stop("worker-prod", wait_s=60)
    try:
        host.type("up")
        yield host
    finally:
        host.type("down")
        installation.control.supervisor.start("worker-prod", wait_s=60)


def test_a_release_runs_on_the_host_of_its_environment(
    installation: Installation, second: Host, slack: SlackServer
) -> None:
    before = installation.place().ledger()
    version, digest = installation.new_version()
    run = installation.release(version)
    wait_for(lambda: slack.newest(f"Release {version} to production?") is not None, "Slack asks")
    question = slack.newest(f"Release {version} to production?")
    assert question is not None
    assert "are not named in config/approvers.toml" in slack.press(question, "U0STRANGER")
    assert "the run judges it" in slack.press(question, ROBIN)
    assert installation.ended(run)[0] == "Promoted"
    wait_for(lambda: slack.newest(f"{version} serves production") is not None, "Slack knows")
    with second.on_it() as here:
        ledger = here.place().ledger()
        assert ledger.live is not None and ledger.live.version.digest == digest
        running = ["exporter", "flow-starter", "notify", "receiver", "watch", "worker-prod"]
        assert sorted(here.control.supervisor.states()) == running
        assert {one.name for one in (here.root / "environments").iterdir()} == {"production"}
    assert installation.place().ledger().entries == before.entries  # nothing happened on the first one

    shown = second.type("status")
    assert version in shown and "answers" in shown and not re.search(r"^. staging\b", shown, re.MULTILINE)
    wait_for(lambda: bool(page(installation)), "its cockpit is in the first one's UI")
    assert version in page(installation)

    report = installation.api.start("report/weekly", {}, f"report-{digest}")
    assert report is not None
    assert installation.ended(report)[0] == "Completed"
    assert (second.installation.root / "reports" / "production.html").exists()


def page(installation: Installation) -> str:
    """Return the second host's cockpit."""
    wanted = {"artifacts": {"key": {"any_": ["cockpit-prod"]}}}
    found = installation.api.call("POST", "/artifacts/latest/filter", wanted)
    return str(found[0]["description"]) if found else ""
