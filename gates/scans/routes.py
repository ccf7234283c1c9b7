"""Does something ask who calls before a route is reached: a middleware, or a dependency of its router or its app?"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from gates.repository_paths import TOP, below


class Asks(IntEnum):
    """Whether a guard asks who calls."""

    NO = 0
    PERHAPS = 1
    YES = 2


class Facts(BaseModel):
    """What one file says (tasks/scans/inside/slipway_guards.py).

    `imports` is [module, name] by local name; `makes` "app" or "router" by variable; `guards` owner, how, names and
    line; `includes` parent, child, names of dependencies and line; `defines` how much of a function's or a class's code
    speaks of refusing an unknown caller, 0 to 2.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    imports: dict[str, tuple[str, str]]
    makes: dict[str, str]
    guards: tuple[tuple[str, str, tuple[str, ...], int], ...]
    includes: tuple[tuple[str, str, tuple[str, ...], int], ...]
    defines: dict[str, int]


@dataclass(frozen=True)
class Guard:
    """What stands in front of a route: its name, where, and whether it asks who calls."""

    name: str
    file: str
    line: int
    asks: Asks


NOBODY = Guard("", "", 0, Asks.NO)
_WHO = re.compile(
    r"user|auth|admin|login|logged|token|bearer|principal|identity|credential|api_?key|permission|role|scope|require"
    r"|verif|signature|member|staff|caller|owner|jwt|protect",
    re.IGNORECASE,
)
# Middleware of public packages that lets everybody through: it counts, compresses, or looks at something else.
_OPEN = re.compile(
    r"cors|gzip|brotli|trustedhost|httpsredirect|session|proxyheaders|prometheus|metrics|sentry|telemetry|requestid"
    r"|correlation|log|timing|ratelimit|slowapi|servererror|exception|rawcontext|db|locale|csrf|security|common|message"
    r"|clickjacking|whitenoise|static|cache|debug|profil|history",
    re.IGNORECASE,
)
# Django's own LoginRequiredMiddleware (5.1) and packages of the same name.
_KNOWN = frozenset({"LoginRequiredMiddleware"})
_WHOLE = frozenset({"add_middleware", "middleware", "before_app_request", "MIDDLEWARE"})
# What Starlette, Django and Flask only note of a caller, whoever it is.
_NOTES = frozenset({"AuthenticationMiddleware", "SessionMiddleware", "RemoteUserMiddleware"})
_Node = tuple[str, str]


