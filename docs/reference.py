"""Writer for the generated parts of docs/: the keys of the settings, the commands, the make targets.

`python -m docs.reference` replaces the text between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cli.main import app
from host.home import CHECKOUT
from notify.channels import channel_kind, channel_names
from settings.approvers import Approvers
from settings.baseline import BaselineFile
from settings.environment import Settings
from settings.monitoring import Monitoring
from settings.notify import Notify
from settings.pipeline import Pipeline
from settings.toml_files import models_in
from settings.waivers import Entry

DOCS = Path(__file__).parent
UNITS = {"seconds": "s", "hours": "h", "days": "days", "percent": "%", "mb": "MB", "bytes": "bytes"}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
CHOICES = re.compile(r"\^\(([a-z|-]+)\)\$")
PART = re.compile(r"(?<=<!-- generated: )([a-z]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def rewrite(text: str) -> str:
    """Return a page with its generated parts made again. Raises KeyError for an unknown name of a part."""
    return PART.sub(lambda match: f"{match[1]}{match[2]}\n{PARTS[match[1]]()}\n", text)


def texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring of each field that has one, inherited fields included, on one line."""
    bases = [base for base in reversed(model.__mro__) if issubclass(base, BaseModel) and base is not BaseModel]
    return {name: text for base in bases for name, text in _own_texts(base).items()}


