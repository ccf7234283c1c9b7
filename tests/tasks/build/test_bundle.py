import hashlib
import os
import subprocess
import tarfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from host.errors import ToolError
from host.sandbox.run import Completed, Isolation
from settings.pipeline import BuildStep
from tasks.build import bundle
from tasks.build.bundle import _archive, _failure, _inputs_digest, _keep, build_command, run_build_step, seen
from tasks.source.git import Source
from tasks.source.node_packages import copy_command
from tasks.source.workspace import Workspace

STEP = BuildStep(
    name="frontend", commands=(("npm", "run", "build"),), inputs=("frontend", "a b"), outputs=("app/static",)
)
PATHS = ("a b", "frontend")


def tree(directory: Path) -> Path:
    (directory / "frontend" / "src").mkdir(parents=True)
    (directory / "a b").mkdir()
    (directory / "app").mkdir()
    (directory / "frontend" / "src" / "main.ts").write_text("one")
    (directory / "frontend" / "link").symlink_to("src/main.ts")
    (directory / "a b" / "größe").write_text("two")
    (directory / "app" / "main.py").write_text("three")
    return directory


def sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_same_inputs_are_built_once(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    (two / "app" / "main.py").write_text("not an input")
    os.utime(two / "frontend" / "src" / "main.ts", (0, 0))
    assert _inputs_digest(STEP, one, PATHS) == _inputs_digest(STEP, two, PATHS)
    turned = STEP.model_copy(update={"inputs": ("frontend", "a b")})
    assert _inputs_digest(turned, one, PATHS) == _inputs_digest(STEP, one, PATHS)


@pytest.mark.parametrize("change", ["content", "new", "renamed", "moved", "link", "mode", "linked instead", "step"])
def test_every_change_of_the_inputs_is_built(tmp_path: Path, change: str) -> None:
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    file, link, step = two / "frontend" / "src" / "main.ts", two / "frontend" / "link", STEP
    if change == "content":
        file.write_text("One")
    elif change == "new":
        (two / "a b" / "new").touch()
    elif change == "renamed":
        file.rename(file.with_name("other.ts"))
    elif change == "moved":
        file.rename(two / "a b" / "main.ts")
    elif change == "link":
        link.unlink()
        link.symlink_to("../a b/größe")
    elif change == "mode":
        file.chmod(0o755)
    elif change == "linked instead":
        link.unlink()
        link.write_text("one")
    else:
        step = STEP.model_copy(update={"commands": (("npm", "install"),)})
    assert _inputs_digest(step, two, PATHS) != _inputs_digest(STEP, one, PATHS)


@pytest.mark.parametrize(
    ("later", "builds"),
    [
        ({}, 1),
        ({"commit": "d" * 40}, 1),
        ({"branch": "feature"}, 2),
        ({"signable": False}, 2),
        ({"branch": "develop", "protected": True}, 2),
    ],
)
def test_what_a_strangers_commit_built_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: dict[str, Any], builds: int
) -> None:
    built = built_in_turn(tmp_path, monkeypatch, MADE, replace(MADE, **later))
    assert len(built) == builds


def test_what_a_protected_branch_built_everybody_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protected = replace(MADE, protected=True)
    others = (replace(MADE, branch="feature"), replace(MADE, signable=False), replace(protected, branch="develop"))
    assert built_in_turn(tmp_path, monkeypatch, protected, *others) == ["main"]


@pytest.mark.parametrize("change", ["environment", "node", "isolation"])
def test_another_environment_node_or_isolation_builds_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    built_in_turn(tmp_path, monkeypatch, MADE)
    if change == "node":
        monkeypatch.setattr(bundle, "node_tools", lambda: "another node")
    elif change == "isolation":
        monkeypatch.setattr(bundle, "available", lambda: "another level")
    environment = tmp_path / ("other" if change == "environment" else "environment")
    assert built_in_turn(tmp_path / "again", monkeypatch, MADE, environment=environment, home=tmp_path) == ["main"]


MADE = Source("c" * 40, "v1", "main", (), Path("source.tar"))


