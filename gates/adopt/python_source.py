"""One Python file's facts, by its syntax alone: apps, factories, routes, and what it takes of the environment."""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from gates.adopt.tree import ASIDE


class Framework(StrEnum):
    """A framework of web services."""

    FASTAPI = "FastAPI"
    FLASK = "Flask"
    DJANGO = "Django"
    STARLETTE = "Starlette"
    LITESTAR = "Litestar"
    AIOHTTP = "aiohttp"
    OTHER = "another framework"


CONSTRUCTORS = {
    "fastapi.FastAPI": Framework.FASTAPI,
    "fastapi.applications.FastAPI": Framework.FASTAPI,
    "flask.Flask": Framework.FLASK,
    "flask.app.Flask": Framework.FLASK,
    "apiflask.APIFlask": Framework.FLASK,
    "flask_openapi3.OpenAPI": Framework.FLASK,
    "connexion.FlaskApp": Framework.FLASK,
    "starlette.applications.Starlette": Framework.STARLETTE,
    "litestar.Litestar": Framework.LITESTAR,
    "litestar.app.Litestar": Framework.LITESTAR,
    "aiohttp.web.Application": Framework.AIOHTTP,
    "django.core.wsgi.get_wsgi_application": Framework.DJANGO,
    "django.core.asgi.get_asgi_application": Framework.DJANGO,
    "quart.Quart": Framework.OTHER,
    "sanic.Sanic": Framework.OTHER,
    "falcon.App": Framework.OTHER,
    "falcon.asgi.App": Framework.OTHER,
    "bottle.Bottle": Framework.OTHER,
    "tornado.web.Application": Framework.OTHER,
    "robyn.Robyn": Framework.OTHER,
    "pyramid.config.Configurator": Framework.OTHER,
}
MOST_NODES = 300_000


@dataclass(frozen=True)
class AppObject:
    """Something that a server can serve. `factory`: a function that makes it; `given`: it must be given something.
    `asgi` is None where the framework decides.
    """

    file: str
    line: int
    framework: Framework
    name: str
    factory: bool = False
    given: bool = False
    asgi: bool | None = None

    @property
    def because(self) -> str:
        """Return file and line."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Source:
    """One file, parsed. `imports` is the qualified name of each local one."""

    file: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    nodes: tuple[ast.AST, ...] = ()

    @cached_property
    def calls(self) -> list[tuple[ast.Call, str]]:
        """Return each call with the qualified name of what is called."""
        return [(node, self.qualified(node.func)) for node in self.nodes if isinstance(node, ast.Call)]

    def qualified(self, node: ast.expr) -> str:
        """Return the qualified name of an expression, "" of one that is no name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imports.get(node.id, node.id), *reversed(parts)])


def read_source(file: str, text: str) -> Source | str:
    """Return a file's syntax, or why it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return f"{file}:{error.lineno or 1}: it is no Python of this version: {str(error.msg)[:80]}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{file}: it cannot be parsed: {type(error).__name__}"
    nodes: list[ast.AST] = []
    for node in ast.walk(tree):
        nodes.append(node)
        if len(nodes) > MOST_NODES:
            return f"{file}: more than {MOST_NODES} parts"
    package = file.removesuffix(".py").replace("/", ".").split(".")
    imports: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            imports |= {
                (one.asname or one.name.partition(".")[0]): (one.name if one.asname else one.name.partition(".")[0])
                for one in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*package[: -node.level], *filter(None, [node.module])]) if node.level else node.module or ""
            )
            imports |= {(one.asname or one.name): f"{base}.{one.name}" for one in node.names}
    return Source(file, tree, imports, tuple(nodes))


def apps_of(source: Source) -> list[AppObject]:
    """Return the apps that a file makes at its top, and the functions that make one."""
    kinds = _kinds(source)
    found: list[AppObject] = []
    if not any(kinds.values()):
        return []
    for node in _top(source.tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kinds_made = [kinds[one] for one in map(id, ast.walk(node)) if kinds.get(one)]
            made = min(kinds_made, key=list(Framework).index, default=None)
            if made and not node.name.startswith("test") and _returns(node):
                given = _needs_arguments(node)
                found.append(AppObject(source.file, node.lineno, made, node.name, True, given))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and (framework := kinds.get(id(node.value))):
                asgi = "asgi" in source.qualified(node.value.func) or None if framework is Framework.DJANGO else None
                found.append(AppObject(source.file, node.lineno, framework, target.id, asgi=asgi))
    return found


def _kinds(source: Source) -> dict[int, Framework]:
    """Return which calls make an app, by their node; a class of the file that is derived from a framework's counts."""
    own = {
        node.name: CONSTRUCTORS[base]
        for node in source.nodes
        if isinstance(node, ast.ClassDef)
        for base in map(source.qualified, node.bases)
        if base in CONSTRUCTORS
    }
    kinds = {}
    for call, name in source.calls:
        if framework := CONSTRUCTORS.get(name) or own.get(name):
            kinds[id(call)] = framework
    return kinds


def made_elsewhere(source: Source, factories: dict[str, AppObject]) -> list[AppObject]:
    """Return the variables at a file's top that hold what a factory of the repository returns: `app = create_app()`."""
    found = []
    for node in _top(source.tree.body):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        target, name = node.targets[0], source.qualified(node.value.func).rpartition(".")[2]
        if isinstance(target, ast.Name) and (maker := factories.get(name)):
            found.append(AppObject(source.file, node.lineno, maker.framework, target.id))
    return found


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements at the top of a file, and those of its conditions and `with` there."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            is_main = isinstance(node, ast.If) and says(node.test, "__name__")
            yield from () if is_main else _top(node.body)


def says(node: ast.expr, name: str) -> bool:
    """Return whether an expression has a name, as a part of another one or within a text too."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and one.id == name or isinstance(one, ast.Attribute) and one.attr == name:
            return True
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and name in one.value:
            return True
    return False


def literal(node: ast.expr | None) -> str | None:
    """Return a literal as text, None of what is none and of `None`. A number may be too long to be written out."""
    if not isinstance(node, ast.Constant) or node.value is None or node.value is ...:
        return None
    try:
        return str(node.value)
    except ValueError:
        return None


def _returns(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(one, ast.Return) and one.value is not None for one in ast.walk(node))


def _needs_arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    named = any(default is None for default in given.kw_defaults)
    return len(positional) > len(given.defaults) or named


def read_sources(texts: dict[str, str]) -> tuple[list[Source], list[str]]:
    """Return the files of Python, the app's first, and why some could not be parsed."""
    sources, problems = [], []
    for file in sorted(texts, key=lambda name: (bool(ASIDE.search(name)), name.count("/"), name)):
        read = read_source(file, texts[file])
        if isinstance(read, str):
            problems.append(read)
        else:
            sources.append(read)
    return sources, problems
