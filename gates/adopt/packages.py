"""How the app's packages are managed: which file locks them, what is in it, and what [locks] would say."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.utils import canonicalize_name

from gates.adopt.draft import Draft, Value
from gates.adopt.tree import Table, Tree, joined, relative, subtable, words
from gates.locks import read_lock

# What a lock of checks has, whatever its group is called.
CHECKERS = frozenset(
    "pytest ruff mypy black flake8 isort pyright basedpyright pylint coverage tox nox pytest-django pytest-cov".split()
)
LOCKS = {"uv.lock": "uv", "poetry.lock": "Poetry", "pdm.lock": "PDM", "Pipfile.lock": "Pipenv"}
MANIFESTS = ("pyproject.toml", "Pipfile", "setup.cfg", "setup.py")
RUNTIME = (
    r"requirements\.lock",
    r"requirements\.txt",
    r"(?:requirements[-_.])?(?:prod|production|base|main|common|server|app)(?:[-_.]?requirements)?\.(?:lock|txt)",
)
DEVELOPMENT = re.compile(
    r"(?:^|[/_.-])(?:dev|develop|development|test|tests|testing|ci|local|lint|check|checks|qa)(?:[/_.-]|$)"
)
FRAMEWORKS = frozenset("fastapi flask django starlette litestar aiohttp".split())
INCLUDES_ALONE = re.compile(r"\s*(?:-r|--requirement)[ =]?\s*(\S+)")
INCLUDES = re.compile(r"\s*(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")
MOST_NAMED = 3
NAMED = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
LOCKED = re.compile(r'^\[\[packages?\]\]\s*\nname = "([^"]+)"(?:\nversion = "([^"]+)")?', re.MULTILINE)


@dataclass(frozen=True)
class Packages:
    """`runtime` and `ci` are the locks' files, "" for none, each with what of [locks] says it. `named` are the packages
    of all locks with where each stands; `served` those of the runtime's alone. `unread`: a file of them is there and
    could not be read.
    """

    tool: str
    because: str
    runtime: Value = ""
    ci: Value = ""
    named: Mapping[str, str] = field(default_factory=dict)
    served: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    unread: bool = False

    def where(self, package: str) -> str:
        """Return where a package stands, "" if it does not. A plugin of pytest brings pytest."""
        if package == "pytest" and "pytest" not in self.named:
            return next((where for name, where in self.named.items() if name.startswith("pytest-")), "")
        return self.named.get(package, "")


def read_packages(tree: Tree, folder: str, draft: Draft) -> Packages:
    """Find the manager of packages whose files are nearest to the app, and propose [locks]."""
    places = list(dict.fromkeys(_upwards(folder)))
    found = _nearest(tree, folder, places, draft)
    named = (joined(place, name) for place in places for name in (*LOCKS, "requirements.lock", "requirements.txt"))
    taken = [found.because, found.runtime, found.ci, *found.sources]
    if others := [name for name in named if tree.has(name) and name not in taken]:
        draft.note(f"of the lists of packages {found.because} is proposed; not looked at: {', '.join(others)}")
    unread = [name for name in found.sources if tree.has(name) and name not in tree.texts]
    if unread:
        draft.note(f"{unread[0]} could not be read, so nobody knows here which packages it names")
    return replace(found, unread=bool(unread))


def _nearest(tree: Tree, folder: str, places: Sequence[str], draft: Draft) -> Packages:
    for place in places:
        for name, tool in LOCKS.items():
            if tree.has(lock := joined(place, name)):
                return _locked(tree, folder, lock, tool)
        if pylock := next((one for one in tree.called(r"pylock(?:\.[^.]+)?\.toml") if _lies(one, place)), ""):
            return _locked(tree, folder, pylock, "PEP 751")
        if found := _requirements(tree, place, draft):
            return found
    for place in places:
        if manifest := next((one for one in MANIFESTS if tree.has(joined(place, one))), ""):
            if found := _unlocked(tree, joined(place, manifest), draft):
                return found
    draft.block(
        "no list of the app's packages was found", "write requirements.in, then: slipway lock requirements.in --write"
    )
    return Packages("none", "no pyproject.toml, requirements*.txt or Pipfile")


def _upwards(folder: str) -> Iterator[str]:
    yield folder or "."
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        yield folder
    yield "."


def _lies(file: str, place: str) -> bool:
    return (file.rpartition("/")[0] or ".") == (place or ".")


def _locked(tree: Tree, folder: str, lock: str, tool: str) -> Packages:
    """Return what a lock of another tool comes to. Groups and extras that hold checkers are those of `ci`."""
    text = tree.texts.get(lock, "")
    if lock.endswith("Pipfile.lock"):
        return _pipenv(tree, lock)
    named = _of_lock(lock, text)
    project = joined(folder, "pyproject.toml")
    manifest = project if tree.has(project) else joined(lock.rpartition("/")[0], "pyproject.toml")
    table = tree.table(manifest)
    extra: dict[str, Value] = {}
    root = joined(lock.rpartition("/")[0], "pyproject.toml")
    member = subtable(table, "project").get("name")
    if tool == "uv" and manifest != root and isinstance(member, str):
        extra["package"] = member
    groups = [name for name, listed in _groups(table, tool).items() if CHECKERS & set(listed)]
    if tool == "uv" and manifest != root:
        groups += [
            one
            for one, listed in _groups(tree.table(root), tool).items()
            if CHECKERS & set(listed) and one not in groups
        ]
    extras = [name for name, listed in _extras(table).items() if CHECKERS & set(listed)]
    runtime: dict[str, Value] = {"file": lock, **extra}
    if servers := [
        name
        for name, listed in _extras(table).items()
        if {"gunicorn", "uvicorn", "granian", "hypercorn"} & set(listed) and name not in extras
    ]:
        runtime["extras"] = tuple(servers)
    checks = dict(runtime)
    if groups:
        checks["groups"] = tuple(groups)
    if extras:
        checks["extras"] = (*servers, *extras)
    direct = frozenset(_direct(table)) or frozenset(named)
    others = (one for listed in (*_groups(table, tool).values(), *_extras(table).values()) for one in listed)
    named = {**_where(tree, manifest, {*direct, *others}), **named}
    return Packages(tool, lock, _shortest(runtime), _shortest(checks), named, direct, (lock, manifest))


def _of_lock(lock: str, text: str) -> dict[str, str]:
    """Return the packages of a lock, each with its line."""
    named: dict[str, str] = {}
    line = at = 0
    for match in LOCKED.finditer(text):
        line, at = line + text.count("\n", at, match.start(1)), match.start(1)
        named.setdefault(str(canonicalize_name(match[1])), f"{lock}:{line + 1}")
    return named


def _where(tree: Tree, file: str, names: Collection[str]) -> dict[str, str]:
    """Return where packages stand in a file that names them, the file alone for one that is written in another way."""
    lines: dict[str, int] = {}
    for number, line in enumerate(tree.texts.get(file, "").split("\n"), 1):
        if not line.lstrip().startswith("#"):
            for word in NAMED.findall(line):
                lines.setdefault(str(canonicalize_name(word)), number)
    return {name: f"{file}:{lines[name]}" if name in lines else file for name in names}


def _shortest(lock: dict[str, Value]) -> Value:
    return lock["file"] if set(lock) == {"file"} else lock


def _pipenv(tree: Tree, lock: str) -> Packages:
    table = tree.table(lock)
    runtime, checks = (sorted(map(canonicalize_name, subtable(table, key))) for key in ("default", "develop"))
    named = _where(tree, lock, {*map(str, checks), *map(str, runtime)})
    groups: Value = {"file": lock, "groups": ("dev",)} if checks else lock
    return Packages("Pipenv", lock, lock, groups, named, frozenset(runtime), (lock, lock.removesuffix(".lock")))


def _groups(table: Table, tool: str) -> dict[str, list[str]]:
    """Return the packages of each group of development."""
    found = {name: _named(listed) for name, listed in subtable(table, "dependency-groups").items()}
    if tool == "Poetry":
        for name, group in subtable(table, "tool", "poetry", "group").items():
            found[name] = _keys(subtable(group, "dependencies"))
        if older := subtable(table, "tool", "poetry", "dev-dependencies"):
            found["dev"] = _keys(older)
    if tool == "PDM":
        found |= {name: _named(listed) for name, listed in subtable(table, "tool", "pdm", "dev-dependencies").items()}
    if old := subtable(table, "tool", "uv").get("dev-dependencies"):
        found.setdefault("dev", _named(old))
    return found


def _extras(table: Table) -> dict[str, list[str]]:
    return {name: _named(listed) for name, listed in subtable(table, "project", "optional-dependencies").items()}


def _direct(table: Table) -> list[str]:
    return _named(subtable(table, "project").get("dependencies")) + _keys(
        subtable(table, "tool", "poetry", "dependencies")
    )


def _named(listed: object) -> list[str]:
    found = (REQUIREMENT.match(one) for one in words(listed))
    return [str(canonicalize_name(one[1])) for one in found if one]


def _keys(table: Table) -> list[str]:
    return [str(canonicalize_name(name)) for name in table if name != "python"]


def _requirements(tree: Tree, place: str, draft: Draft) -> Packages | None:
    """Return what lists of requirements in a folder, or in its requirements/, come to."""
    files = [
        name
        for name in tree.called(r"[\w.-]*requirements[\w.-]*\.(?:txt|lock)", r"[\w-]+\.(?:txt|lock)")
        if _lies(name, place)
        and "requirements" in name.rpartition("/")[2]
        or _lies(name, joined(place, "requirements"))
    ]
    aside = [name for name in files if DEVELOPMENT.search(name.rpartition("/")[2])]
    runtime = next(
        (
            one
            for pattern in RUNTIME
            for one in files
            if one not in aside and re.fullmatch(pattern, one.rpartition("/")[2])
        ),
        next((one for one in files if one not in aside), ""),
    )
    if not runtime:
        return None
    checks = next((one for one in aside if CHECKERS & set(_listed(tree, one))), runtime)
    served = _listed(tree, runtime)
    named = {**_listed(tree, checks), **served}
    for file in aside:
        named = {**_listed(tree, file), **named}
    tool = "pip-tools" if tree.has(re.sub(r"\.(?:txt|lock)$", ".in", runtime)) else "pip"
    lock = _as_lock(tree, runtime, draft)
    missing = sorted(set(served) - set(_listed(tree, checks, constraints=False)))
    alone = bool(FRAMEWORKS & set(missing))  # only the server, or a driver, may well be left out of the checks
    ci = _both(tree, place, (runtime, checks), missing, draft) if alone else _as_lock(tree, checks, draft)
    return Packages(tool, runtime, lock, ci, named, frozenset(served), tuple(dict.fromkeys((runtime, checks))))


def _both(tree: Tree, place: str, lists: tuple[str, str], missing: Sequence[str], draft: Draft) -> str:
    """Return the lock of a list that has the app's packages and those of its checks, where the latter has not both."""
    made = joined(place, "requirements-checks")
    if not tree.has(f"{made}.lock"):
        lines = " and ".join(f"`-r {relative(place, one)}`" for one in lists)
        more = ", ..." if len(missing) > MOST_NAMED else ""
        draft.block(
            f"{lists[1]} has not the app's own packages: {', '.join(missing[:MOST_NAMED])}{more}",
            f"write {made}.in with the lines {lines}; slipway lock {made}.in --write, then commit {made}.lock",
            lists[1],
        )
    return f"{made}.lock"


