import os
from pathlib import Path

import pytest

from control.secret_references import LARGEST_BYTES, alerts_token, create_webhook_secrets, resolve
from host.errors import ConfigError
from host.home import Home

WHERE = "config/notify.toml: slack.token"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_secrets_are_made_once_and_only_we_can_read_them(home: Home) -> None:
    before = os.umask(0)
    try:
        create_webhook_secrets(home)
    finally:
        os.umask(before)
    token = alerts_token(home)
    assert len(token) == 43
    create_webhook_secrets(home)
    assert alerts_token(home) == token
    modes = {file.name: file.stat().st_mode & 0o777 for file in home.keys.iterdir()}
    assert modes == {"github-webhook": 0o600, "alertmanager": 0o600}


def test_the_token_of_alerts_that_was_not_made_is_named(home: Home) -> None:
    with pytest.raises(ConfigError) as told:
        alerts_token(home)
    assert str(told.value) == "the token of POST /alerts: alertmanager: cannot be read (FileNotFoundError)"


def test_a_secret_comes_from_a_file_or_a_variable(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.root / "token").write_text(" xoxb-1\n")
    monkeypatch.setenv("SLACK_TOKEN", " xoxb-2 ")
    assert resolve("file:{home}/token", home, WHERE) == "xoxb-1"
    assert resolve(f"file:{home.root}/token", home, WHERE) == "xoxb-1"
    assert resolve("env:SLACK_TOKEN", home, WHERE) == "xoxb-2"
    (home.root / "token").write_text("x" * (LARGEST_BYTES + 1))
    assert len(resolve("file:{home}/token", home, WHERE)) == LARGEST_BYTES


@pytest.mark.parametrize("value", ["", "  \n"])
def test_an_empty_secret_is_none(home: Home, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (home.root / "token").write_text(value)
    monkeypatch.setenv("SLACK_TOKEN", value)
    for reference in ("env:SLACK_TOKEN", "env:SLIPWAY_NOT_SET", "file:{home}/token"):
        with pytest.raises(ConfigError) as told:
            resolve(reference, home, WHERE)
        assert str(told.value) == f"{WHERE}: {reference} is empty or not set"


@pytest.mark.parametrize(("content", "kind"), [(None, "FileNotFoundError"), (b"\xffsecret", "UnicodeDecodeError")])
def test_a_file_that_cannot_be_read_is_named_without_what_stands_in_it(
    home: Home, content: bytes | None, kind: str
) -> None:
    if content:
        (home.root / "token").write_bytes(content)
    with pytest.raises(ConfigError) as told:
        resolve("file:{home}/token", home, WHERE)
    assert str(told.value) == f"{WHERE}: token: cannot be read ({kind})"