def built_in_turn(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *sources: Source,
    environment: Path | None = None,
    home: Path | None = None,
) -> list[str]:
    """Run the same step for these commits; return the branches for which something was built."""
    monkeypatch.setenv("SLIPWAY_HOME", str((home or tmp_path) / "state"))
    built = []

    class Building(Workspace):
        def check_directory(self, name: str, only: Collection[str] = ()) -> Path:
            assert only == ("a b", "frontend")
            return tree(self.root / name)

        def run(self, *_: Any, **__: Any) -> Completed:
            built.append(self.source.branch)
            (self.root / "build-frontend" / "app" / "static").mkdir()
            (self.root / "build-frontend" / "app" / "static" / "index.html").write_text("page")
            return Completed(0, "", truncated=False, timed_out=False, cancelled=False, seconds=1.0)

    for turn, one in enumerate(sources):
        with disable_run_logger():
            made = run_build_step.fn(STEP, Building(tmp_path / str(turn), one, environment or tmp_path / "environment"))
        assert (made / "app" / "static" / "index.html").read_text() == "page"
    return built


@pytest.mark.parametrize(
    ("directory", "inputs", "paths"),
    [
        ("frontend", ("frontend",), ("frontend",)),
        ("frontend", ("frontend/src", "./shared/"), ("frontend", "frontend/src", "shared")),
        (".", ("a", "b"), ("a", "b")),
        ("frontend", (".",), ()),
    ],
)
def test_a_step_sees_its_inputs_and_its_directory(
    directory: str, inputs: tuple[str, ...], paths: tuple[str, ...]
) -> None:
    assert seen(STEP.model_copy(update={"directory": directory, "inputs": inputs}), MADE) == paths


def test_npm_ci_takes_the_packages_that_were_fetched_before() -> None:
    packages = Path("/kept/node_modules")
    assert build_command(("npm", "ci", "--no-audit"), packages) == tuple(copy_command(packages))
    assert build_command(("npm", "ci"), None)[-1] == "ci"
    assert build_command(("npm", "run", "build"), packages)[-2:] == ("run", "build")
    assert build_command(("make", "ci"), packages) == ("make", "ci")


@pytest.mark.parametrize("directory", ["node_modules", "link", "nothing"])
def test_the_copy_replaces_what_the_commit_brings(tmp_path: Path, directory: str) -> None:
    packages, there = tmp_path / "kept" / "node_modules", tmp_path / "source"
    (packages / "a").mkdir(parents=True)
    (packages / "a" / "index.js").write_text("fetched")
    (packages / "a" / "index.js").chmod(0o444)
    (packages / "b").symlink_to("a")
    there.mkdir()
    if directory == "link":
        (there / "node_modules").symlink_to(tmp_path / "kept")
    elif directory == "node_modules":
        (there / "node_modules" / "old").mkdir(parents=True)
    subprocess.run(copy_command(packages), cwd=there, check=True)
    assert sorted(os.listdir(there / "node_modules")) == ["a", "b"] and sorted(os.listdir(packages)) == ["a", "b"]
    assert (there / "node_modules" / "b" / "index.js").read_text() == "fetched"
    assert (there / "node_modules" / "a" / "index.js").stat().st_mode & 0o200


@pytest.mark.parametrize(
    ("network", "said", "hinted", "transient"),
    [
        (False, "getaddrinfo EAI_AGAIN registry", True, False),
        (False, "cache mode is 'only-if-cached' but no cached response is available", True, False),
        (False, "error TS2304: Cannot find name 'x'", False, False),
        (True, "getaddrinfo EAI_AGAIN registry", False, True),
    ],
)
def test_a_step_that_would_have_to_fetch_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, network: bool, said: str, hinted: bool, transient: bool
) -> None:
    monkeypatch.setattr("tasks.build.bundle.available", lambda: Isolation.NAMESPACES)
    done = Completed(1, said, truncated=False, timed_out=False, cancelled=False, seconds=1.0)
    error = _failure(STEP.model_copy(update={"network": network}), STEP.commands[0], done)
    assert "build step frontend: npm run build ended with 1" in str(error) and said in str(error)
    assert ("`network = true` in the step frontend of config/pipeline.toml" in str(error)) is hinted
    assert error.transient is transient


