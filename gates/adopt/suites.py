"""Test suites: which pytest commands there are, by the project's automation, its configuration, or its folders."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.adopt.automation import Ran
from gates.adopt.draft import Draft, Value
from gates.adopt.needs import Need
from gates.adopt.packages import Packages
from gates.adopt.python_source import Framework
from gates.adopt.tree import Tree, below, joined, relative, subtable, words
from gates.adopt.web import Served
from gates.scans.secret_names import looks_secret

TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests)\.py$")
NOT_A_NAME = re.compile("[^a-z0-9_-]+")
BY_ITSELF = ("unit", "integration", "functional", "api", "regression", "smoke")
BROWSER = ("playwright", "pytest-playwright", "selenium", "splinter")
TAKEN = frozenset({"coverage", "load", "compatibility", "benchmarks"})
ONLY = "only-for-the-tests"
SETTINGS = "DJANGO_SETTINGS_MODULE"
# What holds the address of a Redis, where the app has the package for it.
REDIS = re.compile(r"(?:[A-Z]+_)*(?:CELERY_BROKER_URL|CELERY_RESULT_BACKEND|REDIS_UR[IL]|REDIS_DSN|RQ_REDIS_URL)")


@dataclass(frozen=True)
class _Suite:
    name: str
    folder: str
    paths: tuple[str, ...]
    because: str
    options: tuple[str, ...] = ()


def propose_suites(
    tree: Tree,
    served: Served,
    packages: Packages,
    ran: Sequence[Ran],
    needs: Mapping[str, Need],
    database: bool,
    draft: Draft,
) -> list[str]:
    """Propose [suites.*]; `database`: Slipway can give one. Returns the names of the suites."""
    suites = _of_automation(tree, ran) or _of_configuration(tree, served) or _of_folders(tree, served)
    suites = [one for one in suites if not _is_for_a_browser(one, packages, draft)]
    if not suites:
        draft.note(
            "no tests were found: no suite is proposed, and nothing but scans stands between a commit and its release"
        )
        return []
    if not packages.where("pytest") and not packages.unread:
        draft.block(
            "pytest is not among the packages that are locked",
            "add pytest to those of the checks: it runs unittest's tests too",
            suites[0].because,
        )
    queues = _queues(packages, needs)
    given = {**_environment(needs), **_of_django(tree, served), **queues}
    django = bool(packages.where("pytest-django"))
    names: list[str] = []
    for suite in suites:
        name = suite.name if suite.name not in (*names, *TAKEN) else f"{suite.name}-{len(names) + 1}"
        table = f"suites.{name}"
        paths = tuple(path for path in suite.paths if path != ".")
        wants = database and "unit" not in name
        reuse = ("--reuse-db",) if wants and django else ()
        draft.put(table, "command", ("python", "-m", "pytest", "-q", *reuse, *suite.options, *paths), suite.because)
        if suite.folder != served.folder:
            draft.put(table, "directory", suite.folder, f"{suite.because}: it runs there")
        if wants:
            draft.put(table, "database", True, "the app has a database; without it the suite is quicker")
        if reuse:
            why = f"{packages.where('pytest-django')}: it migrates a database of its own, which --reuse-db has it find"
            draft.put(table, "prepare", (), why)
        if queues and "unit" not in name:
            draft.put(table, "redis", True, f"{packages.where('redis')}: the app reads {', '.join(queues)}")
        own = {key: value for key, value in given.items() if "unit" not in name or key not in queues}
        own |= _imports(tree, served, suite.folder)
        if own:
            draft.put(table, "environment", own, "what the app does not start without")
        draft.tell("suite", f"{name}: pytest {' '.join(paths)}".strip(), suite.because)
        names.append(name)
    return names


def _of_automation(tree: Tree, ran: Sequence[Ran]) -> list[_Suite]:
    found: dict[tuple[str, tuple[str, ...]], _Suite] = {}
    called = [one for one in ran if one.program in ("pytest", "py.test")]
    hosted = [one for one in called if not one.because.startswith(("tox", "nox", "setup.cfg", "pyproject"))]
    for one in hosted or called:
        folder = one.folder.strip("/").removeprefix("./") or "."
        folder = folder if folder in tree.folders else "."
        plain = [word.removeprefix("./").rstrip("/") for word in one.arguments if not word.startswith("-")]
        paths = tuple(path for path in plain if tree.has(joined(folder, path)) or joined(folder, path) in tree.folders)
        if not paths and not _has_tests(tree, folder):
            continue
        found.setdefault((folder, paths), _Suite(_name(paths), folder, paths, one.because, _options(one.arguments)))
    return list(found.values())[:6]


def _options(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the options that choose tests or settings; those of reports, coverage and processes are Slipway's."""
    kept: list[str] = []
    for at, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in ("-m", "-k", "--ds", "--ignore", "--import-mode", "-c"):
            given = value if equals else next(iter(arguments[at + 1 : at + 2]), "")
            kept += [word] if equals else [name, given] if given and "$" not in given else []
    return tuple(kept)


