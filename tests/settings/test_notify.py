"""Whom to tell: the file and its references. Bad ones are named, secrets never."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given

from control.plane import Control
from control.secret_references import create_webhook_secrets, resolve, secret_of
from host.errors import ConfigError, ServerAway
from notify.channels import configured
from settings.notify import FILE, read_notify
from tests.prefect_server import a_home, prefect_server
from tests.settings.documents import tables


def read(folder: Path, text: str):  # type: ignore[no-untyped-def]
    file = folder / "notify.toml"
    file.write_text(text, encoding="utf-8")
    return read_notify(file)


def test_the_file_of_this_repository_and_no_file_are_the_defaults(tmp_path: Path) -> None:
    ours = read_notify(FILE)
    assert not configured(ours)  # its tables of channels are empty
    assert ours.model_copy(update={"channels": {}}) == read_notify(tmp_path / "absent.toml") == read(tmp_path, "")


def test_one_host_may_have_its_own_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_RECEIVER_PORT", "5000")
    assert read(tmp_path, "[receiver]\nport = 4999").receiver.port == 5000
    monkeypatch.setenv("SLIPWAY_RECEIVER_PORT", "none")
    with pytest.raises(ConfigError, match="receiver.port"):
        read(tmp_path, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slack = 5", "slack"),
        ('[github]\ntoken = "ghp_thesecretitself"', "github.token"),
        ('[github]\nrepository = "not a repository"', "github.repository"),
        ('[github]\nbranches = ["--upload-pack=x"]', "github.branches.0"),
        ("[receiver]\nport = 0", "receiver.port"),
        ("[receiver]\nport = 65536", "receiver.port"),
        ('[receiver]\nsecret = "x"', "receiver.secret"),
        ("[github]\npoll_seconds = nan", "github.poll_seconds"),
        ("[", "not valid TOML"),
        (
            "[receiver]\nprot = 1",
            "receiver.prot: a key that Slipway does not know; secrets are references: file:, env: or "
            'block:; did you mean "port"?',
        ),
        ("githup = 5", 'did you mean "github"?'),
        ("[[slack]]", "slack"),
        ("[channels.slack]", "channels: no such table"),
        ("[channels]", "channels: no such table"),
        ('ui_url = "http://a\\u0000b"', "ui_url: holds a NUL"),
    ],
)
def test_bad_keys_are_named_and_secrets_are_not_shown(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, text)
    assert said in str(told.value)
    assert "itself" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[slak]", 'slak: no such channel; there are: email, log, slack, teams, webhook; did you mean "slack"?'),
        ("[githup]", 'githup: no such channel; there are: email, log, slack, teams, webhook; did you mean "github"?'),
        ("[slak]\ntoken = 'env:X'", "slak: no such channel"),
        ("[pager]", "pager: no such channel; there are: email, log, slack, teams, webhook"),
        ("['']", ": no such channel; there are: "),
        ("[Slack]", 'Slack: no such channel; there are: email, log, slack, teams, webhook; did you mean "slack"?'),
        ("[slack]\n[slack.inner]\n", "slack.inner: a key that Slipway does not know"),
        ("[slack]\nchanel = 'C1'\n", 'did you mean "channel"?'),
    ],
)
def test_a_table_of_an_unknown_name_is_refused_empty_or_not(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        configured(read(tmp_path, text))
    assert said in str(told.value)


def test_an_empty_table_of_a_channel_is_off(tmp_path: Path) -> None:
    assert configured(read(tmp_path, "[slack]\n[email]\n[webhook]\n")) == []


@pytest.mark.fuzz
@given(tables())
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(ConfigError):
        configured(read(Path(folder), text))


def test_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path)
    create_webhook_secrets(home)
    secret = (home.keys / "github-webhook").read_text()
    create_webhook_secrets(home)
    assert secret_of(read(tmp_path, ""), "github.webhook_secret", home) == secret and len(secret) > 30
    assert (home.keys / "github-webhook").stat().st_mode & 0o777 == 0o600
    assert secret_of(read(tmp_path, ""), "github.token", home) is None
    monkeypatch.setenv("MINE", "value\n")
    assert resolve("env:MINE", home, "x") == "value"
    for bad in ("env:ABSENT", "file:/absent", f"file:{tmp_path}"):
        with pytest.raises(ConfigError, match="config/notify.toml: slack.token"):
            resolve(bad, home, "config/notify.toml: slack.token")


def test_blocks_are_asked_from_prefect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path)
    with prefect_server(home, monkeypatch) as (server, _):
        server.blocks["github-credentials/slipway"] = {"token": "from-a-block"}
        server.blocks["secret/other"] = {"value": "from-another"}
        server.blocks["json/odd"] = {"value": 5}
        assert resolve("block:github-credentials/slipway", home, "x") == "from-a-block"
        assert resolve("block:secret/other", home, "x") == "from-another"
        for bad in ("block:secret/absent", "block:json/odd"):
            with pytest.raises(ConfigError):
                resolve(bad, home, "x")
        server.away = True
        with pytest.raises(ServerAway):
            resolve("block:secret/other", home, "x")


def test_programs_get_the_variables_that_references_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path)
    control = Control(home)
    control.create_auth()
    file = tmp_path / "notify.toml"
    file.write_text('[slack]\ntoken = "env:MY_SLACK"\n')
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(file))
    monkeypatch.setenv("MY_SLACK", "xoxb")
    monkeypatch.setenv("MY_OTHER", "kept to myself")
    environment = control._environment()
    assert environment["MY_SLACK"] == "xoxb" and "MY_OTHER" not in environment
    assert control.own[-3:] == ("receiver", "exporter", "notify")