@pytest.mark.parametrize(
    ("ended", "said", "cure"),
    [
        ({"timed_out": True}, "", "`timeout_seconds` in the step frontend"),
        ({"exceeded": "used more than 512 processes"}, "", "`shares` under [app]"),
        ({}, "ModuleNotFoundError: No module named 'django'", "environment of the lock `ci`"),
        ({"returncode": 127}, "msgfmt: not found", "pin npm there, or install it on this host"),
        ({}, "sh: 1: cannot open x: No such file or directory", "add it to `inputs` in the step frontend"),
        ({}, "Error: ENOENT: no such file or directory, open '../shared/x.json'", "add it to `inputs`"),
        ({}, "error TS2304: Cannot find name 'x'", ""),
    ],
)
def test_a_step_that_fails_is_named_with_the_way_out(ended: dict[str, Any], said: str, cure: str) -> None:
    given: dict[str, Any] = {"returncode": 1, "timed_out": False, **ended}
    done = Completed(output=said, truncated=False, cancelled=False, seconds=1.0, **given)
    told = str(_failure(STEP, STEP.commands[0], done))
    assert told.startswith("build step frontend: npm run build ") and "its inputs, frontend, a b, and its" in told
    assert cure in told and (bool(cure) or told.endswith("directory)"))


NAMES = ("locale/de/x.po", "locale/README.md", "app/main.py", "app/x.po", "package.json", "a/package.json")
FILES = dict.fromkeys(NAMES, "")


@pytest.mark.parametrize(
    ("directory", "inputs", "paths"),
    [
        (".", ("*.po",), ("app/x.po", "locale/de/x.po")),
        (".", ("locale/**/*.po",), ("locale/de/x.po",)),
        (".", ("locale", "!*.md"), ("locale/de/x.po",)),
        (".", ("./locale/", "app/*.py"), ("app/main.py", "locale/README.md", "locale/de/x.po")),
        (".", ("package.json", "*.py"), ("app/main.py", "package.json")),
        (".", (".", "!*.md"), tuple(sorted(set(FILES) - {"locale/README.md"}))),
        ("locale", ("app/[lm]*.py",), ("app/main.py", "locale")),
    ],
)
def test_inputs_are_patterns_in_gitignores_syntax(
    directory: str, inputs: tuple[str, ...], paths: tuple[str, ...]
) -> None:
    source = replace(MADE, files=FILES)
    assert seen(STEP.model_copy(update={"directory": directory, "inputs": inputs}), source) == paths


@pytest.mark.parametrize("inputs", [("*.css",), ("locale", "nothing/**"), ("*.po", "nothing"), ("*.po", "../x")])
def test_an_input_that_matches_nothing_is_named(inputs: tuple[str, ...]) -> None:
    with pytest.raises(ToolError, match=r"build step frontend: inputs: \S+ matches no file of the commit"):
        seen(STEP.model_copy(update={"inputs": inputs}), replace(MADE, files=FILES))


def test_a_step_runs_in_the_apps_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Django's collectstatic needs: the app's own python, and the programs of its packages by name."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(bundle, "give_once", lambda directory, owner: directory.mkdir(parents=True))
    asked: list[tuple[list[str], str]] = []

    class Running(Workspace):
        def run(self, name: str, argv: list[str], env: Any, *_: Any, **__: Any) -> Completed:
            asked.append((argv, env["PATH"].split(":")[0]))
            (self.root / "static").mkdir(exist_ok=True)
            (self.root / "static" / "x.css").touch()
            return Completed(0, "", truncated=False, timed_out=False, cancelled=False, seconds=1.0)

    step = BuildStep(
        name="static",
        commands=(("python", "manage.py", "collectstatic"), ("django-admin", "compilemessages")),
        inputs=(".",),
        outputs=("static",),
    )
    workspace = Running(tmp_path / "work", MADE, tmp_path / "environment")
    workspace.root.mkdir()
    bundle._build(step, workspace, workspace.root, tmp_path / "made", None)
    programs = str(tmp_path / "environment" / "bin")
    assert asked == [
        ([f"{programs}/python", "manage.py", "collectstatic"], programs),
        (["django-admin", "compilemessages"], programs),
    ]


def test_an_input_that_the_commit_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="build step frontend: the commit has no a b"):
        _inputs_digest(STEP, tmp_path, PATHS)