def _name(paths: Sequence[str]) -> str:
    last = paths[0].rstrip("/").rpartition("/")[2].removesuffix(".py") if len(paths) == 1 else ""
    plain = NOT_A_NAME.sub("-", last.lower()).strip("-_")[:30]
    return plain if re.fullmatch("[a-z].*", plain) and plain not in ("test", ".") else "tests"


def _has_tests(tree: Tree, folder: str) -> bool:
    return any(TEST_FILE.search(name) and below(folder, name) for name in tree.names)


def _of_configuration(tree: Tree, served: Served) -> list[_Suite]:
    """Return the suite whose paths pytest's own configuration names."""
    for folder in dict.fromkeys((served.folder, ".")):
        for file, keys in (
            ("pyproject.toml", ("tool", "pytest", "ini_options")),
            ("pytest.ini", ("pytest",)),
            ("setup.cfg", ("tool:pytest",)),
            ("tox.ini", ("pytest",)),
        ):
            name = joined(folder, file)
            options = subtable(tree.table(name), *keys)
            paths = options.get("testpaths") or ()
            listed = paths.split() if isinstance(paths, str) else words(paths)
            there = tuple(one for one in listed if joined(folder, one) in tree.folders or tree.has(joined(folder, one)))
            if options and (there or _has_tests(tree, folder)):
                because = tree.where(name, "testpaths" if there else r"pytest")
                if len(there) < 2 and (apart := _apart(tree, folder, there[0] if there else "tests")):
                    return apart
                return [_Suite(_name(there), folder, there, because)]
    return []


def _apart(tree: Tree, folder: str, tests: str) -> list[_Suite]:
    """Return a suite for each folder of tests that has a well-known name."""
    names = [one for one in (*BY_ITSELF, "e2e") if joined(folder, f"{tests}/{one}") in tree.folders]
    if "unit" not in names and "integration" not in names:
        return []
    return [_Suite(one, folder, (f"{tests}/{one}",), joined(folder, f"{tests}/{one}")) for one in names]


def _of_folders(tree: Tree, served: Served) -> list[_Suite]:
    for folder in dict.fromkeys((served.folder, ".")):
        for tests in ("tests", "test"):
            if _has_tests(tree, place := joined(folder, tests)):
                return _apart(tree, folder, tests) or [_Suite("tests", folder, (tests,), place)]
    if files := [name for name in tree.names if TEST_FILE.search(name) and below(served.folder, name)]:
        beside = len(files) == 1
        paths = (relative(served.folder, files[0]),) if beside else ()
        return [_Suite("tests", served.folder, paths, files[0])]
    return []


def _is_for_a_browser(suite: _Suite, packages: Packages, draft: Draft) -> bool:
    if suite.name != "e2e" or not any(map(packages.where, BROWSER)):
        return False
    draft.note(f"{suite.because} drives a browser, which a check has not: it is no suite here")
    return True


def _queues(packages: Packages, needs: Mapping[str, Need]) -> dict[str, Value]:
    """Return the app's own names for the address of its Redis, each with that of the suite's."""
    names = [name for name in needs if REDIS.fullmatch(name)] if packages.where("redis") else []
    return dict.fromkeys(names, "{REDIS_URL}")


def _environment(needs: Mapping[str, Need]) -> dict[str, Value]:
    """Return a value for each variable without which the app does not start."""
    required = [need for need in needs.values() if need.required and need.name != SETTINGS]
    return {need.name: _harmless(need) for need in required[:30]}


def _harmless(need: Need) -> str:
    """Return a value that a suite may be told: a secret's stays where it is."""
    value = need.default or ""
    return ONLY if not value or looks_secret(need.name, value) else value


def _imports(tree: Tree, served: Served, folder: str) -> dict[str, Value]:
    """Return where imports begin, unless that is where a suite runs or its configuration says it."""
    begin = joined(served.folder, served.path)
    if (
        not served.path
        or begin == folder
        or re.search(r"^\s*pythonpath\s*=", _configuration(tree, folder), re.MULTILINE)
    ):
        return {}
    return {"PYTHONPATH": relative(folder, begin)}


def _configuration(tree: Tree, folder: str) -> str:
    names = ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")
    return "\n".join(tree.texts.get(joined(folder, name), "") for name in names)


def _of_django(tree: Tree, served: Served) -> dict[str, Value]:
    """Return the settings module for pytest-django, where its own configuration does not name one."""
    if served.app.framework is not Framework.DJANGO:
        return {}
    for folder in dict.fromkeys((served.folder, ".")):
        for file in ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini"):
            if SETTINGS in tree.texts.get(joined(folder, file), ""):
                return {}
    module = settings_module(tree, served.folder)
    return {SETTINGS: module} if module else {}


def settings_module(tree: Tree, folder: str) -> str:
    """Return the settings module that a manage.py names, "" without one."""
    text = tree.texts.get(joined(folder, "manage.py"), "")
    found = re.search(r"DJANGO_SETTINGS_MODULE[\"'][,:]\s*[\"']([\w.]+)", text)
    return found[1] if found else ""
