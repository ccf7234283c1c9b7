"""Locks of other tools: they are not read here, and this is how to get from each what is."""

import posixpath
import re
import shlex

COMPILE = "uv pip compile --generate-hashes --no-emit-index-url"
MADE = "requirements.lock"
# Each as its tool's own manual has it: with hashes, without the project itself and without the index's address.
EXPORTS = {
    "uv.lock": f"uv export --frozen --no-dev --no-emit-project -o {MADE}",
    "poetry.lock": f"poetry export --only main --without-urls -o {MADE} (poetry self add poetry-plugin-export)",
    "pdm.lock": f"pdm export --prod -f requirements -o {MADE}",
    "Pipfile.lock": f"pipenv requirements --hash | grep -v '^-i ' > {MADE}",
    "Pipfile": f"pipenv requirements --hash | grep -v '^-i ' > {MADE}",
    "pyproject.toml": f"{COMPILE} pyproject.toml -o {MADE}",
    "setup.cfg": f"{COMPILE} setup.cfg -o {MADE}",
    "setup.py": f"{COMPILE} setup.py -o {MADE}",
    "pixi.lock": f"{COMPILE} pyproject.toml -o {MADE}",
    **dict.fromkeys(
        ("conda-lock.yml", "conda-lock.yaml", "environment.yml", "environment.yaml"),
        f"{COMPILE} requirements.in -o {MADE} (conda's packages are no wheels: name the index's)",
    ),
}
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
    return f"cd {shlex.quote(folder)} && {_in_place(name)}" if folder else _in_place(name)


def _in_place(name: str) -> str:
    if PYLOCK.fullmatch(name):
        return EXPORTS["pyproject.toml"]
    if name in EXPORTS:
        return EXPORTS[name]
    stem, ending = posixpath.splitext(name)
    wanted = name if ending in (".txt", ".in") else f"{stem}.in"
    return f"{COMPILE} {shlex.quote(wanted)} -o {shlex.quote(f'{stem}.lock')}"


def is_other_lock(file: str) -> bool:
    """Return whether a file is by its name one that another tool reads, and no list of requirements."""
    name = posixpath.basename(file)
    return name in EXPORTS or bool(PYLOCK.fullmatch(name))


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
