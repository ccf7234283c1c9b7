"""An environment is compared with its lock when it is made."""

from pathlib import Path

import pytest

from gates.locks import Lock, Locked
from host.errors import ToolError
from host.virtual_environments import check_environment

LOCK = Lock((Locked(1, "a-b", "1.0"), Locked(2, "c", "2")))
OURS = b"home = /usr/bin\n"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    for name in ("a_b-1.0.dist-info", "c-2.dist-info"):
        (tmp_path / "lib" / "python3.11" / "site-packages" / name).mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_bytes(OURS)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.11").symlink_to("/usr/bin/python3")
    (tmp_path / "lib64").symlink_to("lib")
    return tmp_path


def test_what_the_lock_names_is_accepted(environment: Path) -> None:
    check_environment(environment, LOCK, OURS)


def test_a_package_does_not_choose_the_interpreters_home(environment: Path) -> None:
    (environment / "pyvenv.cfg").write_text("home = /srv/slipway/.slipway/bin\n")
    with pytest.raises(ToolError, match="replaced pyvenv.cfg"):
        check_environment(environment, LOCK, OURS)
    (environment / "pyvenv.cfg").unlink()
    with pytest.raises(ToolError, match="replaced pyvenv.cfg"):
        check_environment(environment, LOCK, OURS)


@pytest.mark.parametrize("place", ["lib/python3.11/site-packages/x", "bin/pythonx", "share"])
def test_a_package_brings_no_link(environment: Path, place: str) -> None:
    (environment / place).symlink_to("/etc")
    with pytest.raises(ToolError, match=f"brought the link {place}"):
        check_environment(environment, LOCK, OURS)


@pytest.mark.parametrize(("gone", "more"), [("c-2.dist-info", ""), ("", "d-1.dist-info"), ("", "c-3.dist-info")])
def test_what_is_missing_and_what_is_more_is_refused(environment: Path, gone: str, more: str) -> None:
    site = environment / "lib" / "python3.11" / "site-packages"
    if gone:
        (site / gone).rmdir()
    if more:
        (site / more).mkdir()
    with pytest.raises(ToolError, match="not what the lock says"):
        check_environment(environment, LOCK, OURS)
