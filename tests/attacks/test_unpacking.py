"""A commit, a build and an artifact that lead out of where they are laid: by links, by names, by blobs that change."""

import io
import logging
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.candidate import Artifact
from deployments.environment import Environment
from deployments.runtimes.layout import Layout
from evidence.results import Entry, Results
from evidence.sbom import make_bom
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome
from host.errors import ArtifactError, SlipwayError, SourceError, ToolError
from host.home import Home
from settings.locks import Locks
from settings.pipeline import App, BuildStep, Pipeline
from settings.targets import Target
from tasks.build.bundle import _archive, _keep, lay_over
from tasks.checks.base_version import Base
from tasks.source.commit_tree import check_tree
from tasks.source.git import Source, fetch_source
from tasks.source.working_tree import read_working_tree
from tasks.source.workspace import Workspace
from tests.evidence.artifacts import artifact

CANARY = "slipway:THE-REAL-CREDENTIAL"
DEEP = "zz1/zz2/zz3/zz4"
# Names of links, and where they lead; {up} is the way from the tree's top to the state directory.
CHAINS: dict[str, dict[str, str]] = {
    "through a link that is laid later": {"a.lock": f"{DEEP}/u/{{up}}/keys/canary", f"{DEEP}/u": "../../../.."},
    "through a link that is laid before": {"a/u": "..", "z.lock": "a/u/../{up}/keys/canary"},
    "to the folder, by a chain": {"a": f"{DEEP}/u/{{up}}/keys", f"{DEEP}/u": "../../../.."},
    "through what is not there": {"a.lock": "nothing/../../{up}/keys/canary"},
    "by two that are harmless alone": {"d/here": ".", "a.lock": "d/here/../{up}/keys/canary"},
    "absolute": {"a.lock": "{state}/keys/canary"},
    "plainly": {"a.lock": "{up}/keys/canary"},
    "with doubled slashes and dots": {"d/a.lock": ".//.././{up}//keys/canary"},
    "through a file": {"a.lock": "file/../../{up}/keys/canary"},
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with a secret, and a run's logger outside of a run."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    for name in ("tasks.source.git", "tasks.source.working_tree"):
        monkeypatch.setattr(f"{name}.get_run_logger", lambda: logging.getLogger("test"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Eve")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "eve@example.org")
    home = Home.find()
    home.create()
    (home.keys / "canary").write_text(CANARY)
    return home.root


def git(at: Path, *argv: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", str(at), *argv], input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def chain(name: str, state: Path) -> dict[str, str]:
    return {at: to.format(up="../..", state=state) for at, to in CHAINS[name].items()}


def write(top: Path, links: Mapping[str, str]) -> Path:
    """Write a tree of which a stranger is the author."""
    top.mkdir(exist_ok=True)
    for name, target in links.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).symlink_to(target)
    (top / "file").write_text("x")
    return top


def laid(source: Source, state: Path) -> str:
    """Return all that can be read in the laid-out tree."""
    tree = source.lay_out(state / "work" / "tree", os.geteuid())
    return "".join(file.read_text() for file in tree.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *((name, "commit") for name in CHAINS),
        ("through a link that is laid later", "working tree"),
        ("through what is not there", "working tree"),
        ("absolute", "working tree"),
    ],
)
def test_a_commit_with_a_link_out_is_laid_out_nowhere(name: str, way: str, tmp_path: Path, state: Path) -> None:
    links = chain(name, state)
    top = write(tmp_path / "theirs", links)
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "work")
    run = tmp_path / "run"
    with pytest.raises(SourceError) as refused:
        source = (
            fetch_source.fn(App(name="shop", repository=str(top)), None, run)
            if way == "commit"
            else read_working_tree.fn(top, run)
        )
        assert CANARY not in laid(source, state)
    assert any(f"{at} -> {to}: the link" in str(refused.value) for at, to in links.items())
    assert not (state / "work" / "tree").exists()


@pytest.mark.parametrize("name", CHAINS)
def test_an_artifact_with_a_link_out_is_not_installed(name: str, tmp_path: Path, state: Path) -> None:
    """Whoever writes the store's directory made it: no git has looked at it."""
    links = chain(name, state)
    archive = tmp_path / "source.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(write(tmp_path / "theirs", links), ".")
    store = Store(Home.find().store)
    digest, bundle = artifact(store, source=store.put_file(archive))
    place = Environment.open(Target("production"), "assistant")
    with pytest.raises(ArtifactError, match="cannot be laid out: .* -> .*: the link") as refused:
        Layout(place, runs_here=False).unpack(Artifact(digest, bundle))
    assert digest[:12] in str(refused.value)
    assert not any((state / "installed" / digest[:32]).rglob("*.lock"))


def commit_of(rows: bytes, at: Path) -> str:
    """Write a commit whose tree git itself would never write."""
    tree = git(at, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=rows)
    commit = git(at, "commit-tree", tree, "-m", "odd")
    git(at, "update-ref", "refs/heads/main", commit)
    return commit


NAMES = {
    ".git": (b".git", "git would read it"),
    ".GIT": (b".GIT", "git would read it"),
    "a line of its own": (b"a\nb", "control character"),
    "a terminal's command": (b"a\x1b[2Jb", "control character"),
    "not UTF-8": (b"a\xff", "not UTF-8"),
    "reordered": ("a\u202egnp.py".encode(), "reorders"),
    "too long": (b"a" * 300, "too long"),
    "..": (b"..", "no path inside"),
    "in another folder": (b"../x", "no path inside"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_read_as_something_else_is_refused(name: str, tmp_path: Path, state: Path) -> None:
    top = tmp_path / "theirs"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    blob = bytes.fromhex(git(top, "hash-object", "-w", "--stdin", stdin=b"[core]\nfsmonitor = evil\n"))
    odd, why = NAMES[name]
    below = bytes.fromhex(
        git(top, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=b"100644 config\0" + blob)
    )
    commit_of(b"40000 %b\0%b" % (odd, below), top)
    with pytest.raises(SlipwayError, match=why):
        laid(fetch_source.fn(App(name="shop", repository=str(top)), "main", tmp_path / "run"), state)
    assert not (state / "work" / "tree").exists()


@pytest.mark.parametrize("order", [(b"120000", b"40000"), (b"40000", b"120000")])
def test_a_folder_that_is_also_a_link_is_refused(order: tuple[bytes, bytes], tmp_path: Path, state: Path) -> None:
    """Two entries of one name: what is laid second goes through what was laid first."""
    top = tmp_path / "theirs"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    link = bytes.fromhex(git(top, "hash-object", "-w", "--stdin", stdin=b"other"))
    blob = bytes.fromhex(git(top, "hash-object", "-w", "--stdin", stdin=b"theirs"))
    below = bytes.fromhex(git(top, "mktree", stdin=f"100644 blob {blob.hex()}\tcanary\n".encode()))
    of = {b"120000": link, b"40000": below}
    commit_of(b"".join(b"%b x\0%b" % (mode, of[mode]) for mode in order), top)
    with pytest.raises(SlipwayError, match="x( -> other)?: .*(twice|no folder)"):
        laid(fetch_source.fn(App(name="shop", repository=str(top)), "main", tmp_path / "run"), state)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_an_artifact_with_devices_and_hard_links_is_not_installed(kind: bytes, tmp_path: Path, state: Path) -> None:
    archive = tmp_path / "source.tar"
    with tarfile.open(archive, "w") as tar:
        about = tarfile.TarInfo("first")
        tar.addfile(about, io.BytesIO())
        odd = tarfile.TarInfo("odd")
        odd.type, odd.linkname = kind, "first"
        tar.addfile(odd)
    store = Store(Home.find().store)
    digest, bundle = artifact(store, source=store.put_file(archive))
    with pytest.raises(ArtifactError, match="odd: it is neither file, folder nor link"):
        Layout(Environment.open(Target("production"), "assistant"), runs_here=False).unpack(Artifact(digest, bundle))


@pytest.mark.parametrize(
    "links",
    [
        {"app/static": f"../{DEEP}/u/../../victim", f"{DEEP}/u": "../../../.."},
        {"app/static": "../other"},
        {"app/static/index.html": "../../file"},
        {"app": "other"},
    ],
)
def test_an_output_is_not_written_through_a_link_of_the_commit(links: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    tree = write(tmp_path / "tree", links)
    (tree / "other" / "static").mkdir(parents=True)
    before = {file: file.read_bytes() for file in tree.rglob("*") if file.is_file() and not file.is_symlink()}
    built = tmp_path / "built"
    (built / "app" / "static").mkdir(parents=True)
    (built / "app" / "static" / "index.html").write_text("theirs")
    with pytest.raises(ToolError, match="app.* -> .*: a link stands where a file or folder goes"):
        lay_over(tree, [built])
    assert not any((tmp_path / "victim").iterdir())
    assert {file: file.read_bytes() for file in before} == before
    assert not any((tree / "other" / "static").iterdir())


@pytest.mark.parametrize("target", ["../../victim", "{victim}", "nothing/../../../victim", "loop/../../victim"])
def test_an_output_that_leads_out_is_in_no_artifact(target: str, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text(CANARY)
    built = tmp_path / "built" / "app"
    built.mkdir(parents=True)
    (built / "loop").symlink_to(".")
    (built / "x").symlink_to(target.format(victim=tmp_path / "victim"))
    with pytest.raises(ToolError, match="app/x -> .*: the link"):
        _archive(write(tmp_path / "tree", {}), [tmp_path / "built"], tmp_path / "source.tar")
    assert not (tmp_path / "source.tar").exists()


@pytest.mark.parametrize("odd", ["above is a link", "it is a link", "a pipe", "a link below", "very deep"])
def test_what_a_step_left_is_taken_through_no_link(odd: str, tmp_path: Path, state: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (state / "static").mkdir()
    (state / "static" / "canary").write_text(CANARY)
    if odd == "above is a link":
        (made / "app").symlink_to(state)
    else:
        (made / "app").mkdir()
    static = made / "app" / "static"
    if odd == "it is a link":
        static.symlink_to(state / "static")
    elif odd != "above is a link":
        static.mkdir()
        (static / "page").write_text("x")
        if odd == "a pipe":
            os.mkfifo(static / "pipe")
        elif odd == "a link below":
            (static / "canary").symlink_to(state / "static" / "canary")
        else:
            (static / "/".join(["d"] * 120)).mkdir(parents=True)
    step = BuildStep(name="page", commands=(("make",),), inputs=("file",), outputs=("app/static",))
    with pytest.raises(ToolError, match="app(/static)?"):
        _keep(step, made, tmp_path / "kept")
        lay_over(write(tmp_path / "tree", {}), [tmp_path / "kept"])
    assert CANARY not in "".join(file.read_text() for file in (tmp_path / "tree").rglob("*") if file.is_file())


class Swapping:
    """A stranger who writes the shared store: changes a blob just before somebody opens it again."""

    def __init__(self) -> None:
        self.file = ""
        self.left = 0
        self.swap: Callable[[Path], object] | None = None
        sys.addaudithook(self.look)

    def look(self, event: str, of: tuple[object, ...]) -> None:
        if event == "open" and self.swap and str(of[0]) == self.file and of[1] == "r":
            self.left -= 1
            if not self.left:
                swap, self.swap = self.swap, None
                swap(Path(self.file))

    def aim(self, file: Path, how: str, evil: bytes, opening: int) -> None:
        self.file, self.left = str(file), opening

        def replaced(blob: Path) -> None:
            blob.with_name("evil").write_bytes(evil)
            blob.with_name("evil").replace(blob)

        self.swap = replaced if how == "another file" else lambda blob: blob.write_bytes(evil)


SWAPPING = Swapping()  # an audit hook stays for ever


def evil_tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize("how", ["another file", "the same file"])
@pytest.mark.parametrize("user", ["source", "bill of materials", "result", "base version"])
def test_a_blob_that_changes_after_it_was_hashed_is_not_used(
    user: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.checks.base_version.locked_environment", lambda *asked: tmp_path)
    store = Store(Home.find().store)
    digest, bundle = artifact(store, files={"requirements-dev.lock": b""})
    place = Environment.open(Target("production"), "assistant")
    results = Results(store, Keys(tmp_path / "keys"), "main", protected=True)
    left = tmp_path / "left"
    left.write_text("what a check left")
    check = Check(name="unit", outcome=Outcome.PASSED, reason="all passed")
    entry = Entry(
        key="k", check=check, run="r", commit="c" * 40, at=datetime.now(UTC), files={"x": store.put_file(left)}
    )
    results.keep(entry)
    evil = evil_tar({"commit.txt": CANARY.encode(), "requirements-dev.lock": b"", "package-lock.json": CANARY.encode()})
    blob = entry.files["x"] if user == "result" else bundle.source
    # A result is hashed when it is recalled, and again when its files are fetched.
    opening, content = (3, CANARY.encode()) if user == "result" else (2, evil)
    SWAPPING.aim(store.root / "blobs" / "sha256" / blob, how, content, opening)
    used = ""
    try:
        if user == "source":
            installed = Layout(place, runs_here=False).unpack(Artifact(digest, bundle))
            used = (installed.source / "commit.txt").read_text()
        elif user == "bill of materials":
            used = str(make_bom(store, digest, bundle))
        elif user == "result":
            known = results.recall("k")
            used = results.fetch(known, tmp_path / "fetched")["x"].read_text() if known else ""
        else:
            locks = Locks(runtime="r.lock", ci="requirements-dev.lock")
            pipeline = Pipeline(app=App(name="assistant", repository="x"), locks=locks, run=bundle.run)
            workspace = Workspace(tmp_path / "run", Source("c" * 40, "v2", "main", (), tmp_path / "x.tar"), tmp_path)
            other = Base(place, digest, bundle).for_checks(pipeline, workspace)
            assert isinstance(other, Workspace), other
            used = (other.source.lay_out(tmp_path / "laid", os.geteuid()) / "commit.txt").read_text()
    except SlipwayError as refused:
        assert "changed since it was stored" in str(refused)
    finally:
        SWAPPING.swap = None
    assert CANARY not in used


def tree_of(at: Path, *rows: str) -> str:
    return git(at, "mktree", "-z", stdin="".join(f"{row}\0" for row in rows).encode()).strip()


@pytest.mark.parametrize("kind", ["wide", "deep", "long"])
def test_a_small_commit_of_very_many_names_is_laid_out_nowhere(kind: str, tmp_path: Path) -> None:
    """Trees may hold one another: a kilobyte of objects, a billion names."""
    git(tmp_path, "init", "-q")
    blob = git(tmp_path, "hash-object", "-w", "--stdin", stdin=b"x").strip()
    tree = tree_of(tmp_path, *(f"100644 blob {blob}\tf{number}" for number in range(1000)))
    for _ in range({"wide": 2, "deep": 300, "long": 12}[kind]):
        name = "d" * 200 if kind == "long" else "d"
        tree = tree_of(
            tmp_path, *(f"040000 tree {tree}\t{name}{number}" for number in range(1000 if kind == "wide" else 1))
        )
    author = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    commit = git(tmp_path, *author, "commit-tree", tree, "-m", "x").strip()
    with pytest.raises(SourceError, match="more than|too long, or too deep"):
        check_tree(tmp_path, commit)


def test_a_commit_of_empty_folders_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git looks at a billion of them and prints nothing."""
    monkeypatch.setattr("host.git.TIMEOUT_S", 1)
    git(tmp_path, "init", "-q")
    tree = tree_of(tmp_path)
    for _ in range(5):
        tree = tree_of(tmp_path, *(f"040000 tree {tree}\td{number}" for number in range(100)))
    author = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    commit = git(tmp_path, *author, "commit-tree", tree, "-m", "x").strip()
    with pytest.raises(SourceError, match="did not end within 1 s"):
        check_tree(tmp_path, commit)
