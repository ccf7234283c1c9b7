"""The frontend's packages for its checks, made from its lock and kept by the lock's digest, like the environment."""

import hashlib
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from host.errors import ToolError
from host.home import Home
from host.sandbox.run import Network, check_owner
from host.virtual_environments import share_read_only
from tasks.checks.cores import once_on_a_core
from tasks.source.git import give, give_once
from tasks.source.workspace import Workspace, node_directory, tool_path

INSTALL_TIMEOUT_S = 600
# npm runs the program that .npmrc calls git, with the network, and then scripts of what that brings.
NO_GIT = "/bin/false"
# What decides which packages are installed; the first two must be there.
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")


def node_packages(workspace: Workspace, source: Path, directory: str) -> Path:
    """Return the read-only node_modules that package-lock.json in `directory` of a laid-out source names.

    `npm ci` checks each package by the hash in the lock, and none of their scripts runs. Made once for a lock, in the
    sandbox. Raises ToolError if it cannot be made.
    """
    kept = Home.find().cache / "environments" / f"node-{_digest(source / directory, directory)}"
    once_on_a_core("npm ci", kept, lambda: _install(workspace, directory, kept), workspace.cancelled)
    return kept / "node_modules"


def _digest(folder: Path, directory: str) -> str:
    digest = hashlib.sha256(_node_version().encode())
    for name in MANIFESTS:
        file = folder / name
        if file.is_file() and not file.is_symlink():
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
        elif name != ".npmrc":
            raise ToolError(
                f"the commit has no file {name} in {directory}; `npm install` there makes it, then commit it"
            )
    return digest.hexdigest()[:32]


def _node_version() -> str:
    node = node_directory()
    if node is None:
        raise ToolError("there is no Node here; install Node 20 or newer, or run: make setup")
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


def _install(workspace: Workspace, directory: str, kept: Path) -> None:
    name = f"node-packages-{uuid.uuid4().hex[:8]}"
    source = workspace.check_directory(name)
    modules = source / directory / "node_modules"
    _remove(modules)
    downloads = Home.find().cache / "downloads" / "npm"
    give_once(downloads, check_owner())
    node = node_directory()
    done = workspace.run(
        name,
        [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--git={NO_GIT}"],
        {"npm_config_cache": str(downloads), "CI": "true", "PATH": f"{node}:{tool_path()}", "NO_COLOR": "1"},
        INSTALL_TIMEOUT_S,
        writable=(downloads,),
        read_only=(node.parent,) if node else (),
        directory=directory,
        network=Network.HOST,
    )
    if done.failed:
        hint = "a package from a git repository is not fetched, for it has no hash: " if NO_GIT in done.output else ""
        raise ToolError(f"{directory}: npm ci {done.how}: {hint}{done.output.strip()[-600:]}")
    if modules.is_symlink() or not (modules / ".package-lock.json").is_file():
        raise ToolError(f"{directory}: npm ci installed nothing: package.json names no packages")
    kept.mkdir(parents=True)
    shutil.move(modules, kept / "node_modules")
    give(kept, os.geteuid())
    share_read_only(kept)
    shutil.rmtree(workspace.root / name, ignore_errors=True)


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


def copy_command(packages: Path) -> list[str]:
    """Return the command that leaves a copy of the packages in the directory where it runs, as `npm ci` does."""
    return [
        "sh",
        "-c",
        'rm -rf node_modules && cp -R "$1" node_modules && chmod -R u+w node_modules',
        "sh",
        str(packages),
    ]


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
