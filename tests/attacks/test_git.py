"""A stranger's repository on this host: its configuration names programs, its links and settings lead elsewhere."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from host.errors import ConfigError, SourceError
from host.home import Home
from settings.pipeline import App, read_pipeline
from tasks.source.git import mirror, refuse_dirty, resolve
from tasks.source.working_tree import read_working_tree

# Every setting that makes some git command start a program. `{}` is that program.
PROGRAMS = {
    "core.fsmonitor": "{}",
    "core.pager": "{}",
    "pager.status": "{}",
    "core.editor": "{}",
    "core.sshCommand": "{}",
    "core.askPass": "{}",
    "core.gitProxy": "{}",
    "core.alternateRefsCommand": "{}",
    "credential.helper": "!{}",
    "diff.external": "{}",
    "diff.x.command": "{}",
    "diff.x.textconv": "{}",
    "filter.x.clean": "{}",
    "filter.x.smudge": "{}",
    "filter.y.process": "{}",
    "merge.x.driver": "{}",
    "gpg.program": "{}",
    "gpg.ssh.program": "{}",
    "tar.tar.command": "{}",
    "uploadpack.packObjectsHook": "{}",
    "alias.status": "!{}",
    "alias.rev-parse": "!{}",
    "trailer.x.command": "{}",
    "remote.origin.uploadpack": "{}",
}
HOOKS = (
    "post-index-change",
    "reference-transaction",
    "pre-auto-gc",
    "post-checkout",
    "pre-commit",
    "fsmonitor-watchman",
)


class Stranger:
    """A repository with a commit, and a program for each setting that leaves a canary with the setting's name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "repository"
        self.canaries = directory / "canaries"
        self.programs = directory / "programs"
        for folder in (self.directory, self.canaries, self.programs):
            folder.mkdir()
        self.git("init", "-q", "-b", "main")
        (self.directory / ".gitattributes").write_text("*.py filter=x diff=x merge=x\n*.txt filter=y\n")
        (self.directory / "app.py").write_text("print(1)\n")
        (self.directory / "data.txt").write_text("one\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")

    def git(self, *argv: str, at: Path | None = None) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        env |= {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        done = subprocess.run(["git", *argv], cwd=at or self.directory, env=env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def program(self, name: str) -> Path:
        file = self.programs / name
        file.write_text(f"#!/bin/sh\ntouch {self.canaries}/{name}\nexit 1\n")
        file.chmod(0o755)
        return file

    def settings(self) -> str:
        """Return a configuration with every program."""
        rows = []
        for key, form in PROGRAMS.items():
            section, _, name = key.rpartition(".")
            first, _, second = section.partition(".")
            head = f'[{first} "{second}"]' if second else f"[{first}]"
            rows.append(f"{head}\n\t{name} = {form.format(self.program(key))}\n")
        return "".join(rows)

    def touch_everything(self) -> None:
        """Make git look at the content of each file again."""
        for name in ("app.py", "data.txt"):
            os.utime(self.directory / name, (1, 1))

    def started(self) -> list[str]:
        return sorted(file.name for file in self.canaries.iterdir())

    @property
    def app(self) -> App:
        return App(name="shop", repository=str(self.directory))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    return Home.find()


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


def read(path: Path, directory: Path) -> Path:
    with disable_run_logger():
        return read_working_tree.fn(path, directory).archive


def in_its_configuration(stranger: Stranger) -> None:
    with open(stranger.directory / ".git" / "config", "a", encoding="utf-8") as config:
        config.write(stranger.settings())


def in_an_included_file(stranger: Stranger) -> None:
    (stranger.directory / ".git" / "more.inc").write_text(stranger.settings())
    with open(stranger.directory / ".git" / "config", "a", encoding="utf-8") as config:
        config.write('[include]\n\tpath = more.inc\n[includeIf "onbranch:**"]\n\tpath = more.inc\n')


def in_the_worktrees_configuration(stranger: Stranger) -> None:
    stranger.git("config", "extensions.worktreeConfig", "true")
    (stranger.directory / ".git" / "config.worktree").write_text(stranger.settings())


def as_hooks(stranger: Stranger) -> None:
    folder = stranger.directory / ".git" / "hooks"
    folder.mkdir(exist_ok=True)
    other = stranger.directory / ".git" / "other-hooks"
    other.mkdir()
    for name in HOOKS:
        (folder / name).symlink_to(stranger.program(f"hook-{name}"))
        (other / name).symlink_to(stranger.program(f"other-{name}"))
    stranger.git("config", "core.hooksPath", str(other))


def in_a_submodule(stranger: Stranger) -> None:
    inner = stranger.directory / "inner"
    inner.mkdir()
    stranger.git("init", "-q", at=inner)
    (inner / ".gitattributes").write_text("*.py filter=x\n*.txt filter=y\n")
    (inner / "x.py").write_text("1\n")
    stranger.git("add", "-A", at=inner)
    stranger.git("commit", "-q", "-m", "inner", at=inner)
    (stranger.directory / ".gitmodules").write_text('[submodule "inner"]\n\tpath = inner\n\turl = ./inner\n')
    stranger.git("add", "-A")
    stranger.git("commit", "-q", "-m", "with a submodule")
    with open(inner / ".git" / "config", "a", encoding="utf-8") as config:
        config.write(stranger.settings())
    (inner / "x.py").write_text("2\n")


@pytest.mark.parametrize(
    "plant",
    [in_its_configuration, in_an_included_file, in_the_worktrees_configuration, as_hooks, in_a_submodule],
    ids=lambda plant: plant.__name__,
)
def test_no_program_that_the_repository_names_is_started(
    stranger: Stranger, tmp_path: Path, home: Home, plant: Callable[[Stranger], None]
) -> None:
    plant(stranger)
    stranger.touch_everything()
    refuse_dirty(stranger.app)
    assert stranger.started() == []
    (stranger.directory / "app.py").write_text("print(2)\n")
    (stranger.directory / "data.txt").write_text("two\n")
    with pytest.raises(SourceError, match="uncommitted changes"):
        refuse_dirty(stranger.app)
    read(stranger.directory, tmp_path / "read")
    resolve(mirror(stranger.app, home), "main")
    assert stranger.started() == []


def test_a_repository_that_lacks_an_object_fetches_it_by_no_program(stranger: Stranger, home: Home) -> None:
    blob = stranger.git("rev-parse", "HEAD:data.txt")
    (stranger.directory / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    stranger.git("config", "core.repositoryFormatVersion", "1")
    stranger.git("config", "extensions.partialClone", "origin")
    stranger.git("config", "remote.origin.promisor", "true")
    stranger.git("config", "remote.origin.url", str(stranger.directory))
    stranger.git("config", "remote.origin.uploadpack", str(stranger.program("uploadpack")))
    with pytest.raises(SourceError):
        resolve(mirror(stranger.app, home), "main")
    assert stranger.started() == []


def test_a_working_tree_is_not_somewhere_else(stranger: Stranger, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "canary").write_text("CANARY-KEY")
    stranger.git("config", "core.worktree", str(keys))
    with pytest.raises(SourceError, match="core.worktree"):
        read(stranger.directory, tmp_path / "one")
    stranger.git("config", "core.worktree", str(tmp_path))  # above it, with everything beside it
    with pytest.raises(SourceError, match="core.worktree"):
        read(stranger.directory, tmp_path / "two")
    assert not list(tmp_path.rglob("source.tar"))


def test_no_file_of_ours_is_copied_for_a_link_in_the_repository(stranger: Stranger, tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("CANARY-KEY")
    exclude = stranger.directory / ".git" / "info" / "exclude"
    exclude.unlink(missing_ok=True)
    exclude.parent.mkdir(exist_ok=True)
    exclude.symlink_to(tmp_path / "canary")
    read(stranger.directory, tmp_path / "read")
    assert not [
        file for file in (tmp_path / "read").rglob("*") if file.is_file() and b"CANARY-KEY" in file.read_bytes()
    ]


@pytest.mark.parametrize(
    "address",
    [
        "https://ann:CANARY-PASSWORD@git.example/team/app.git",
        "HTTPS://:CANARY-PASSWORD@git.example/team/app.git",
        "http://x-access-token:CANARY-PASSWORD@127.0.0.1:3000/team/app.git",
        "https://ghp_CANARYPASSWORD0123456789abcdefghijkl@github.com/team/app.git",
        "https://CANARYPASSWORD0123456789abcdefghijkl@git.example/team/app.git",
        "ssh://git:CANARY-PASSWORD@git.example/team/app.git",
        "https://git.example/team/app.git?private_token=CANARY-PASSWORD",
        "https://git.example/team/app.git#token=CANARY-PASSWORD",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SLIPWAY_REPOSITORY", address)
    with pytest.raises(ConfigError, match="app.repository: .*app.credentials_block") as told:
        read_pipeline()
    assert "CANARY" not in str(told.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example/team/app.git",
        "https://organisation@git.example/team/app.git",
        "ssh://git@git.example:2222/team/app.git",
        "git@git.example:team/app.git",
        "../app",
        "/srv/me@work:x/app",
        "file:///srv/app.git",
    ],
)
def test_an_ordinary_address_is_taken(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SLIPWAY_REPOSITORY", address)
    assert read_pipeline().app.repository == address
