"""A source distribution comes from where this host's settings say, by hash, and nothing of it is run."""

import hashlib
from pathlib import Path

import pytest

from host.errors import SourceError, ToolError
from host.ports import free_port
from host.sdists import fetched
from host.sdists.fetched import fetch_sdist
from tests.host.sdists.archives import make_sdist, with_setup

OTHER = "0" * 64


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files that this host's settings name, and no index beside it."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "index"
    folder.mkdir()
    folder.chmod(0o755)  # the sandbox's user reads it
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_file_of_the_hash_comes_and_is_not_built(index: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    digest = make_sdist(index, with_setup(f"open({str(canary)!r}, 'w')\nraise SystemExit(1)\n"))
    (index / "said-1.0-py3-none-any.whl").write_bytes(b"a wheel is passed over")
    file = fetch_sdist("said", "1.0", [OTHER, digest], tmp_path / "out")
    assert file == tmp_path / "out" / "said-1.0.tar.gz"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == digest
    assert not canary.exists()


@pytest.mark.parametrize(
    ("version", "words"),
    [("1.0", "has said-1.0.tar.gz, none of the hashes in the lock"), ("2.0", "no source distribution of said 2.0")],
    ids=["hash", "version"],
)
def test_what_the_index_does_not_have_is_told(index: Path, tmp_path: Path, version: str, words: str) -> None:
    make_sdist(index, with_setup())
    with pytest.raises(SourceError, match=words) as refused:
        fetch_sdist("said", version, [OTHER], tmp_path / "out")
    assert not refused.value.transient and not list((tmp_path / "out").iterdir())


def test_a_wheel_alone_is_no_source(index: Path, tmp_path: Path) -> None:
    (index / "said-1.0-py3-none-any.whl").write_bytes(b"wheel")
    with pytest.raises(SourceError, match="no source distribution of said 1.0"):
        fetch_sdist("said", "1.0", [hashlib.sha256(b"wheel").hexdigest()], tmp_path / "out")


def test_one_that_is_too_large_is_not_kept(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = make_sdist(index, with_setup())
    monkeypatch.setattr(fetched, "LARGEST_SDIST_BYTES", 100)
    with pytest.raises(SourceError, match="larger than 0 MB"):
        fetch_sdist("said", "1.0", [digest], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_index_that_does_not_answer_is_asked_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port()}/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ToolError, match="cannot be fetched") as away:
        fetch_sdist("said", "1.0", [OTHER], tmp_path / "out")
    assert away.value.transient