def _as_lock(tree: Tree, file: str, draft: Draft) -> str:
    """Return the lock that a list of requirements is, or becomes by `slipway lock`."""
    read = read_lock(tree.texts.get(file, ""))
    if read.packages and not read.problems:
        return file
    made = re.sub(r"\.(?:txt|in|lock)$", "", file) + ".lock"
    if (
        tree.has(made)
        and made != file
        and (other := read_lock(tree.texts.get(made, ""))).packages
        and not other.problems
    ):
        return made
    why = read.problems[0].partition("; ")[0] if read.problems else "it is empty"
    why = why if file in tree.texts else "it could not be read as text"
    draft.block(f"{file} is no lock: {why}", f"slipway lock {file} --write, then commit {made}", file)
    return made


def _listed(tree: Tree, file: str, depth: int = 0, constraints: bool = True) -> dict[str, str]:
    """Return the packages of a list, and of those that it includes, each with its line. Constraints install nothing."""
    includes = INCLUDES if constraints else INCLUDES_ALONE
    found: dict[str, str] = {}
    for number, line in enumerate(tree.texts.get(file, "").split("\n"), 1):
        if match := includes.match(line):
            other = joined(file.rpartition("/")[0], match[1])
            if depth < 5 and other != file:
                found = {**_listed(tree, other, depth + 1, constraints), **found}
        elif match := REQUIREMENT.match(line):
            found.setdefault(str(canonicalize_name(match[1])), f"{file}:{number}")
    return found


