"""Locks of other tools by their names: which are read, and which command makes a lock that can be."""

import posixpath
import re
import shlex

# What describes a project beside its lock: `slipway lock` is given the folder.
PROJECTS = ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile")
CONDA = ("conda-lock.yml", "conda-lock.yaml", "environment.yml", "environment.yaml", "pixi.lock")
# Those of other tools that are read (gates/lock_formats), beside pylock.toml.
READ_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
# PEP 751: pylock.toml, pylock.dev.toml.
PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
NPM_LOCK = "package-lock.json"
SHRINKWRAP = "npm-shrinkwrap.json"
NODE_LOCKS = ("yarn.lock", "pnpm-lock.yaml", "pnpm-lock.yml", "bun.lock", "bun.lockb", "deno.lock", SHRINKWRAP)
PYTHON_LOCKS = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml", "conda-lock.yaml"),
    *("environment.yml", "environment.yaml", "pylock.toml", "pylock.*.toml"),
)


def lock_command(file: str) -> str:
    """Return the command that makes a lock with hashes out of a file, or, when that is a lock itself, makes it anew.

    For the repository's root; file names of a stranger are quoted for a shell.
    """
    folder, name = posixpath.split(file)
    if is_other_lock(file):
        command = f"slipway lock {shlex.quote(folder)}" if folder else "slipway lock"
        return f"{command} (conda's packages are no wheels: name the index's)" if name in CONDA else command
    stem, ending = posixpath.splitext(name)
    wanted = name if ending in (".txt", ".in") else f"{stem}.in"
    return f"slipway lock {shlex.quote(posixpath.join(folder, wanted))}"


def is_read_lock(file: str) -> bool:
    """Return whether a file is by its name a lock of another tool that can be read as it is."""
    name = posixpath.basename(file)
    return name in READ_LOCKS or bool(PYLOCK.fullmatch(name))


def is_other_lock(file: str) -> bool:
    """Return whether a file is by its name one that another tool reads, and no list of requirements."""
    return is_read_lock(file) or posixpath.basename(file) in (*PROJECTS, *CONDA)


def unread_node_lock(file: str) -> str:
    """Return why a lock of packages for Node cannot be looked at, and the way out; "" for any other file."""
    folder, name = posixpath.split(file)
    if name not in NODE_LOCKS:
        return ""
    if name == SHRINKWRAP:
        cure = f"git mv {shlex.quote(file)} {shlex.quote(posixpath.join(folder, NPM_LOCK))}"
    else:
        where = f" --prefix {shlex.quote(folder)}" if folder else ""
        cure = f"npm install --package-lock-only{where}, then commit {NPM_LOCK} in its place"
    return f"{file}: only {NPM_LOCK} can be audited; run: {cure}"
