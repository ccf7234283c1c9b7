"""Health paths: the routes that are called so, with the prefixes under which they are mounted, where these are told.

Without one: what else answers anybody.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gates.adopt.guards import Guards
from gates.adopt.python_source import Source, literal
from gates.adopt.tree import ASIDE

LAST = (
    "health healthz healthcheck health-check health_check healthy up ping status ready readyz readiness live livez"
    " liveness alive heartbeat __heartbeat__ __lbheartbeat__ _health __health__ ht monitoring"
).split()
SIGN_IN = "login log-in signin sign-in sign_in log_in".split()
ADMIN = "admin.site.urls"  # Django's own pages: below them is one to log in at
DECORATORS = frozenset({"get", "route", "api_route", "head"})
CALLS = frozenset({"add_get", "add_route", "add_url_rule", "add_api_route", "Route", "web.get", "web.view"})
PATHS = frozenset({"path", "re_path", "url"})
HTTP = frozenset({"GET", "HEAD"})
VARIABLE = re.compile(r"[{}<>()\\*?$^|]")
DEEPEST = 6
UNKNOWN = "\0"  # a part of a path that nobody can read here


@dataclass(frozen=True)
class Route:
    """A path that a GET reaches. `whole`: nothing of what stands before it is unknown. `closed`: it needs a login.
    `root`: the file and name of what it is added to in the end, an app as a rule.
    """

    path: str
    file: str
    line: int
    whole: bool = True
    closed: bool = False
    root: tuple[str, str] = ("", "")

    @property
    def because(self) -> str:
        """Return file and line."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class _Mount:
    """Where a router is included: by whom (a file and a name there), and under which prefix, None if not told."""

    file: str
    owner: str
    child: str
    prefix: str | None


