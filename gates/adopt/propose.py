"""The whole proposal for a repository: facts in, lines of config/ out."""

from collections.abc import Mapping
from dataclasses import dataclass

from gates.adopt.about import About, app_name
from gates.adopt.automation import automated
from gates.adopt.checks import propose_quality, runs, told
from gates.adopt.containers import (
    DEFAULT_RUNTIME,
    Stack,
    block_unlabelled,
    propose_image,
    read_stack,
    runtime_because,
)
from gates.adopt.database import EMBEDDED, Database, propose_database, propose_servers
from gates.adopt.draft import Draft, Setting
from gates.adopt.environments import propose_environments, propose_needs
from gates.adopt.extensions import created_extensions
from gates.adopt.frontend import propose_frontends
from gates.adopt.needs import Need, examples_of, needs_of, with_images
from gates.adopt.packages import Packages, read_packages
from gates.adopt.processes import Kamal, kamal, procfile, propose_processes
from gates.adopt.python_source import Framework, Source, read_sources
from gates.adopt.pythons import propose_python
from gates.adopt.routes import Route, Routes
from gates.adopt.schema import propose_migrations
from gates.adopt.server import propose_server
from gates.adopt.sources import propose_source_builds
from gates.adopt.started import started
from gates.adopt.suites import SETTINGS, propose_suites, settings_module
from gates.adopt.tree import Tree, below, joined, words
from gates.adopt.web import Served, choose_app
from gates.migrations.tools import MigrationTool

NO_APP = "no web app in Python was found: FastAPI, Flask, Django, Starlette, Litestar or aiohttp"
MOST_PATHS = 2
MOST_PROBLEMS = 5
QUEUES = ("celery", "rq", "dramatiq", "arq", "huey", "taskiq", "procrastinate")


@dataclass(frozen=True)
class Proposal:
    """The draft and what it was made of, for who looks further."""

    draft: Draft
    served: Served | None = None
    packages: Packages | None = None
    database: Database | None = None
    tool: MigrationTool | str = ""
    stack: Stack | None = None
    health: tuple[Route, ...] = ()
    python: str = ""
    runtime: str = DEFAULT_RUNTIME


def propose(tree: Tree, about: About, answers: Mapping[str, str] | None = None) -> Proposal:
    """Return what is proposed for a repository. Without a web app there are only reasons."""
    draft = Draft(answers or {})
    texts = {name: text for name, text in tree.texts.items() if name.endswith(".py")}
    sources, problems = read_sources(texts)
    for problem in problems[:MOST_PROBLEMS]:
        draft.note(f"not looked at: {problem}")
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        draft.note(f"not looked at: {more} more files of Python, for the like of it")
    there = [source for source in sources if below(about.folder, source.file)]
    served = choose_app(tree, there, started(tree), draft)
    if served is None:
        draft.block(
            f"{NO_APP}{f' in {about.folder}' * bool(about.folder)}",
            "name the folder that holds it: slipway adopt PATH/FOLDER",
            f"{len(texts)} files of Python were read",
        )
        return Proposal(draft)
    return _proposal(tree, about, draft, served, sources)


def _proposal(tree: Tree, about: About, draft: Draft, served: Served, sources: list[Source]) -> Proposal:
    python = _app(tree, about, served, draft)
    packages = read_packages(tree, served.folder, draft)
    draft.tell("packages", packages.tool, packages.because)
    if packages.runtime:
        draft.put("locks", "runtime", packages.runtime, packages.because)
        draft.put("locks", "ci", packages.ci or packages.runtime, packages.because)
        propose_source_builds(tree, packages, draft)
    propose_server(served, packages, draft)
    needs = with_images(needs_of(sources, served.folder), tree)
    manage = joined(served.folder, "manage.py")
    if served.app.framework is Framework.DJANGO and tree.has(manage) and not settings_module(tree, served.folder):
        needs[SETTINGS] = Need(SETTINGS, f"{manage} names no settings", True)
    database = propose_database(served, sources, packages, needs, draft)
    if database.kind == EMBEDDED and (extensions := created_extensions(tree.migrations)):
        draft.put("database", "extensions", tuple(extensions), ", ".join(list(extensions.values())[:MOST_PATHS]))
    tool = propose_migrations(tree, served, packages, draft)
    stack, other = read_stack(tree, draft), kamal(tree)
    propose_processes([*procfile(tree, served.folder), *other.processes], draft)
    health = _health(served, sources, other, draft)
    ran = automated(tree)
    automatic = propose_quality(tree, served, packages, ran, draft)
    wanted = {name: need for name, need in needs.items() if name not in database.taken}
    suites = propose_suites(tree, served, packages, ran, wanted, database.is_given, draft)
    propose_frontends(tree, served.folder, draft)
    tools = {
        entry.table.removeprefix("quality."): words(entry.value)
        for entry in draft.entries
        if entry.table.startswith("quality.") and entry.key == "command"
    }
    automatic += [name for name, command in tools.items() if name not in automatic and runs(command, ran)]
    propose_image(tree, stack, served.folder, draft)
    runtime, because = runtime_because(stack)
    if stack and any(one.built for one in stack.services):
        ask = "how it runs: process, or compose (containers)"
        runtime, because = draft.ask("runtime", ask, runtime, because, f"{DEFAULT_RUNTIME}|compose")
    _queue(packages, runtime, draft)
    draft.tell("runtime", runtime, because)
    if stack is not None and runtime != DEFAULT_RUNTIME:
        block_unlabelled(stack, draft)
    propose_environments(runtime, because, automatic, suites, list(tools), database, draft)
    if runtime == DEFAULT_RUNTIME:
        propose_servers(database, needs, draft)
        _imports(served, draft)
    propose_needs(needs, examples_of(tree, served.folder), other, database.taken, draft)
    for line in told(ran, tools.values()):
        draft.note(line)
    for name, why in tree.broken():
        draft.block(f"{name} cannot be read: {why}", "mend it: what it says is left out of this proposal", name)
    return Proposal(draft, served, packages, database, tool, stack, tuple(health), python, runtime)


