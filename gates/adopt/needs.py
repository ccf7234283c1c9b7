"""What the app takes of its environment: variables that are read, settings classes, and files that name examples."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gates.adopt.python_source import Source, literal, says
from gates.adopt.tree import ASIDE, Tree, below
from gates.scans.dockerfiles.instructions import instructions
from gates.scans.dockerfiles.stages import stages
from gates.scans.outcome import ReportError

NAME = re.compile("[A-Z][A-Z0-9_]{1,80}")
EXAMPLE = re.compile(r"(?:^|/)[\w.-]*(?:env|environment)[\w.-]*\.?(?:example|sample|template|dist)[\w.-]*$")
LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$")
READERS = frozenset({"os.environ.get", "os.getenv", "os.environ.setdefault"})
SETTINGS = frozenset({"pydantic_settings.BaseSettings", "pydantic.BaseSettings", "pydantic.v1.BaseSettings"})
# Of packages whose reader fails for a variable without a default.
STRICT = re.compile(
    r"(?:decouple\.(?:config|Config)|environs?\.\w+|environ\.\w+|starlette\.config\.Config|environs\.env)$"
)
# What Slipway gives, or the system.
GIVEN = frozenset(
    "DATABASE_URL PORT HOST REDIS_URL PATH HOME USER LANG TZ PYTHONPATH HOSTNAME PWD TMPDIR VIRTUAL_ENV CI SEED".split()
)


@dataclass(frozen=True)
class Need:
    """A variable that the app reads. `required`: it does not start, or not work, without it. `default` is the code's,
    or an example's; None when there is none.
    """

    name: str
    because: str
    required: bool
    default: str | None = None


def needs_of(sources: Sequence[Source], folder: str) -> dict[str, Need]:
    """Return what the code of an app reads of its environment, by name; the strictest place of each counts."""
    found: dict[str, Need] = {}
    own = [one for one in sources if not ASIDE.search(one.file) and below(folder, one.file)]
    settings = _settings_classes(own)
    for source in own:
        if _is_of_development(source.file):
            continue
        for need in (*_read(source), *_classes(source, settings)):
            known = found.get(need.name)
            if NAME.fullmatch(need.name) and (known is None or need.required and not known.required):
                found[need.name] = need
    return found


def _is_of_development(file: str) -> bool:
    return bool(re.search(r"(?:^|/)(?:settings|config)[/_.-](?:test|testing|local|dev|development)\.py$", file))


def _read(source: Source) -> Iterator[Need]:
    readers = {
        node.targets[0].id
        for node in source.nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and STRICT.search(source.qualified(node.value.func))
    }
    perhaps, schemed = _perhaps(source), _schemed(source)
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and source.qualified(node.value) == "os.environ":
            if isinstance(node.ctx, ast.Load) and (name := literal(node.slice)):
                yield Need(name, f"{source.file}:{node.lineno}", id(node) not in perhaps)
        elif isinstance(node, ast.Call) and node.args and (name := literal(node.args[0])):
            for need in _called(source, node, name, readers):
                sure = id(node) not in perhaps or need.name == "SECRET_KEY"  # one that is set harms no branch
                required = need.required and sure and need.name not in schemed
                yield replace(need, required=required)


def _perhaps(source: Source) -> set[int]:
    """Return the parts of a file that run under a condition: what they read may not be needed."""
    found: set[int] = set()
    for node in source.nodes:
        if isinstance(node, ast.If | ast.IfExp | ast.Try) and id(node) not in found:
            found |= {id(one) for one in ast.walk(node)}
    return found


def _schemed(source: Source) -> set[str]:
    """Return the variables that django-environ's scheme gives a default: `Env(DEBUG=(bool, False))`."""
    return {
        str(one.arg)
        for call, name in source.calls
        if name == "environ.Env"
        for one in call.keywords
        if isinstance(one.value, ast.Tuple) and len(one.value.elts) == 2
    }


def _called(source: Source, call: ast.Call, name: str, readers: set[str]) -> Iterator[Need]:
    called = source.qualified(call.func)
    strict = called.partition(".")[0] in readers or bool(STRICT.search(called)) and "decouple" in called
    if called in READERS or strict:
        given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "default")]
        yield Need(name, f"{source.file}:{call.lineno}", strict and not given, literal(given[0]) if given else None)