class Routes:
    """The routes of all files."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = [source for source in sources if not ASIDE.search(source.file)]
        self.guards = Guards(self.sources)
        self.constants = _constants(self.sources)
        self.own: dict[tuple[str, str], str | None] = {}
        self.mounts: dict[str, list[_Mount]] = {}  # by the last part of the child's name
        self.files: dict[str, list[str]] = {}  # by the last part of the module's
        self.before: dict[tuple[str, str, int], tuple[str, bool, tuple[str, str]]] = {}
        for source in self.sources:
            self.files.setdefault(_module(source.file).rpartition(".")[2], []).append(source.file)
            for mount in self._mounted(source):
                self.mounts.setdefault(mount.child.rpartition(".")[2], []).append(mount)

    def health(self) -> list[Route]:
        """Return the health routes that ask for no login, the most telling first."""
        return sorted({route for route in self.all if _last(route.path) in LAST and not route.closed}, key=_rank)

    def front(self) -> list[Route]:
        """Return the start page and the pages to log in at, of those that answer anybody: the shortest first."""
        open_ones = (one for one in self.all if one.whole and not one.closed and not VARIABLE.search(one.path))
        return sorted(
            {one for one in open_ones if one.path == "/" or _last(one.path) in SIGN_IN},
            key=lambda one: (one.path.count("/"), one.path),
        )

    @cached_property
    def all(self) -> list[Route]:
        """Return the routes that answer a GET, as far as their paths are written out."""
        return [
            self._placed(source, owner, call, path)
            for source in self.sources
            for owner, call, path in self._written(source)
        ]

    def _written(self, source: Source) -> Iterator[tuple[str, ast.Call, str]]:
        """Yield each route's router, its call, and its path as it stands there."""
        classes = _decorated(source)
        nested = self._nested(source)
        for call, name in source.calls:
            method = name.rpartition(".")[2]
            django = method in PATHS and ("django" in name or name == method)
            adds = method in CALLS or ".".join(name.split(".")[-2:]) in CALLS
            if not (django or adds or id(call) in classes and method in DECORATORS):
                continue
            path = self._path(call, method)
            if path is None or not _answers_get(call) or _is_included(call):
                continue
            before = nested.get(id(call), "") if django else self._class_path(classes.get(id(call)))
            if django and len(call.args) > 1 and source.qualified(call.args[1]).endswith(ADMIN):
                path = f"{path.rstrip('/')}/login/"
            if path.startswith("/") or django or before:
                yield ("" if django else _local(call)), call, f"/{before}/{path.strip('^$').lstrip('/')}"

    def _class_path(self, node: ast.ClassDef | None) -> str:
        """Return the path of a class of routes (Litestar's controllers), under which its methods are."""
        for one in node.body if node else ():
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and one.targets[0].id == "path":
                return self._text(one.value) or UNKNOWN
        return ""

    def _nested(self, source: Source) -> dict[int, str]:
        """Return what stands before a call inside of Django's `path("api/", include([...]))`."""
        found: dict[int, str] = {}
        for call, name in source.calls:  # the outer ones come first
            if name.rpartition(".")[2] in PATHS and len(call.args) > 1 and _is_included(call):
                before = f"{found.get(id(call), '')}/{self._text(call.args[0]) or UNKNOWN}".replace("^", "")
                found |= {id(one): before for one in ast.walk(call.args[1]) if isinstance(one, ast.Call)}
        return found

    def _path(self, call: ast.Call, method: str) -> str | None:
        named = next((one.value for one in call.keywords if one.arg in ("path", "rule")), None)
        second = method == "add_route" and len(call.args) > 1 and not isinstance(call.args[0], ast.Constant)
        given = call.args[int(second)] if call.args else named
        return None if given is None else self._text(given)

    def _placed(self, source: Source, owner: str, call: ast.Call, path: str) -> Route:
        file = source.file
        if owner in source.imports:
            base, _, owner = source.imports[owner].rpartition(".")
            near = self.files.get(base.rpartition(".")[2], ())
            file = next((one for one in near if _is_module(one, base)), file)
        before, whole, root = self._before(file, owner)
        path = re.sub("/+", "/", f"/{before}/{path}")
        whole = whole and UNKNOWN not in path
        return Route(path.replace(UNKNOWN, "?"), source.file, call.lineno, whole, self.guards.closed(call), root)

    def _before(self, file: str, owner: str, depth: int = 0) -> tuple[str, bool, tuple[str, str]]:
        """Return what stands before the routes of a router, whether that is all of it, and what it is added to."""
        if (file, owner, depth) not in self.before:
            self.before[file, owner, depth] = self._above(file, owner, depth)
        return self.before[file, owner, depth]

    def _above(self, file: str, owner: str, depth: int) -> tuple[str, bool, tuple[str, str]]:
        own = self.own.get((file, owner), "")
        near = self.mounts.get(owner or _module(file).rpartition(".")[2], ()) if depth < DEEPEST else ()
        mount = next((one for one in near if _means(one, file, owner)), None)
        if mount is None or (mount.file, mount.owner) == (file, owner):
            return own or "", own is not None, (file, owner)
        before, whole, root = self._before(mount.file, mount.owner, depth + 1)
        parts = (before, mount.prefix, own)
        return "/".join(one.strip("/") for one in parts if one), whole and None not in parts, root

    def _mounted(self, source: Source) -> Iterator[_Mount]:
        """Yield what a file includes, and note the prefixes of its own routers."""
        for node in source.nodes:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and isinstance(node.targets[0], ast.Name)
            ):
                kind = source.qualified(node.value.func).rpartition(".")[2]
                if kind in ("APIRouter", "Blueprint", "APIBlueprint"):
                    self.own[source.file, node.targets[0].id] = self._prefix(node.value, ("prefix", "url_prefix"))
        for call, name in source.calls:
            owner, _, method = name.rpartition(".")
            if method in ("include_router", "register_blueprint") and call.args:
                child = source.qualified(call.args[0])
                prefix = self._prefix(call, ("prefix", "url_prefix"))
                yield _Mount(source.file, _local(call), child, prefix)
            elif method in PATHS and len(call.args) > 1 and _is_included(call):
                inner = call.args[1]
                module = self._text(inner.args[0]) if isinstance(inner, ast.Call) and inner.args else None
                if module:
                    prefix = self._text(call.args[0])
                    yield _Mount(source.file, "", module, prefix.strip("^$") if prefix is not None else None)

    def _prefix(self, call: ast.Call, names: Sequence[str]) -> str | None:
        given = next((one.value for one in call.keywords if one.arg in names), None)
        return "" if given is None else self._text(given)

    def _text(self, node: ast.expr) -> str | None:
        """Return a text, or that of a constant of the repository whose name has one value."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            parts = [self._text(one.value if isinstance(one, ast.FormattedValue) else one) for one in node.values]
            return None if None in parts else "".join(one or "" for one in parts)
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        values = self.constants.get(name, set())
        return next(iter(values)) if len(values) == 1 else None


def _decorated(source: Source) -> dict[int, ast.ClassDef | None]:
    """Return the calls that decorate something, each with the class in which it does."""
    found: dict[int, ast.ClassDef | None] = {}
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for one in node.decorator_list:
                found.setdefault(id(one), None)
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    found |= {id(one): node for one in method.decorator_list}
    return found


def _constants(sources: Sequence[Source]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source in sources:
        for node in source.nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found.setdefault(target.id, set()).add(node.value.value)
    return found


def _local(call: ast.Call) -> str:
    """Return the name of what a route is added to, in its own file."""
    node = call.func.value if isinstance(call.func, ast.Attribute) else None
    return node.id if isinstance(node, ast.Name) else ""


def _means(mount: _Mount, file: str, owner: str) -> bool:
    """Return whether a mounted name is this router: of the same file, or imported from it."""
    if not owner:
        return _is_module(file, mount.child)
    if mount.child == owner:
        return mount.file == file
    base, _, name = mount.child.rpartition(".")
    return name == owner and bool(base) and _is_module(file, base)


def _is_module(file: str, module: str) -> bool:
    """Return whether a file is a module, whichever folder imports begin in."""
    own = _module(file)
    return own == module or own.endswith(f".{module}") or module.endswith(f".{own}")


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _is_included(call: ast.Call) -> bool:
    inner = call.args[1] if len(call.args) > 1 else None
    name = inner.func if isinstance(inner, ast.Call) else None
    return isinstance(name, ast.Name) and name.id == "include"


def _answers_get(call: ast.Call) -> bool:
    methods = next((one.value for one in call.keywords if one.arg in ("methods", "http_method")), None)
    if not isinstance(methods, ast.List | ast.Tuple | ast.Set):
        return True
    return any((literal(one) or "").upper() in HTTP for one in methods.elts)


def _last(path: str) -> str:
    return "" if VARIABLE.search(path) else path.rstrip("/").rpartition("/")[2].lower()


def _rank(route: Route) -> tuple[bool, int, int, str, str, int]:
    path = route.path
    return not route.whole, LAST.index(_last(path)), path.count("/"), path, route.file, route.line
