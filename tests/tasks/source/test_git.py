import logging
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from host.errors import SourceError
from host.git import git
from host.home import Home
from settings.pipeline import App
from tasks.source import git as source_git
from tasks.source.git import Source, fetch_source, give_once, mirror, refuse_dirty, resolve


class Repository:
    """A real git repository, as somebody's working tree."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *argv: str, author: str = "Ada", email: str = "ada@example.org") -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", author), ("EMAIL", email))
        }
        env = {**clean, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *argv], cwd=self.directory, env=env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, message: str = "work", author: str = "Ada", email: str = "ada@example.org", **files: str) -> str:
        for name, content in files.items():
            file = self.directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, author=author, email=email)
        return self.git("rev-parse", "HEAD")

    @property
    def app(self) -> App:
        return App(name="shop", repository=str(self.directory))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    return Home.find()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit("first", **{"app.py": "print(1)\n"})
    return made


def fetch(app: App, wanted: str | None, directory: Path) -> Source:
    with disable_run_logger():
        return fetch_source.fn(app, wanted, directory)


def test_a_commit_is_fetched_and_laid_out(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit("second", **{"app.py": "print(2)\n", "a folder/größe ß.txt": "ü", "-q": "dash"})
    (repository.directory / "run.sh").write_text("#!/bin/sh\n")
    (repository.directory / "run.sh").chmod(0o755)
    commit = repository.commit("third")
    source = fetch(repository.app, None, tmp_path / "run")
    assert (source.commit, source.version, source.branch) == (commit, commit[:12], "main")
    laid = source.lay_out(tmp_path / "laid" / "out", os.geteuid())
    assert (laid / "app.py").read_text() == "print(2)\n"
    assert (laid / "a folder" / "größe ß.txt").read_text() == "ü"
    assert (laid / "-q").read_text() == "dash"
    assert os.access(laid / "run.sh", os.X_OK) and not (laid / ".git").exists()


def test_every_check_gets_its_own_copy_and_its_own_owner(repository: Repository, tmp_path: Path) -> None:
    source = fetch(repository.app, None, tmp_path / "run")
    owner = 64100 if os.geteuid() == 0 else os.geteuid()
    one, two = source.lay_out(tmp_path / "one", owner), source.lay_out(tmp_path / "two", owner)
    (one / "app.py").write_text("changed")
    assert (two / "app.py").read_text() == "print(1)\n"
    assert {file.lstat().st_uid for file in (one, *one.rglob("*"))} == {owner}


def test_history_has_the_authors_newest_first(repository: Repository, tmp_path: Path) -> None:
    repository.commit('Fix: a "quoted" | subject\n\nand a body', author="Ben Ünal", email="Ben@Example.org")
    history = fetch(repository.app, None, tmp_path / "run").history
    assert [(one.author, one.email, one.subject) for one in history] == [
        ("Ben Ünal", "Ben@Example.org", 'Fix: a "quoted" | subject'),
        ("Ada", "ada@example.org", "first"),
    ]
    assert all(len(one.hash) == 40 for one in history)


FORGED = (
    ("Mallory\x1frobin@example.com\x1fan innocent subject", "x"),
    ("Mallory\x1e" + "a" * 40 + "\x1fAda", "x"),
    ("Mallory", "x\x1e" + "b" * 40 + "\x1fAda\x1fada@example.org\x1fforged"),
    ("Mallory", "\x1e"),
    ("Mallory", "\x1f\x1f\x1f"),
)


def test_an_author_cannot_forge_who_wrote_a_commit(repository: Repository, tmp_path: Path) -> None:
    commits = [repository.commit(subject, author=author, email="mallory@example.org") for author, subject in FORGED]
    history = fetch(repository.app, None, tmp_path / "run").history
    assert [(one.hash, one.email) for one in history[:-1]] == [(one, "mallory@example.org") for one in commits[::-1]]
    assert len(history) == len(FORGED) + 1 and history[-1].email == "ada@example.org"


def test_a_commit_without_a_subject_has_an_empty_one(repository: Repository, tmp_path: Path) -> None:
    repository.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    history = fetch(repository.app, None, tmp_path / "run").history
    assert [one.subject for one in history] == ["", "first"]


def test_branches_tags_and_hashes_name_commits(repository: Repository, home: Home) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "light")
    repository.git("tag", "-a", "v1", "-m", "annotated")
    repository.git("branch", "feature/größe")
    second = repository.commit("second")
    copy = mirror(repository.app, home)
    for wanted in ("light", "v1", "feature/größe", first, first[:10], "refs/tags/v1"):
        assert resolve(copy, wanted) == first, wanted
    assert resolve(copy, "main") == second


def test_a_tag_names_the_version(repository: Repository, tmp_path: Path) -> None:
    repository.git("tag", "-a", "v1.2", "-m", "release")
    assert fetch(repository.app, "v1.2", tmp_path / "one").version == "v1.2"
    repository.commit("more")
    assert fetch(repository.app, None, tmp_path / "two").version.startswith("v1.2-1-g")


def test_a_branch_and_a_tag_of_one_name_are_an_error_and_a_full_hash_comes_before_both(
    repository: Repository, home: Home
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "both")
    second = repository.commit("second")
    repository.git("branch", "both")
    repository.git("update-ref", f"refs/heads/{first}", second)  # `git branch` refuses such a name, a push does not
    copy = mirror(repository.app, home)
    with pytest.raises(SourceError) as refused:
        resolve(copy, "both")
    assert f"refs/heads/both is {second}, refs/tags/both is {first}" in str(refused.value)
    assert resolve(copy, "refs/heads/both") == second and resolve(copy, "refs/tags/both") == first
    assert resolve(copy, first) == resolve(copy, first.upper()) == first


UNKNOWN = ("v9", "0" * 40, "deadbeef", "HEAD~1", "main^", "main..light", "main@{1}", "@{-1}")
HOSTILE = (
    "--upload-pack=touch x",
    "--upload-pack=x",
    "-x",
    "$(touch x)",
    "$(id)",
    "`id`",
    ";id",
    "main;id",
    "main\nid",
    "main\0",
    "",
    " ",
    "main main",
    ":/first",
    "main:app.py",
    "../../../etc/passwd",
    "x" * 300,
)


def test_an_unknown_commit_is_told_what_there_is(repository: Repository, home: Home) -> None:
    copy = mirror(repository.app, home)
    for wanted in UNKNOWN:
        with pytest.raises(SourceError, match="the repository has the branches main|is not a branch, tag or commit"):
            resolve(copy, wanted)


def test_a_hostile_name_is_refused_and_runs_nothing(repository: Repository, home: Home, tmp_path: Path) -> None:
    copy = mirror(repository.app, home)
    before = sorted(tmp_path.rglob("*"))
    for wanted in HOSTILE:
        with pytest.raises(SourceError):
            resolve(copy, wanted)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_branch_with_a_hostile_name_is_only_a_name(repository: Repository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    names = ("$(touch${IFS}x)", "`id`", ";id", "a&b", "größe")
    for name in names:
        repository.git("branch", name)
    for number, name in enumerate(names):
        source = fetch(repository.app, name, tmp_path / f"run {number}")
        assert source.commit == first and source.branch == "main"
    assert not list(tmp_path.rglob("x"))


def test_a_branch_that_begins_with_a_dash_is_refused(repository: Repository, home: Home) -> None:
    repository.git("update-ref", "refs/heads/--upload-pack=x", "HEAD")
    with pytest.raises(SourceError, match="is not a branch, tag or commit"):
        resolve(mirror(repository.app, home), "--upload-pack=x")


def test_a_file_is_no_commit(repository: Repository, home: Home) -> None:
    blob = repository.git("rev-parse", "HEAD:app.py")
    repository.git("tag", "a-blob", blob)
    copy = mirror(repository.app, home)
    for wanted in (blob, "a-blob"):
        with pytest.raises(SourceError, match="unknown commit"):
            resolve(copy, wanted)


def test_an_empty_repository_has_nothing(tmp_path: Path, home: Home) -> None:
    empty = Repository(tmp_path / "empty")
    with pytest.raises(SourceError, match="has the branches none"):
        resolve(mirror(empty.app, home), "main")


def test_a_missing_repository_is_told_with_the_key(tmp_path: Path, home: Home) -> None:
    with pytest.raises(SourceError, match="no such repository; set app.repository in config/pipeline.toml"):
        mirror(App(name="shop", repository=str(tmp_path / "nowhere")), home)


@pytest.mark.parametrize("url", ["folder", "file:///nowhere", "--upload-pack=touch x", "ext::sh -c touch% x", "x\0y"])
def test_what_is_no_repository_is_refused_and_runs_nothing(
    tmp_path: Path, home: Home, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError):
        mirror(App(name="shop", repository=url), home)
    assert not list(tmp_path.rglob("x"))


@pytest.mark.parametrize("name", ["relative", "me@work", "a b", "größe"])
def test_a_path_is_a_path_however_it_looks(
    tmp_path: Path, home: Home, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Repository(tmp_path / name).commit()
    monkeypatch.chdir(tmp_path)
    assert resolve(mirror(App(name="shop", repository=name), home), "main") == commit
    assert resolve(mirror(App(name="shop", repository=str(tmp_path / name)), home), "main") == commit


def test_the_mirror_follows_what_was_moved_and_removed(repository: Repository, home: Home) -> None:
    repository.git("branch", "old")
    repository.git("tag", "v1")
    copy = mirror(repository.app, home)
    second = repository.commit("second")
    repository.git("tag", "-f", "v1")
    repository.git("branch", "-D", "old")
    repository.git("branch", "old/deeper")
    assert mirror(repository.app, home) == copy
    assert resolve(copy, "v1") == resolve(copy, "main") == resolve(copy, "old/deeper") == second
    with pytest.raises(SourceError):
        resolve(copy, "old")


def test_a_half_made_mirror_is_made_again(repository: Repository, home: Home) -> None:
    copy = mirror(repository.app, home)
    (copy / "HEAD").unlink()
    assert resolve(mirror(repository.app, home), "main") == repository.git("rev-parse", "HEAD")


def test_a_dirty_tree_is_refused_unless_the_commit_is_named(repository: Repository, tmp_path: Path) -> None:
    refuse_dirty(repository.app)
    (repository.directory / "app.py").write_text("print('not committed')\n")
    with pytest.raises(SourceError, match=r"1 uncommitted changes \(M app.py, ...\): commit or stash them"):
        fetch(repository.app, None, tmp_path / "one")
    source = fetch(repository.app, "main", tmp_path / "two")
    assert (source.lay_out(tmp_path / "laid", os.geteuid()) / "app.py").read_text() == "print(1)\n"


def test_an_untracked_file_is_dirt_and_an_ignored_one_is_not(repository: Repository) -> None:
    repository.commit("ignore", **{".gitignore": "*.log\n"})
    (repository.directory / "x.log").touch()
    refuse_dirty(repository.app)
    (repository.directory / "new.py").touch()
    with pytest.raises(SourceError, match="new.py"):
        refuse_dirty(repository.app)


def test_a_bare_repository_is_never_dirty(repository: Repository, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repository.directory), str(bare)], check=True)
    refuse_dirty(App(name="shop", repository=str(bare)))


def test_looking_for_dirt_runs_no_program_of_the_repository(repository: Repository, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    repository.git("config", "core.fsmonitor", str(hook))
    refuse_dirty(repository.app)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "folder/../../outside"])
def test_a_link_that_leads_out_of_the_tree_is_refused(repository: Repository, tmp_path: Path, target: str) -> None:
    (repository.directory / "link").symlink_to(target)
    commit = repository.commit("a link", **{"folder/file": "x"})
    with pytest.raises(SourceError) as told:
        fetch(repository.app, None, tmp_path / "run")
    assert str(told.value).startswith(f"commit {commit[:12]} cannot be laid out: link -> {target}: ")
    assert str(told.value).endswith("; take that out of it")


def test_a_link_inside_of_the_tree_is_a_link(repository: Repository, tmp_path: Path) -> None:
    (repository.directory / "link").symlink_to("app.py")
    repository.commit("a link")
    laid = fetch(repository.app, None, tmp_path / "run").lay_out(tmp_path / "laid", os.geteuid())
    assert os.readlink(laid / "link") == "app.py" and (laid / "link").read_text() == "print(1)\n"


def test_an_archive_that_is_none_is_told(repository: Repository, tmp_path: Path) -> None:
    source = fetch(repository.app, None, tmp_path / "run")
    source.archive.write_bytes(b"no tar")
    with pytest.raises(SourceError, match="cannot be laid out"):
        source.lay_out(tmp_path / "laid", os.geteuid())


def test_a_submodule_is_an_empty_folder_and_named(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = Repository(tmp_path / "other")
    other.commit("theirs", **{"secret.py": "x"})
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.directory), "vendored")
    repository.commit("with a submodule")
    monkeypatch.setattr(source_git, "get_run_logger", lambda: logging.getLogger("test"))
    laid = fetch_source.fn(repository.app, None, tmp_path / "run").lay_out(tmp_path / "laid", os.geteuid())
    assert "1 submodules are not fetched, and empty for every check and in the artifact: vendored" in caplog.text
    assert (laid / "vendored").is_dir() and not list((laid / "vendored").iterdir())


def test_a_commit_on_no_branch_is_built_and_says_so(repository: Repository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "kept")
    repository.git("commit", "-q", "--amend", "-m", "rewritten")
    source = fetch(repository.app, "kept", tmp_path / "run")
    assert (source.commit, source.branch, source.version) == (first, "", "kept")


def test_the_configured_branch_is_the_one_that_is_named_and_built(repository: Repository, tmp_path: Path) -> None:
    repository.git("branch", "aaa")
    repository.git("checkout", "-q", "-b", "develop")
    second = repository.commit("second")
    app = repository.app.model_copy(update={"branch": "develop"})
    assert fetch(app, None, tmp_path / "one").commit == second
    assert fetch(repository.app, None, tmp_path / "two").branch == "main"


def test_the_archive_is_of_that_commit_only(repository: Repository, tmp_path: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.commit("later", **{"later.py": "x"})
    source = fetch(repository.app, commit, tmp_path / "run")
    with tarfile.open(source.archive) as archive:
        assert [name for name in archive.getnames() if name != "pax_global_header"] == ["app.py"]
        assert archive.pax_headers["comment"] == commit


def test_git_says_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="git log in .*: fatal: not a git repository"):
        git("log", at=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is not installed"):
        git("log", at=tmp_path)


def test_a_directory_that_stays_changes_its_owner_with_all_that_is_in_it(tmp_path: Path) -> None:
    first, second = (64100, 64101) if os.geteuid() == 0 else (os.geteuid(),) * 2
    kept = tmp_path / "downloads" / "npm"
    give_once(kept, first)
    (kept / "package").write_text("content")
    give_once(kept, first)
    give_once(kept, second)
    assert {file.lstat().st_uid for file in (kept, kept / "package")} == {second}