class Guards:
    """The guards of a commit: asked for the route of one file and router. Imports of what lies in `directory` begin
    there.
    """

    def __init__(self, files: Mapping[str, Facts], directory: str = TOP) -> None:
        self.files = files
        self.directory = directory
        self.defined: dict[str, list[int]] = {}
        for facts in files.values():
            for name, speaks in facts.defines.items():
                self.defined.setdefault(name, []).append(speaks)
        self.apps = [
            (file, name) for file, facts in files.items() for name, kind in facts.makes.items() if kind == "app"
        ]
        self.parents: dict[_Node, list[tuple[_Node, Guard]]] = {}
        for file, facts in files.items():
            for owner, child, names, line in facts.includes:
                best = self._best(names, "dependencies", file, line)
                self.parents.setdefault(self._node(file, child), []).append((self._node(file, owner), best))

    def of(self, file: str, router: str) -> Guard:
        """Return what stands before a router's routes; NOBODY when nothing asks.

        With several apps in a commit a guard of a whole app may be another's: it may ask, and no more is known.
        """
        return max(self._above(self._node(file, router), ()), self._whole, key=lambda guard: guard.asks)

    def _above(self, node: _Node, below: tuple[_Node, ...]) -> Guard:
        own = self._own(node)
        if own.asks is Asks.YES or node in below or len(below) > 20:
            return own
        # It is asked only where each way in asks.
        ways = [
            max(guard, self._above(parent, (*below, node)), key=lambda guard: guard.asks)
            for parent, guard in self.parents.get(node, ())[:20]
        ]
        return max(own, min(ways, key=lambda guard: guard.asks), key=lambda guard: guard.asks) if ways else own

    def _own(self, node: _Node) -> Guard:
        facts = self.files.get(node[0])
        rows = [row for row in facts.guards if row[0] == node[1]] if facts else []
        return max((self._best(names, how, node[0], line) for _, how, names, line in rows), key=_asks, default=NOBODY)

    @cached_property
    def _whole(self) -> Guard:
        rows = [(file, row) for file, facts in self.files.items() for row in facts.guards]
        found = [
            self._best(names, how, file, line)
            for file, (owner, how, names, line) in rows
            if how in _WHOLE or (file, owner) in self.apps
        ]
        best = max(found, key=_asks, default=NOBODY)
        several = len(self.apps) > 1 and best.asks is Asks.YES
        return Guard(best.name, best.file, best.line, Asks.PERHAPS) if several else best

    def _best(self, names: Sequence[str], how: str, file: str, line: int) -> Guard:
        found = (Guard(name, file, line, self._asks(name.rpartition(".")[2], how)) for name in names)
        return max(found, key=_asks, default=NOBODY)

    def _asks(self, name: str, how: str) -> Asks:
        """Judge by the code when the commit has it, else by the name."""
        if name in _KNOWN:
            return Asks.YES
        if name in _NOTES:
            return Asks.PERHAPS if name.startswith("Auth") and how != "MIDDLEWARE" else Asks.NO
        speaks = self.defined.get(name)
        if how in ("dependencies", "auth"):
            if _WHO.search(name) or how == "auth":
                return Asks.YES
            return (
                Asks.YES if speaks and min(speaks) == 2 else Asks.PERHAPS if name == "?" or speaks == [1] else Asks.NO
            )
        if speaks:
            return Asks(min(speaks))
        if how == "MIDDLEWARE":
            return Asks.PERHAPS if re.search("login|token|jwt|require", name, re.IGNORECASE) else Asks.NO
        return Asks.NO if _OPEN.search(name) and not _WHO.search(name) else Asks.PERHAPS

    def _node(self, file: str, name: str) -> _Node:
        """Return the file and the variable that a name in a file means, followed through its imports."""
        for _ in range(5):
            facts = self.files.get(file)
            if facts is None or name in facts.makes:
                break
            first, _, rest = name.partition(".")
            if first not in facts.imports:
                break
            module, original = facts.imports[first]
            found = next(self._modules(file, module, original, rest), None)
            if found is None:
                break
            file, name = found
        return file, name

    def _modules(self, file: str, module: str, original: str, rest: str) -> Iterator[_Node]:
        """Return where an import may lead to: a name of a module, or a module of a package."""
        level = len(module) - len(module.lstrip("."))
        folder = "/".join(file.split("/")[:-level]) + "/" if level else ""
        path = folder.lstrip("/") + module.lstrip(".").replace(".", "/")
        as_module = f"{path}/{original}".strip("/") if rest else ""
        for base, name in ((as_module, rest), (path.rstrip("/"), f"{original}.{rest}".rstrip("."))):
            for ending in (f"{base}.py", f"{base}/__init__.py"):
                if base and (found := self._file(ending, file)):
                    yield found, name

    def _file(self, ending: str, importer: str) -> str:
        near = f"{self.directory}/{ending}"
        if near in self.files and below(self.directory, importer):
            return near
        if ending in self.files:
            return ending
        same = [file for file in self.files if file.endswith(f"/{ending}")]
        return same[0] if len(same) == 1 else ""


def _asks(guard: Guard) -> Asks:
    return guard.asks


def counted_guards(guards: Sequence[Guard]) -> list[str]:
    """Return a note for each guard, with how many routes stand behind it."""
    counts = Counter(f"{guard.name} ({guard.file}:{guard.line})" for guard in guards)
    return [f"{count} routes stand behind {name}, which asks who calls" for name, count in counts.items()]