def test_the_archive_depends_on_the_content_alone(tmp_path: Path) -> None:
    digests = set()
    for turn in ("one", "two"):
        made = tree(tmp_path / turn)
        built = tmp_path / f"built {turn}" / "app" / "static"
        built.mkdir(parents=True)
        (built / "index.html").write_text("page")
        for age, file in enumerate(sorted(made.rglob("*"), reverse=turn == "two")):
            os.utime(file, (age, age), follow_symlinks=False)
        if turn == "two":
            (made / "app" / "main.py").chmod(0o600)
        digests.add(sha(_archive(made, [built.parent.parent], tmp_path / f"{turn}.tar")))
    assert len(digests) == 1


def test_the_archive_holds_files_outputs_links_and_modes(tmp_path: Path) -> None:
    made = tree(tmp_path / "tree")
    (made / "app" / "run.sh").write_text("#!/bin/sh\n")
    (made / "app" / "run.sh").chmod(0o700)
    (made / "app" / "empty").mkdir()
    built = tmp_path / "built"
    (built / "app" / "static").mkdir(parents=True)
    (built / "app" / "static" / "index.html").write_text("page")
    (built / "app" / "static" / "again.html").symlink_to("index.html")
    (built / "app" / "main.py").write_text("built over")
    archive = _archive(made, [built], tmp_path / "source.tar")
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert {(one.uid, one.gid, one.mtime, one.uname) for one in members.values()} == {(0, 0, 0, "")}
        assert members["app/run.sh"].mode == 0o755 and members["app/main.py"].mode == 0o644
        assert members["app/empty"].isdir() and members["a b/größe"].isreg()
        assert members["app/static/again.html"].linkname == "index.html"
        tar.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out" / "app" / "main.py").read_text() == "built over"
    assert (tmp_path / "out" / "app" / "static" / "again.html").read_text() == "page"


@pytest.mark.parametrize("absolute", [True, False])
def test_no_output_is_written_through_a_link_of_an_earlier_one(tmp_path: Path, absolute: bool) -> None:
    """Two build steps: the first leaves a link to a file of the host, the second a file of that name."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / "x").symlink_to(victim if absolute else "../victim")
    (second / "x").write_text("theirs")
    with pytest.raises(
        ToolError, match="cannot be laid over the commit: x -> .*victim: the link .*leads out of the tree"
    ):
        _archive(tree(tmp_path / "tree"), [first, second], tmp_path / "source.tar")
    assert victim.read_text() == "mine"


def test_a_host_folder_is_not_kept_as_an_output(tmp_path: Path) -> None:
    """The app's build replaced the folder above its output by a link to one that only we can read."""
    (tmp_path / "private" / "static").mkdir(parents=True)
    (tmp_path / "private" / "static" / "key").write_text("mine")
    made = tree(tmp_path / "tree")
    (made / "app" / "main.py").unlink()
    (made / "app").rmdir()
    (made / "app").symlink_to(tmp_path / "private")
    with pytest.raises(ToolError, match="made no folder app/static"):
        _keep(STEP, made, tmp_path / "kept")
    assert not any(file.is_file() for file in (tmp_path / "kept").rglob("*"))


@pytest.mark.parametrize("output", ["absent", "empty", "file", "link"])
def test_an_output_that_is_no_folder_with_files_fails_the_step(tmp_path: Path, output: str) -> None:
    made = tree(tmp_path / "tree")
    static = made / "app" / "static"
    if output == "empty":
        static.mkdir()
    elif output == "file":
        static.write_text("x")
    elif output == "link":
        static.symlink_to("../frontend")
    with pytest.raises(ToolError, match="build step frontend: it made no folder app/static"):
        _keep(STEP, made, tmp_path / "kept")
    assert not any(file.is_file() for file in (tmp_path / "kept").rglob("*"))


def test_outputs_are_kept_whole(tmp_path: Path) -> None:
    made = tree(tmp_path / "tree")
    (made / "app" / "static").mkdir()
    (made / "app" / "static" / "index.html").write_text("page")
    _keep(STEP, made, tmp_path / "kept")
    assert (tmp_path / "kept" / "app" / "static" / "index.html").read_text() == "page"