def _unlocked(tree: Tree, manifest: str, draft: Draft) -> Packages | None:
    """Return what a manifest without a lock comes to: `slipway lock` makes one."""
    folder = manifest.rpartition("/")[0]
    what = f"{manifest} names packages and nothing locks them"
    if tool := _own_tool(tree, manifest):
        name, lock, command = tool
        draft.block(what, f"{command}, then commit {joined(folder, lock)}", manifest)
        if name == "Pipenv":
            return _pipfile(tree, manifest)
        return replace(_locked(tree, folder, joined(folder, lock), name), because=manifest)
    table = tree.table(manifest) if manifest.endswith(".toml") else {}
    direct = _direct(table) if manifest.endswith(".toml") else _of_setup(tree.texts.get(manifest, ""))
    if not direct:
        return None
    made = joined(folder, "requirements.lock")
    listed = joined(folder, "requirements.in")
    cure = f"slipway lock {manifest if manifest.endswith('.toml') else listed} --write, then commit {made}"
    if not manifest.endswith(".toml"):  # only its own code tells what it asks for
        cure = f"write {listed} with what it lists, then: {cure}"
    draft.block(what, cure, manifest)
    named = _where(tree, manifest, direct)
    return Packages("pip", manifest, made, made, named, frozenset(direct), (manifest,))


