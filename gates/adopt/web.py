"""Which app is served, from which folder, by which server and with which command."""

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gates.adopt.draft import Draft
from gates.adopt.packages import LOCKS, MANIFESTS, Packages
from gates.adopt.python_source import AppObject, Framework, Source, apps_of, made_elsewhere
from gates.adopt.started import Started
from gates.adopt.tree import ASIDE, Tree, joined

MODULES = ("main", "app", "asgi", "wsgi", "server", "application", "__init__", "api", "factory")
WORKER = re.compile(r"celery|worker|tasks?$|beat")  # makes an app for what it does in the background
NAMES = ("app", "application", "asgi_app", "wsgi_app", "create_app", "api")
ASGI = frozenset({Framework.FASTAPI, Framework.STARLETTE, Framework.LITESTAR})
LISTS = ("requirements.txt", "requirements.lock", "alembic.ini", "manage.py")
MOST_OFFERED = 8
MOST_COMMANDS = 200
APP = "app"  # the question which app is served


@dataclass(frozen=True)
class Served:
    """The app: `folder` is where its commands run, `path` where its imports begin below that ("" for the same place),
    `module` as it is imported.
    """

    app: AppObject
    folder: str
    path: str
    module: str
    started: Started | None = None


def find_apps(sources: Sequence[Source]) -> list[AppObject]:
    """Return every app that the repository makes, the likeliest first."""
    # An app that a tool of migrations makes for itself is none that is served.
    of_alembic = re.compile(r"alembic(\.|$)").match
    sources = [one for one in sources if not ASIDE.search(one.file) and not any(map(of_alembic, one.imports.values()))]
    found = [app for source in sources for app in apps_of(source)]
    factories = {app.name: app for app in found if app.factory}
    known = {(app.file, app.name) for app in found}
    for source in sources:
        found += [app for app in made_elsewhere(source, factories) if (app.file, app.name) not in known]
    return sorted(found, key=_rank)


def _rank(app: AppObject) -> tuple[object, ...]:
    module = posixpath.basename(app.file).removesuffix(".py")
    not_of_django = app.framework is Framework.DJANGO and module not in ("wsgi", "asgi")
    asgi_of_django = app.framework is Framework.DJANGO and bool(app.asgi)
    return (
        app.framework is Framework.OTHER,
        bool(WORKER.search(module)),
        not_of_django,
        asgi_of_django,
        app.given,
        app.factory,
        app.name not in NAMES,
        MODULES.index(module) if module in MODULES else len(MODULES),
        app.file.count("/"),
        app.file,
        app.line,
    )


def choose_app(tree: Tree, sources: Sequence[Source], commands: Sequence[Started], draft: Draft) -> Served | None:
    """Choose the app that is served: the one that the repository itself starts, else the likeliest, which is asked."""
    apps = find_apps(sources)
    by_file = {source.file: source for source in sources}
    different: dict[tuple[str, str, bool], Started] = {}
    for command in commands:
        different.setdefault((command.module, command.name, command.factory), command)
    commands = list(different.values())
    if len(commands) > MOST_COMMANDS:
        draft.note(f"{len(commands) - MOST_COMMANDS} of the commands that start a server are not looked at")
        commands = commands[:MOST_COMMANDS]
    if not apps:
        return _only_started(tree, by_file, commands)
    for command in commands:
        for app in apps:
            if command.name == app.name and (root := _stated_root(command, app.file)):
                return replace(_served(tree, by_file[app.file], app, root), started=command)
        if app_by_name := _by_command(command, by_file, apps):
            root = _stated_root(command, app_by_name.file)
            return replace(_served(tree, by_file[app_by_name.file], app_by_name, root), started=command)
    if len({(app.file, app.name) for app in _likely(apps)}) == 1:
        return _served(tree, by_file[apps[0].file], apps[0])
    offered = [f"{app.file}:{app.name}" for app in apps][:MOST_OFFERED]
    answer, _ = draft.ask(
        APP,
        f"which of these is the app that is served: {', '.join(offered)}",
        offered[0],
        "several apps are made, and no Procfile, Dockerfile or script starts one of them",
        "|".join(re.escape(f"{app.file}:{app.name}") for app in apps),
    )
    chosen = next((app for app in apps if f"{app.file}:{app.name}" == answer), apps[0])
    return _served(tree, by_file[chosen.file], chosen)