def _settings_classes(sources: Sequence[Source]) -> set[str]:
    """Return the names of the classes that derive from pydantic's settings, through one another, in whatever file."""
    bases: dict[str, set[str]] = {}
    for source in sources:
        for node in source.nodes:
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(source.qualified(base) for base in node.bases)
    found = {name for name, of in bases.items() if any(base in SETTINGS or "BaseSettings" in base for base in of)}
    derived: dict[str, set[str]] = {}
    for name, of in bases.items():
        for base in of:
            derived.setdefault(base.split(".")[-1], set()).add(name)
    waiting = list(found)
    while waiting:
        more = derived.get(waiting.pop(), set()) - found
        found |= more
        waiting += more
    return found


def _classes(source: Source, settings: Collection[str]) -> Iterator[Need]:
    """Yield the fields of pydantic's settings classes."""
    for node in source.nodes:
        if isinstance(node, ast.ClassDef) and node.name in settings:
            prefix = _prefix(node)
            for one in node.body:
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                    yield from _field(source, one, one.target.id, prefix)


def _prefix(node: ast.ClassDef) -> str:
    for one in ast.walk(node):
        if isinstance(one, ast.keyword) and one.arg == "env_prefix" and isinstance(one.value, ast.Constant):
            return literal(one.value) or ""
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and one.targets[0].id == "env_prefix":
            return literal(one.value) or ""
    return ""


def _field(source: Source, node: ast.AnnAssign, name: str, prefix: str) -> Iterator[Need]:
    if name.startswith("_") or name == "model_config" or says(node.annotation, "ClassVar"):
        return
    value, alias = node.value, ""
    required = value is None
    if isinstance(value, ast.Call) and source.qualified(value.func).endswith("Field"):
        defaults = [
            *value.args[:1],
            *(one.value for one in value.keywords if one.arg in ("default", "default_factory")),
        ]
        required = not defaults or isinstance(defaults[0], ast.Constant) and defaults[0].value is ...
        for one in value.keywords:
            if one.arg in ("alias", "validation_alias", "env") and isinstance(one.value, ast.Constant):
                alias = literal(one.value) or ""
        value = defaults[0] if defaults else None
    yield Need((alias or prefix + name).upper(), f"{source.file}:{node.lineno}", required, literal(value))


def with_images(needs: Mapping[str, Need], tree: Tree) -> dict[str, Need]:
    """Return the needs with the values that a Dockerfile's ENV gives to those without a default."""
    given: dict[str, tuple[str, str]] = {}
    wanted = any(need.default is None for need in needs.values())
    for file in tree.called(r"(?:[\w-]+\.)?Dockerfile[\w.-]*", "Containerfile") if wanted else ():
        try:
            found = stages(instructions(tree.texts.get(file, "")))
        except ReportError:
            continue
        for stage in found:
            for setting in stage.settings:
                if setting.keyword == "ENV":
                    given.setdefault(setting.name, (setting.value, f"{file}:{setting.line}"))
    result = {}
    for name, need in needs.items():
        value, where = given.get(name, ("", ""))
        known = need.default is None and value and "$" not in value
        result[name] = replace(need, default=value, because=f"{need.because}, {where}") if known else need
    return result


def examples_of(tree: Tree, folder: str) -> dict[str, Need]:
    """Return the variables of the files that show an environment, those of the app's folder before others."""
    files = [name for name in tree.texts if EXAMPLE.search(name) and not re.search(r"(?:^|/)(?:tests?|docs?)/", name)]
    found: dict[str, Need] = {}
    for file in sorted(files, key=lambda name: (not below(folder, name), name.count("/"), name))[:3]:
        for number, line in enumerate(tree.texts[file].split("\n"), 1):
            if (pair := LINE.match(line.strip())) and NAME.fullmatch(pair[1]):
                value = pair[2].split(" #")[0].strip().strip("\"'")
                found.setdefault(pair[1], Need(pair[1], f"{file}:{number}", False, value))
    return found
