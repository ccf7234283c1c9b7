"""Routes that answer nobody without a login, and those that speak no HTTP, by what stands there."""

import ast
import re
from collections.abc import Iterator, Sequence

from gates.adopt.python_source import Source

# The last part of a name that stands at a handler: a decorator, a base class, a permission, a dependency.
LOGIN = re.compile(
    r"(?i)(login|auth|authentication|token|jwt|user|permissions?|role|staff|admin)_?required"
    r"|LoginRequired|PermissionRequired|UserPassesTest|user_passes_test|staff_member_required"
    r"|requires?_(auth|login|user)"
    r"|^Is(Authenticated|Admin|Staff)|current_?(active_?)?(super)?user|^auth_?guard|requires?$"
)
NO_HTTP = frozenset({"as_asgi", "websocket", "websocket_route", "add_websocket_route", "WebSocketRoute"})
STATED = frozenset({"permission_classes", "guards", "dependencies", "decorators"})
Handler = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Guards:
    """What the files say of who may call a route."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.named: dict[str, list[Handler]] = {}
        self.decorated: dict[int, Handler] = {}
        self.by_name: dict[str, bool] = {}
        for source in sources:
            for node in source.nodes:
                if isinstance(node, Handler):
                    self.named.setdefault(node.name, []).append(node)
                    self.decorated |= {id(one): node for one in node.decorator_list}

    def closed(self, call: ast.Call) -> bool:
        """Return whether a route asks for a login, or is none of HTTP, as far as it is written at it or its handler."""
        given = [*call.args[1:], *(one.value for one in call.keywords)]
        names = {name for node in given for name in _names(node)}
        if any(name in NO_HTTP or LOGIN.search(name) for name in names | set(_names(call.func))):
            return True
        if id(call) in self.decorated and self._guarded(self.decorated[id(call)]):
            return True
        return any(map(self._is_guarded, names))

    def _is_guarded(self, name: str) -> bool:
        """Return whether one of the handlers of this name asks for a login."""
        if name not in self.by_name:
            self.by_name[name] = any(map(self._guarded, self.named.get(name, ())))
        return self.by_name[name]

    def _guarded(self, handler: Handler) -> bool:
        return any(LOGIN.search(name) for node in _stated(handler) for name in _names(node))


def _stated(handler: Handler) -> Iterator[ast.AST]:
    """Yield what a handler says of its callers: decorators, base classes, permissions, and what it depends on."""
    yield from handler.decorator_list
    if isinstance(handler, ast.ClassDef):
        yield from handler.bases
        for one in handler.body:
            if isinstance(one, ast.Assign) and any(name in STATED for at in one.targets for name in _names(at)):
                yield one.value
        return
    for argument in (*handler.args.posonlyargs, *handler.args.args, *handler.args.kwonlyargs):
        yield from [argument.annotation] if argument.annotation else []
    yield from (one for one in (*handler.args.defaults, *handler.args.kw_defaults) if one)


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the last parts of the names in an expression."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr
