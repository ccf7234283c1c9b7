"""The frontend's packages for its checks, made from its lock and kept by the lock's digest, like the environment."""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path

from prefect.logging import get_run_logger

from host.errors import ToolError
from host.sandbox.run import available, check_owner
from host.virtual_environments import share_read_only
from tasks.checks.cores import once_on_a_core
from tasks.source.git import give, give_once
from tasks.source.kept import kept, own, tidy
from tasks.source.npmrc import refuse_npmrc
from tasks.source.workspace import Workspace, node_directory, tool_path

INSTALL_TIMEOUT_S = 600
# What decides which packages are installed; the first two must be there.
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")


def node_packages(workspace: Workspace, source: Path, directory: str) -> Path:
    """Return the read-only node_modules that package-lock.json in `directory` of a laid-out source names.

    `npm ci` checks each package by the hash in the lock, and none of their scripts runs. It sees the files that decide
    (MANIFESTS) and nothing else of the commit. Made once for a lock and scope, in the sandbox. Raises ToolError if it
    cannot be made.
    """
    made = kept("environments", workspace.source.scope, f"node-{_digest(source / directory, directory)}")
    once_on_a_core("npm ci", made, lambda: _install(workspace, source, directory, made), workspace.cancelled)
    return made / "node_modules"


def _digest(folder: Path, directory: str) -> str:
    digest = hashlib.sha256(f"{node_tools()} {available()} {directory}".encode())
    for name in MANIFESTS:
        file = folder / name
        if file.is_file() and not file.is_symlink():
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
        elif name != ".npmrc":
            raise ToolError(
                f"the commit has no file {name} in {directory}; `npm install` there makes it, then commit it"
            )
    return digest.hexdigest()[:32]


def node_tools() -> str:
    """Return the versions of Node and npm. Raises ToolError if they are not here or do not run."""
    node = node_directory()
    if node is None:
        raise ToolError("there is no Node here; install Node 20 or newer, or run: make setup")
    return f"node {_node_version(node)} npm {_npm_version(npm()[-1])}"


def _npm_version(program: str) -> str:
    """Return npm's version: its own manifest's, for starting it takes long."""
    script = Path(os.path.realpath(shutil.which(program, path=tool_path()) or program))
    for folder in script.parents:
        with suppress(OSError, ValueError, KeyError, TypeError):
            manifest = json.loads((folder / "package.json").read_bytes())
            if manifest["name"] == "npm":
                return str(manifest["version"])
    raise ToolError(f"{script} has no package.json of npm beside it; install Node 20 or newer with its npm")


@functools.cache
def _node_version(node: Path) -> str:
    try:
        done = subprocess.run([str(node / "node"), "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{node / 'node'} does not run: {error}") from error
    return done.stdout.strip()


def npm() -> list[str]:
    """Return the command that is npm. A wheel has no links, so the wheel's bin/npm does not find its own library."""
    node = node_directory()
    script = node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js" if node else None
    return [str(node / "node"), str(script)] if node and script and script.is_file() else ["npm"]


def _lay_manifests(source: Path, target: Path, directory: str) -> None:
    """Copy what decides which packages are installed to where npm runs: nothing else of the commit is in its sight."""
    target.mkdir(parents=True)
    for name in MANIFESTS:
        file = source / directory / name
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            if name == ".npmrc":
                refuse_npmrc(content, f"{directory}/{name}")
            (target / name).write_bytes(content)


def _install(workspace: Workspace, source: Path, directory: str, made: Path) -> None:
    name = f"node-packages-{uuid.uuid4().hex[:8]}"
    top = workspace.root / name / "source"
    modules = top / directory / "node_modules"
    _lay_manifests(source, modules.parent, directory)
    give(top, check_owner())
    tidy("downloads", get_run_logger())
    downloads = own("downloads", workspace.source.scope, "npm")
    give_once(downloads, check_owner())
    node = node_directory()
    done = workspace.run(
        name,
        [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        {"npm_config_cache": str(downloads), "CI": "true", "PATH": f"{node}:{tool_path()}", "NO_COLOR": "1"},
        INSTALL_TIMEOUT_S,
        writable=(downloads,),
        read_only=(node.parent,) if node else (),
        directory=directory,
    )
    if done.failed:
        raise ToolError(f"{directory}: npm ci {done.how}: {done.output.strip()[-600:]}")
    if modules.is_symlink() or not (modules / ".package-lock.json").is_file():
        raise ToolError(f"{directory}: npm ci installed nothing: package.json names no packages")
    made.mkdir(parents=True)
    shutil.move(modules, made / "node_modules")
    give(made, os.geteuid())
    share_read_only(made)
    shutil.rmtree(workspace.root / name, ignore_errors=True)
    tidy("environments", get_run_logger())


def link_packages(packages: Path, folder: Path) -> Path:
    """Give a copy of the source its node_modules: a folder of its own with links to the read-only packages.

    A tool may write its cache there, and no other tool will see it. Replaces what the commit brings under that name.
    """
    modules = folder / "node_modules"
    _remove(modules)
    modules.mkdir()
    for entry in packages.iterdir():
        (modules / entry.name).symlink_to(entry)
    give(modules, check_owner())
    return modules


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
