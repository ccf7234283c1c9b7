"""Write what the Python files named in a JSON list say of who may call their routes: guards of whole apps and routers.

Only parses. Runs in the sandbox, for a file can crash a parser: `python slipway_guards.py FILES.json ANSWER.json`.
"""

import ast
import json
import re
import sys
from typing import Any

APPS = ("FastAPI", "Flask", "Starlette", "Quart", "Litestar", "NinjaAPI")
ROUTERS = ("APIRouter", "Blueprint", "Router")
LISTS = ("dependencies", "auth")
WRAPS = ("Depends", "Security", "Middleware")
# Evidence that code refuses whoever it does not know: it answers so, and it looks at what a caller shows. A session or
# a redirect alone may be anything's.
REFUSES = re.compile(r"\b(HTTP_)?40[13]\b|unauthori[sz]ed|forbidden|permission_?denied|not_?authenticated", re.I)
SENDS_AWAY = re.compile(r"redirect|abort", re.I)
LOOKS = re.compile(r"authorization|bearer|token|api[-_]?key|current_?user|authenticat|verify_", re.I)
MAY_LOOK = re.compile(r"session|cookie|credential|user|login", re.I)


def name_of(node: ast.AST) -> str:
    """Return a dotted name, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def words_of(node: ast.AST) -> str:
    """Return the names, attributes and constants in a piece of code, as one text."""
    words = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            words.append(part.id)
        elif isinstance(part, ast.Attribute):
            words.append(part.attr)
        elif isinstance(part, ast.Constant):
            words.append(str(part.value)[:200])
    return " ".join(words)


def evidence(node: ast.AST) -> int:
    """Return 2 when code refuses a caller whom it looked at, 1 when it may, 0 when nothing speaks for it."""
    words = words_of(node)
    refuses, looks = REFUSES.search(words), LOOKS.search(words)
    if (refuses or SENDS_AWAY.search(words)) and (looks or MAY_LOOK.search(words)):
        return 2
    return 1 if refuses or looks else 0


class File(ast.NodeVisitor):
    """What one file says."""

    def __init__(self) -> None:
        self.imports: dict[str, list[str]] = {}
        self.makes: dict[str, str] = {}
        self.guards: list[list[Any]] = []
        self.includes: list[list[Any]] = []
        self.defines: dict[str, int] = {}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name in node.names:
            module = "." * node.level + (node.module or "")
            self.imports[name.asname or name.name] = [module, name.name]

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.defines[node.name] = max(self.defines.get(node.name, 0), evidence(node))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.defined(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.defined(node)

    def defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Note what a function speaks of, and what its decorators make it."""
        self.defines[node.name] = max(self.defines.get(node.name, 0), evidence(node))
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            owner, _, method = name_of(call).rpartition(".")
            if owner and method in ("middleware", "before_request", "before_app_request"):
                self.guard(owner, method, [node.name], node.lineno)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.assigned(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.assigned(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.assigned(node.target, node.value)

    def assigned(self, target: ast.expr, value: ast.expr | None) -> None:
        """Note an app, a router or Django's list of middleware."""
        name = name_of(target)
        if name == "MIDDLEWARE" and isinstance(value, (ast.List, ast.Tuple, ast.BinOp)):
            texts = [part.value for part in ast.walk(value) if isinstance(part, ast.Constant)]
            self.guard("", "MIDDLEWARE", [str(text).rpartition(".")[2] for text in texts], value.lineno)
        if not isinstance(value, ast.Call):
            return
        kind = name_of(value.func).rpartition(".")[2]
        if kind in APPS or kind in ROUTERS:
            self.makes[name] = "app" if kind in APPS else "router"
            self.keywords(name, value)

    def keywords(self, owner: str, call: ast.Call) -> None:
        """Note what an app or a router is made with."""
        for keyword in call.keywords:
            if keyword.arg in LISTS:
                self.guard(owner, keyword.arg, self.named(keyword.value), call.lineno)
            if keyword.arg == "middleware":
                self.guard(owner, "middleware", self.named(keyword.value), call.lineno)

    def named(self, value: ast.expr) -> list[str]:
        """Return what stands in a list of Depends(x), Security(x), Middleware(x) or plain names."""
        if not isinstance(value, (ast.List, ast.Tuple)):
            return [name_of(value.func if isinstance(value, ast.Call) else value) or "?"]
        found = []
        for part in value.elts:
            if isinstance(part, ast.Call) and name_of(part.func).rpartition(".")[2] in WRAPS:
                part = part.args[0] if part.args else part
            found.append(name_of(part.func if isinstance(part, ast.Call) else part) or "?")
        return found

    def visit_Call(self, node: ast.Call) -> None:
        owner, _, method = name_of(node.func).rpartition(".")
        if owner and node.args:
            if method in ("add_middleware", "before_request", "before_app_request"):
                self.guard(owner, method, [name_of(node.args[0]) or "?"], node.lineno)
            elif method in ("include_router", "register_blueprint", "add_router"):
                child = name_of(node.args[-1 if method == "add_router" else 0])
                named = [self.named(one.value) for one in node.keywords if one.arg in LISTS]
                self.includes.append([owner, child, [name for names in named for name in names], node.lineno])
        self.generic_visit(node)

    def guard(self, owner: str, how: str, names: list[str], line: int) -> None:
        """Note what stands before the routes of an app or a router, "" for the whole of Django."""
        self.guards.append([owner, how, [name for name in names if name], line])


def look(name: str) -> dict[str, Any]:
    """Return what a file says. Raises what ast.parse does."""
    with open(name, "rb") as file:
        tree = ast.parse(file.read(), name)
    found = File()
    found.visit(tree)
    return {key: getattr(found, key) for key in ("imports", "makes", "guards", "includes", "defines")}


def main(asked: str, answer: str) -> None:
    """Look at the files that `asked` names, and write the answer."""
    facts = {}
    with open(asked, encoding="utf-8") as file:
        names = json.load(file)
    for name in names:
        try:
            facts[name] = look(name)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # told by the look that finds what cannot be parsed
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