def _own_tool(tree: Tree, manifest: str) -> tuple[str, str, str] | None:
    """Return the tool that locks a manifest without us, its lock and its command. Only such a lock has groups."""
    table = tree.table(manifest) if manifest.endswith((".toml", "Pipfile")) else {}
    if manifest.endswith("Pipfile"):
        return ("Pipenv", "Pipfile.lock", "pipenv lock") if subtable(table, "packages") else None
    tools, direct = subtable(table, "tool"), _direct(table)
    if direct and "poetry" in tools and not subtable(table, "project").get("dependencies"):
        return "Poetry", "poetry.lock", "poetry lock"
    if direct and "pdm" in tools:
        return "PDM", "pdm.lock", "pdm lock"
    others = (*_groups(table, "uv").values(), *_extras(table).values())
    checked = any(CHECKERS & set(listed) for listed in others)
    return ("uv", "uv.lock", "uv lock") if direct and ("uv" in tools or checked) else None


def _pipfile(tree: Tree, manifest: str) -> Packages:
    lock, table = f"{manifest}.lock", tree.table(manifest)
    direct, more = _keys(subtable(table, "packages")), _keys(subtable(table, "dev-packages"))
    named = _where(tree, manifest, {*more, *direct})
    checks: Value = {"file": lock, "groups": ("dev",)} if more else lock
    return Packages("Pipenv", manifest, lock, checks, named, frozenset(direct), (lock, manifest))


def _of_setup(text: str) -> list[str]:
    """Return the packages that a setup.py or setup.cfg requires, where they are written out."""
    listed = re.search(r"install_requires\s*=\s*\[?(.*?)(?:\]|^\w|\Z)", text, re.DOTALL | re.MULTILINE)
    return _named(re.findall(r"[A-Za-z0-9][^\s\"',\[\]]*", listed[1])) if listed else []