def _likely(apps: Sequence[AppObject]) -> list[AppObject]:
    """Return the apps among which the first one must be chosen: those that are as ready to be served as it is."""
    best = apps[0]
    if best.framework is Framework.DJANGO:
        folder = posixpath.dirname(best.file)
        return [one for one in apps if one.framework is Framework.DJANGO and posixpath.dirname(one.file) != folder][
            :1
        ] + [best]
    return [one for one in apps if (one.given, one.factory) == (best.given, best.factory)]


def _stated_root(command: Started, file: str) -> str:
    """Return the folder from which a command's module is this file, "" if it is another one."""
    plain = "/" + file.removesuffix(".py").removesuffix("/__init__")
    ending = "/" + command.module.replace(".", "/")
    return (plain.removesuffix(ending).lstrip("/") or ".") if plain.endswith(ending) else ""


def _by_command(command: Started, by_file: dict[str, Source], apps: Sequence[AppObject]) -> AppObject | None:
    """Return what a command serves when its file makes no app by itself: `app = wrap(create_app())`, an import."""
    ending = command.module.replace(".", "/")
    files = [file for file in by_file if file.removesuffix(".py").removesuffix("/__init__") == ending]
    files += [file for file in by_file if file.removesuffix(".py").removesuffix("/__init__").endswith(f"/{ending}")]
    for file in files[:1]:
        source = by_file[file]
        origin = source.imports.get(command.name, "").rpartition(".")[2]
        made = next((app for app in apps if app.file == file), None)
        made = made or next((app for app in apps if origin and app.name == origin), None)
        made = made or (apps[0] if _assigns(source, command.name) else None)
        if made:
            return AppObject(file, 1, made.framework, command.name, command.factory, asgi=made.asgi)
    return None


def _only_started(tree: Tree, by_file: dict[str, Source], commands: Sequence[Started]) -> Served | None:
    """Return what a command of the repository serves, when no file makes an app in a way that is known."""
    for command in commands:
        ending = command.module.replace(".", "/")
        for file, source in by_file.items():
            is_module = file.removesuffix(".py").removesuffix("/__init__").endswith(ending)
            if is_module and _assigns(source, command.name):
                framework = Framework.DJANGO if tree.called(r"manage\.py") else Framework.OTHER
                asgi = command.server in ("uvicorn", "hypercorn", "daphne")
                app = AppObject(file, 1, framework, command.name, command.factory, asgi=asgi)
                return replace(_served(tree, source, app, _stated_root(command, file)), started=command)
    return None


def _assigns(source: Source, name: str) -> bool:
    targets = (target for node in source.tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _served(tree: Tree, source: Source, app: AppObject, stated: str = "") -> Served:
    """Return where the app's imports begin, and the folder in which its commands run. `stated`: the former is known."""
    root = stated or _import_root(tree, source, app)
    folder = root if app.framework is Framework.DJANGO else _nearest(tree, root)
    module = app.file.removesuffix(".py").removesuffix("/__init__")
    module = (module if root == "." else module.removeprefix(f"{root}/")).replace("/", ".")
    path = posixpath.relpath(root, folder)
    return Served(app, folder, "" if path == "." else path, module)


def _nearest(tree: Tree, folder: str) -> str:
    """Return the nearest folder, this one or one above it, that lists packages or sets up a tool, else the top."""
    for place in _up(folder):
        listed = joined(place, "requirements") in tree.folders
        if listed or any(tree.has(joined(place, one)) for one in (*MANIFESTS, *LOCKS, *LISTS)):
            return place
    return "."


def _up(folder: str) -> Iterator[str]:
    while folder and folder != ".":
        yield folder
        folder = posixpath.dirname(folder)
    yield "."


def _import_root(tree: Tree, source: Source, app: AppObject) -> str:
    """Return the folder from which the app's own imports are found; without any, the one above its packages."""
    own = posixpath.dirname(app.file) or "."
    places = list(_up(own))
    if app.framework is Framework.DJANGO:
        for place in places:
            if tree.has(joined(place, "manage.py")):
                return place
    firsts = {name.partition(".")[0] for name in source.imports.values() if not name.startswith(".")}

    def found(place: str) -> int:
        return sum(tree.has(joined(place, f"{one}.py")) or joined(place, one) in tree.folders for one in firsts)

    inner = next(place for place in places if place == "." or not tree.has(joined(place, "__init__.py")))
    if inner == own:
        inner = _nearest(tree, own)
    best = max(places, key=lambda place: (found(place), place == inner))
    if not found(best):
        return inner
    return best if found(best) > found(inner) else inner


def is_asgi(served: Served, packages: Packages) -> bool:
    """Return whether the app speaks ASGI."""
    if served.app.framework is Framework.DJANGO and served.app.asgi is None:
        return False
    return served.app.framework in ASGI or bool(served.app.asgi)