def _app(tree: Tree, about: About, served: Served, draft: Draft) -> str:
    """Propose [app]. Returns the version of Python."""
    draft.put("app", "name", app_name(about.name), "the repository is called so")
    draft.put("app", "repository", about.place, "its origin" if about.is_origin else "where it was looked at")
    branch, why = about.branch, "its branch"
    if not branch:
        branch, why = draft.ask("app.branch", "the branch that is released", "main", "git does not say", r"[^\s-]\S*")
    draft.put("app", "branch", branch, why)
    if not about.is_git:
        draft.block(f"{about.place} is no git repository", "git init, and commit what is there")
    elif not about.head:
        draft.block(f"{about.place} has no commit", "commit what is there")
    if served.folder != ".":
        draft.put("app", "directory", served.folder, f"{served.app.because}: the app's commands run there")
    return propose_python(tree, served.folder, draft)


def _queue(packages: Packages, runtime: str, draft: Draft) -> None:
    """Say so when a queue's worker is among the packages and nothing starts it."""
    if runtime == DEFAULT_RUNTIME and not any(entry.table.startswith("run.processes.") for entry in draft.entries):
        for package in QUEUES:
            if where := packages.where(package):
                draft.note(
                    f"{where}: {package} is there and no Procfile starts its worker: [run.processes.worker] would"
                )


def _imports(served: Served, draft: Draft) -> None:
    """Propose where imports begin, for what has no option for it: the server is told in its command."""
    others = {"run.processes"} & {entry.table.rpartition(".")[0] for entry in draft.entries}
    if served.path and (others or draft.value("run", "migrate")):
        because = f"{served.app.because}: imports begin there, and no lock installs the app itself"
        draft.settings.append(Setting("APP_PYTHONPATH", served.path, because))


def _health(served: Served, sources: list[Source], other: Kamal, draft: Draft) -> list[Route]:
    """Propose [health] paths: the routes that are called so, else a question."""
    routes, own = Routes(sources), (served.app.file, served.app.name)
    health = [route for route in routes.health() if below(served.folder, route.file)]
    whole = sorted((route for route in health if route.whole), key=lambda route: route.root != own)
    found = [route for route in whole if route.file == whole[0].file][:MOST_PATHS]
    if found:
        draft.put("health", "paths", tuple(route.path for route in found), ", ".join(route.because for route in found))
        for route in found:
            draft.tell("health", route.path, route.because)
        return found
    if other.health:
        draft.put("health", "paths", (other.health,), other.health_because)
        draft.tell("health", other.health, other.health_because)
        return [Route(other.health, other.file, 1)]
    front = [route for route in routes.front() if below(served.folder, route.file)]
    if health:
        default, why = health[0].path, f"{health[0].because} has it under a prefix that nobody could read"
    elif served.app.framework is Framework.FASTAPI:
        default, why = "/openapi.json", "no route is called like one"
    elif front:
        default, why = front[0].path, f"no route is called like one; {front[0].because} seems to ask for no login"
    else:
        default, why = "/", "no route is called like one"
    answer, because = draft.ask("health.paths", "a path that answers 2xx when the app is well", default, why, r"/\S*")
    draft.put("health", "paths", (answer,), because)
    return []