def _own_texts(model: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(inspect.getsource(model)).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(body.body, body.body[1:])
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def models(model: type[BaseModel], name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Return a model and those of its fields, each with the name of its TOML table; `name` is the model's own. A field
    that is `hidden` in its JSON schema is none of the file's.
    """
    yield name, model
    for field, info in model.model_fields.items():
        if _hidden(info):
            continue
        path = f"{name}.{field}" if name else field
        for section in _tables_in(info.annotation):
            origin = get_origin(info.annotation)
            yield from models(section, f"[{path}]" if origin is tuple else f"{path}.NAME" if origin is dict else path)


def _hidden(info: FieldInfo) -> bool:
    return isinstance(info.json_schema_extra, dict) and bool(info.json_schema_extra.get("hidden"))


def _tables_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of a field that are tables of their own: what is written in one line is none."""
    return [model for model in models_in(annotation) if not getattr(model, "one_line", False)]


def keys_table(model: type[BaseModel], key: Callable[[str], str] = str) -> str:
    """Return the table of a model's fields. `key` makes the key as people write it from the field's name."""
    meaning = texts(model)
    schema = model.model_json_schema(by_alias=False)
    required, facts = schema.get("required", ()), schema["properties"]
    rows = [
        (
            f"`{key(name)}`",
            meaning.get(name, ""),
            "required" if name in required else _default(name, facts[name].get("default")),
            _range([_resolved(part, schema) for part in facts[name].get("anyOf", [facts[name]])]),
        )
        for name, info in model.model_fields.items()
        if not _tables_in(info.annotation) and not info.exclude and not _hidden(info)
    ]
    return table(("Key", "Meaning", "Default", "Range"), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table. Bars in cells are escaped."""
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def _default(name: str, value: Any) -> str:
    if value in ("", None, [], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"{value:.10g} {UNITS.get(name.rpartition('_')[2], '')}".strip()
    return ", ".join(f"`{part}`" for part in (value if isinstance(value, list) else [value]))


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a JSON schema, or the definition that it or the items of its list refer to."""
    if "items" in part:
        return _resolved(part["items"], schema)
    return schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _range(parts: Sequence[dict[str, Any]]) -> str:
    """Return what a field accepts, by the parts of its JSON schema: its choices, or its bounds."""
    words = []
    for part in parts:
        choices = part.get("enum", ["true", "false"] if part.get("type") == "boolean" else [])
        if match := CHOICES.fullmatch(part.get("pattern", "")):
            choices = match[1].split("|")
        words += [f"`{choice}`" if choice else "empty" for choice in choices]
        bounds = [(word, part[name]) for name, word in BOUNDS.items() if name in part]
        if bounds:
            text = " and ".join(f"{word} {bound:.10g}" for word, bound in bounds)
            words.append(re.sub(r"at least (\S+) and at most", r"\1 to", text))
        if "maxLength" in part:
            words.append(f"{part.get('minLength', 0)} to {part['maxLength']} characters")
    return ", ".join(words)


def _toml(model: type[BaseModel]) -> str:
    """Return the tables of a TOML file: the keys outside of any table first, then each table with what it is."""
    parts = []
    for name, section in models(model):
        keys = keys_table(section)
        if name:
            parts.append(f"### `[{name}]`\n\n{inspect.cleandoc(section.__doc__ or '')}\n\n{keys}")
        elif keys.count("\n") > 2:
            parts.append(keys)
    return "\n".join(parts)


def _notify() -> str:
    """Return the tables of config/notify.toml: ours, then one for each channel."""
    kinds = {name: channel_kind(name).settings_type for name in channel_names()}
    channels = [
        f"### `[{name}]`\n\n{inspect.cleandoc(kind.__doc__ or '')}\n\n{keys_table(kind)}"
        for name, kind in kinds.items()
    ]
    return "\n".join([_toml(Notify), *channels])


def _environment() -> str:
    names = {"app": "APP_<NAME>", "secrets": "SECRET_<NAME>"}
    return keys_table(Settings, lambda name: names.get(name, name.upper()))


def _commands() -> str:
    """Return a section for what holds for all commands, and one for each: its arguments in the heading, its help, its
    options.
    """
    group: Any = typer.main.get_command(app)
    sections = [("COMMAND", group), *((name, command.load()) for name, command in group.commands.items())]
    return "\n".join(_command(name, command) for name, command in sections)


def _command(name: str, command: Any) -> str:
    arguments = [part for part in command.params if part.param_type_name == "argument"]
    words = [part.name.upper() if part.required else f"[{part.name.upper()}]" for part in arguments]
    help_text = inspect.cleandoc(command.help)
    rows = [(f"`{_spelling(part)}`", part.help, _command_default(part)) for part in command.params]
    parts = [f"### `{' '.join(['slipway', name, *words])}`", help_text]
    if rows:
        parts.append(table(("Argument or option", "Meaning", "Default"), rows).rstrip())
    return "\n\n".join(parts) + "\n"


def _spelling(part: Any) -> str:
    if part.param_type_name == "argument":
        return str(part.name.upper())
    off = part.secondary_opts if part.default is None else []
    return "`, `".join([*part.opts, *off]) if part.is_flag else f"{part.opts[0]} {part.opts[0].strip('-').upper()}"


def _command_default(part: Any) -> str:
    value = part.default.relative_to(CHECKOUT) if isinstance(part.default, Path) else part.default
    return "required" if part.required else "" if value in (None, False) else f"`{value}`"


def _targets() -> str:
    """Return the table of the Makefile's targets, from the text after `##`."""
    found = re.findall(r"^([a-z]+):.*?## (.*)$", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return table(("Target", "Meaning"), [(f"`make {name}`", text) for name, text in found])


PARTS: dict[str, Callable[[], str]] = {
    "environment": _environment,
    "pipeline": lambda: _toml(Pipeline),
    "approvers": lambda: _toml(Approvers),
    "baseline": lambda: _toml(BaselineFile),
    "waivers": lambda: f"### `[[waiver]]`\n\n{Entry.__doc__}\n\n{keys_table(Entry)}",
    "notify": _notify,
    "commands": _commands,
    "targets": _targets,
    "monitoring": lambda: _toml(Monitoring),
}


def main() -> None:
    """Rewrite the pages that have generated parts."""
    for page in sorted([CHECKOUT / "README.md", *DOCS.glob("*.md")]):
        text = page.read_text(encoding="utf-8")
        if (new := rewrite(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(f"{page.relative_to(CHECKOUT)}: written")


if __name__ == "__main__":
    main()
