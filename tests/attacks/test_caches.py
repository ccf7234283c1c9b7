"""Caches: what a stranger's branch, fork or working tree left, and how much of the disk it may take."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from host.errors import SlipwayError
from host.home import Home
from host.virtual_environments import COMPLETE
from settings.pipeline import BuildStep
from tasks.build.bundle import run_build_step
from tasks.source import kept as caches
from tasks.source.git import Source
from tasks.source.node_packages import node_packages
from tasks.source.workspace import Workspace
from tests.tasks.source.test_git import Repository

EVIL = "stolen()"
# As in config/pipeline.toml, with a build that writes what its shell says.
STEP = BuildStep(
    name="frontend",
    directory="frontend",
    commands=(("npm", "run", "build"),),
    inputs=("frontend",),
    outputs=("assistant/static",),
)
PACKAGE = {"name": "page", "version": "1.0.0"}
BUILD = """
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
const found = ["../shared.js", "../../shared.js", "../assistant/shared.js"].filter((name) => existsSync(name));
mkdirSync("../assistant/static", { recursive: true });
writeFileSync("../assistant/static/app.js", "ours()" + found.map((name) => readFileSync(name, "utf8")).join(""));
"""
HONEST = {
    "frontend/package.json": json.dumps({**PACKAGE, "scripts": {"build": "node build.mjs"}}),
    "frontend/package-lock.json": json.dumps(
        {**PACKAGE, "lockfileVersion": 3, "requires": True, "packages": {"": PACKAGE}}
    ),
    "frontend/build.mjs": BUILD,
    "assistant/main.py": "print(1)\n",
}
# What a stranger adds beside the inputs, which stay byte for byte the same.
BESIDE = {
    "another workspace's shell": {
        "package.json": json.dumps({"name": "top", "version": "1.0.0", "workspaces": ["frontend"]}),
        "package-lock.json": json.dumps(
            {
                "name": "top",
                "version": "1.0.0",
                "lockfileVersion": 3,
                "requires": True,
                "packages": {
                    "": {"name": "top", "version": "1.0.0", "workspaces": ["frontend"]},
                    "frontend": {"name": "page", "version": "1.0.0"},
                    "node_modules/page": {"resolved": "frontend", "link": True},
                },
            }
        ),
        ".npmrc": "script-shell=./../evil.sh\n",
        "evil.sh": f"#!/bin/sh\nmkdir -p ../assistant/static\necho '{EVIL}' > ../assistant/static/app.js\n",
    },
    "a file that the build reads": {"shared.js": EVIL},
    "a file among the outputs' neighbours": {"assistant/shared.js": EVIL},
}
MAIN = Source("c" * 40, "v1", "main", (), Path("source.tar"), protected=True)
STRANGERS = {
    "another branch": replace(MAIN, branch="evil", protected=False),
    "a fork that calls its branch main": replace(MAIN, signable=False),
    "an earlier commit of the same branch": MAIN,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    Home.find().create()
    return Home.find()


def workspace(tmp_path: Path, source: Source, files: Mapping[str, str]) -> Workspace:
    """Lay a commit of these files out, as if it were this source's."""
    number = len(list(tmp_path.glob("repository-*")))
    repository = Repository(tmp_path / f"repository-{number}")
    for name in files:
        (repository.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (repository.directory / name).touch()
        (repository.directory / name).chmod(0o755)
    repository.commit("work", **files)
    archive = tmp_path / f"{number}.tar"
    repository.git("archive", "--format=tar", f"--output={archive}", "HEAD")
    (tmp_path / "environment").mkdir(exist_ok=True)
    return Workspace(tmp_path / f"run-{number}", replace(source, archive=archive), tmp_path / "environment")


@pytest.mark.parametrize(
    ("who", "beside"),
    [
        ("another branch", "another workspace's shell"),
        ("an earlier commit of the same branch", "another workspace's shell"),
        ("an earlier commit of the same branch", "a file that the build reads"),
        ("a fork that calls its branch main", "a file among the outputs' neighbours"),
    ],
)
def test_what_lies_beside_the_inputs_is_in_no_artifact(who: str, beside: str, tmp_path: Path) -> None:
    """Its own build may hold what it likes. That of the next commit, with the same inputs, holds nothing of it."""
    with disable_run_logger():
        try:
            run_build_step.fn(STEP, workspace(tmp_path, STRANGERS[who], {**HONEST, **BESIDE[beside]}))
        except SlipwayError as error:
            assert "build step frontend" in str(error)
        built = run_build_step.fn(STEP, workspace(tmp_path, MAIN, HONEST))
    assert (built / "assistant" / "static" / "app.js").read_text() == "ours()"


HELPER = {"name": "helper", "version": "1.0.0"}
WITH_HELPER = {
    "frontend/package.json": json.dumps({**PACKAGE, "dependencies": {"helper": "file:../helper"}}),
    "frontend/package-lock.json": json.dumps(
        {
            **PACKAGE,
            "lockfileVersion": 3,
            "requires": True,
            "packages": {
                "": {**PACKAGE, "dependencies": {"helper": "file:../helper"}},
                "node_modules/helper": {"version": "1.0.0", "resolved": "file:../helper"},
            },
        }
    ),
    "helper/package.json": json.dumps(HELPER),
}


@pytest.mark.parametrize("npmrc", ["install-links=true\n", "; a comment\ninstall-links = true\nfund=false\n"])
@pytest.mark.parametrize("who", ["another branch", "a fork that calls its branch main"])
def test_packages_hold_nothing_that_lay_beside_the_lock(who: str, npmrc: str, tmp_path: Path) -> None:
    files = {**WITH_HELPER, "frontend/.npmrc": npmrc, "helper/index.js": "ours()"}
    read = []
    for source, content in ((STRANGERS[who], EVIL), (MAIN, "ours()")):
        space = workspace(tmp_path, source, {**files, "helper/index.js": content})
        with disable_run_logger():
            try:
                modules = node_packages(space, space.check_directory("tool"), "frontend")
                read.append((modules / "helper" / "index.js").read_text())
            except SlipwayError as refused:
                assert "frontend/.npmrc: line" in str(refused) and "install-links" in str(refused)
            except FileNotFoundError:
                read.append("")
    assert EVIL not in read[1:]


@pytest.mark.parametrize(
    "setting",
    [
        "script-shell=./x",
        "git=./evil.sh",
        "cache=../../x",
        "registry=https://x/${HOME}/",
        "registry=http://x/",
        "//x/:_authToken=y",
        "userconfig=x",
        "[registry]",
    ],
)
def test_what_npm_would_obey_is_refused_with_its_line(setting: str, tmp_path: Path) -> None:
    files = {**HONEST, "frontend/.npmrc": f"fund=false\n{setting}\n"}
    space = workspace(tmp_path, MAIN, files)
    with disable_run_logger(), pytest.raises(SlipwayError, match="frontend/.npmrc: line 2: "):
        node_packages(space, space.check_directory("tool"), "frontend")


@pytest.mark.parametrize("kind", ["environments", "wheels", "builds"])
@pytest.mark.parametrize("who", ["another branch", "a fork that calls its branch main"])
def test_what_a_stranger_made_is_not_recalled_by_a_protected_branch(kind: caches.Kind, who: str) -> None:
    theirs = caches.kept(kind, STRANGERS[who].scope, "the same key")
    theirs.mkdir(parents=True)
    (theirs / COMPLETE).touch()
    assert caches.kept(kind, STRANGERS[who].scope, "the same key") == theirs
    for protected in (MAIN, replace(MAIN, branch="develop"), replace(STRANGERS[who], signable=True, protected=True)):
        assert caches.kept(kind, protected.scope, "the same key") != theirs
        assert caches.own(kind, protected.scope, "x") != caches.own(kind, STRANGERS[who].scope, "x")


@pytest.mark.parametrize("kind", ["environments", "wheels", "builds", "downloads"])
def test_a_new_lock_for_each_push_does_not_fill_the_disk(
    kind: caches.Kind, home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(caches.LARGEST_BYTES, kind, 400_000)
    for push in range(6):
        made = home.cache / kind / f"branch-{push % 2}" / f"lock-{push}"
        made.mkdir(parents=True)
        (made / "content").write_bytes(os.urandom(100_000))
        (made / COMPLETE).touch()
        os.utime(made, (push, push))
    in_use = caches.kept(kind, MAIN.scope, "lock")
    in_use.mkdir()
    (in_use / "content").write_bytes(os.urandom(100_000))
    with caplog.at_level("INFO"):
        caches.tidy(kind, logging.getLogger("test"))
    left = sorted(one.name for one in (home.cache / kind).glob("*/*") if one.is_dir())
    assert left == ["lock", "lock-4", "lock-5"] and (in_use / "content").exists()
    for push in range(4):
        assert f"removed to make room: {home.cache / kind}/branch-{push % 2}/lock-{push} (0 MB" in caplog.text
