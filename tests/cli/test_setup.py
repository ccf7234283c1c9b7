import os
from pathlib import Path

import pytest

from cli.setup import prepare, write_env
from evidence.signing import Keys
from host.errors import ConfigError
from host.home import CHECKOUT, Home

OURS = {"PREFECT_API_URL": "http://127.0.0.1:4200/api", "PREFECT_API_AUTH_STRING": "slipway:secret"}
WRITTEN = "PREFECT_API_URL=http://127.0.0.1:4200/api\nPREFECT_API_AUTH_STRING=slipway:secret\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_a_new_file_has_our_lines_and_is_nobody_elses(file: Path) -> None:
    write_env(file, OURS)
    assert file.read_text() == WRITTEN
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ("", ""),
        ("\n", "\n"),
        ("MINE=1\n", "MINE=1\n"),
        ("MINE=1", "MINE=1\n"),
        ("# mine\n\nA = 'b c'\n", "# mine\n\nA = 'b c'\n"),
        ("#PREFECT_API_URL=old\n", "#PREFECT_API_URL=old\n"),
        ("PREFECT_API_URL_2=mine\n", "PREFECT_API_URL_2=mine\n"),
        ("A=a\u2028b\x0cc\r\n", "A=a\u2028b\x0cc\r\n"),  # not ends of lines to anybody who reads the file
        ("PREFECT_API_URL=old\nMINE=1\n", "MINE=1\n"),
        ("PREFECT_API_URL = old\n", ""),
        ("export PREFECT_API_URL=old\n", ""),
        ("PREFECT_API_URL=old\nPREFECT_API_URL=older\n", ""),
    ],
)
def test_a_persons_own_lines_are_left_alone(file: Path, before: str, kept: str) -> None:
    file.write_bytes(before.encode())
    write_env(file, OURS)
    assert file.read_bytes().decode() == kept + WRITTEN
    write_env(file, OURS)
    assert file.read_bytes().decode() == kept + WRITTEN


def test_nothing_is_written_when_nothing_changes_but_the_mode_is_mended(file: Path) -> None:
    write_env(file, OURS)
    os.utime(file, (1, 1))
    file.chmod(0o644)
    write_env(file, OURS)
    assert file.stat().st_mtime == 1 and file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_read_is_not_lost(file: Path) -> None:
    file.write_bytes(b"MINE=\xff\n")
    with pytest.raises(ConfigError, match=".env: cannot be read"):
        write_env(file, OURS)
    assert file.read_bytes() == b"MINE=\xff\n"
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        write_env(file, OURS)


def test_the_file_belongs_to_the_home(tmp_path: Path) -> None:
    assert Home(CHECKOUT / ".slipway").env_file == CHECKOUT / ".env"
    assert Home(tmp_path).env_file == tmp_path / ".env"


def test_preparing_again_keeps_keys_and_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", "4242")
    home = Home(tmp_path / "state")
    prepare(home)
    before = {file: file.read_bytes() for file in home.root.rglob("*") if file.is_file()}
    assert b"PREFECT_API_URL=http://127.0.0.1:4242/api\n" in before[home.root / ".env"]
    prepare(home)
    assert {file: file.read_bytes() for file in home.root.rglob("*") if file.is_file()} == before
    assert home.keys.stat().st_mode & 0o777 == 0o700
    assert Keys(home.keys).verify(Keys(home.keys).sign({"a": 1})) == {"a": 1}
    credential = (home.keys / "prefect-auth").read_text()
    assert credential.startswith("slipway:") and len(credential) > 30
    assert (home.keys / "prefect-auth").stat().st_mode & 0o777 == 0o600


def test_a_bad_port_is_told_with_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for port in ("", "x", "0", "65536", "-1", "4.2"):
        monkeypatch.setenv("SLIPWAY_PREFECT_PORT", port)
        with pytest.raises(ConfigError, match="SLIPWAY_PREFECT_PORT: got"):
            prepare(Home(tmp_path / "state"))
