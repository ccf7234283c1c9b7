"""The frontend's packages for its checks, made from its lock and kept by the lock's digest, like the environment."""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect.logging import get_run_logger

from gates.locks import LARGEST_LOCK_BYTES
from gates.npm_manifests import Manifests, read_manifests
from gates.strict_json import JsonError, parse
from host.errors import SourceError, ToolError
from host.files import give, remove_tree
from host.package_tools import PROXIES
from host.sandbox.run import Network, available, check_owner
from host.virtual_environments import START_TIMEOUT_S, share_read_only
from tasks.checks.cores import once_on_a_core
from tasks.source.git import give_once
from tasks.source.kept import kept, own, tidy
from tasks.source.untrusted import open_untrusted
from tasks.source.workspace import Workspace, node_directory, tool_path

INSTALL_TIMEOUT_S = 600
# npm runs the program that .npmrc calls git, with the network, and then scripts of what that brings.
NO_GIT = "/bin/false"
# What decides which packages are installed; the first two must be there.
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
SHOWN = 3
# npm refuses to read one file as both.
NO_FILES = {"npm_config_userconfig": os.devnull, "npm_config_globalconfig": "/nonexistent/npmrc"}
# Of this host's settings, what npm is told.
REACHING = ("registry", "cafile", "proxy", "https-proxy", "noproxy", "strict-ssl", "fetch-timeout", "fetch-retries")


def node_packages(workspace: Workspace, source: Path, directory: str) -> Path:
    """Return the read-only node_modules that package-lock.json in `directory` of a laid-out source names.

    `npm ci` checks each package by the hash in the lock, and none of their scripts runs. It sees manifests of our own
    writing and nothing else of the commit; this host alone says where the registry is. Made once for a lock and scope,
    in the sandbox. Raises SourceError if a manifest is not accepted, and ToolError if it cannot be made.
    """
    folder = source / directory
    made = kept("environments", workspace.source.scope, f"node-{_digest(folder, directory)}")
    once_on_a_core("npm ci", made, lambda: _install(workspace, folder, directory, made), workspace.cancelled)
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
        done = subprocess.run(
            [str(node / "node"), "--version"], capture_output=True, text=True, timeout=START_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{node / 'node'} does not run: {error}") from error
    return done.stdout.strip()


def npm() -> list[str]:
    """Return the command that is npm. A wheel has no links, so the wheel's bin/npm does not find its own library."""
    node = node_directory()
    script = node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js" if node else None
    return [str(node / "node"), str(script)] if node and script and script.is_file() else ["npm"]


@functools.cache
def npm_settings(own: bool = True) -> dict[str, Any]:
    """Return npm's settings: this host's own, or those that it has without any. Raises ToolError if npm does not run.

    It runs where no file of the app is.
    """
    node = node_directory()
    # Without HOME node asks for the home of a user, whom a container may not have.
    env = {"PATH": f"{node}:{tool_path()}", "HOME": "/nonexistent"} | (dict(os.environ) if own else NO_FILES)
    try:
        done = subprocess.run(
            [*npm(), "config", "list", "--json"],
            cwd="/",
            env=env,
            capture_output=True,
            timeout=START_TIMEOUT_S,
            check=True,
        )
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = getattr(error, "stderr", None) or b""
        raise ToolError(f"npm cannot tell its settings: {error} {said.decode(errors='replace')[-400:]}") from error


def npm_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return how npm reaches the registry, as variables: no file configures it."""
    told = {name: value for name, value in settings.items() if name in REACHING or name.endswith(":registry")}
    lists = {name: ",".join(value) if isinstance(value, list) else value for name, value in told.items()}
    given = {
        f"npm_config_{name.replace('-', '_')}": str(value) for name, value in lists.items() if value not in (None, "")
    }
    words = {name: {"True": "true", "False": "false"}.get(value, value) for name, value in given.items()}
    variables = {name: os.environ[name] for name in (*PROXIES, "NODE_EXTRA_CA_CERTS") if os.environ.get(name)}
    return {**words, **variables, **NO_FILES}


def _own_manifests(folder: Path, directory: str, registries: Collection[str]) -> Manifests:
    """Read what the commit brings for npm. Raises SourceError, which names what is not accepted in it."""
    texts = {
        name: _read(folder / name) if name != ".npmrc" or os.path.lexists(folder / name) else b"" for name in MANIFESTS
    }
    package, lock = (_json(directory, name, texts[name]) for name in MANIFESTS[:2])
    manifests = read_manifests(package, lock, texts[".npmrc"].decode(errors="replace"), registries)
    if problems := manifests.problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise SourceError(f"{directory}/{'; '.join(problems[:SHOWN])}{more}")
    return manifests


def _json(directory: str, name: str, content: bytes) -> Any:
    try:
        return parse(content)
    except JsonError as error:
        raise SourceError(f"{directory}/{name}: {error}") from error


def _read(file: Path) -> bytes:
    with open_untrusted(file, LARGEST_LOCK_BYTES, file.name) as stream:
        return stream.read(LARGEST_LOCK_BYTES)


def _install(workspace: Workspace, folder: Path, directory: str, made: Path) -> None:
    settings = npm_settings()
    registries = {urlsplit(str(one.get("registry", ""))).netloc.lower() for one in (settings, npm_settings(own=False))}
    manifests = _own_manifests(folder, directory, registries - {""})
    name = f"node-packages-{uuid.uuid4().hex[:8]}"
    source = workspace.root / name / "source"
    source.mkdir(parents=True)
    for file, content in (("package.json", manifests.package), ("package-lock.json", manifests.lock)):
        (source / file).write_text(json.dumps(content), encoding="utf-8")
    give(source, check_owner())
    modules = source / "node_modules"
    tidy("downloads", get_run_logger())
    downloads = own("downloads", workspace.source.scope, "npm")
    give_once(downloads, check_owner())
    node = node_directory()
    obeyed = {f"npm_config_{setting.replace('-', '_')}": value for setting, value in manifests.settings.items()}
    environment = npm_environment(settings)
    named = tuple(Path(value) for value in environment.values() if os.path.isabs(value) and os.path.isfile(value))
    done = workspace.run(
        name,
        [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--git={NO_GIT}"],
        {
            **environment,
            **obeyed,
            "npm_config_cache": str(downloads),
            "CI": "true",
            "PATH": f"{node}:{tool_path()}",
            "NO_COLOR": "1",
        },
        INSTALL_TIMEOUT_S,
        writable=(downloads,),
        read_only=(node.parent,) if node else (),
        named=named,
        network=Network.HOST,
    )
    if done.failed:
        raise ToolError(f"{directory}: npm ci {done.how}: {done.output.strip()[-600:]}")
    if modules.is_symlink() or not (modules / ".package-lock.json").is_file():
        raise ToolError(f"{directory}: npm ci installed nothing: package.json names no packages")
    made.mkdir(parents=True)
    shutil.move(modules, made / "node_modules")
    give(made, os.geteuid())
    share_read_only(made)
    remove_tree(workspace.root / name)
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
