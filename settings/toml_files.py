"""Reader for the TOML files of config/: what is wrong in one is told with file, key, value and what was expected."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gates.documents import UNKNOWN_KEY, first_error
from gates.strict_toml import TomlError, parse
from host.errors import ConfigError
from host.home import CHECKOUT
from host.masking import SECRET_NAME

Model = TypeVar("Model", bound=BaseModel)
# The type of an error about a value that must not be repeated.
SECRET = "secret"  # nosec B105


def read_rules(model: type[Model], name: str, folder: Path = CHECKOUT / "config") -> Model:
    """Read and check config/<name>.toml, which is the installation's own and never the app's. Raises ConfigError."""
    file = folder / f"{name}.toml"
    return checked(model, read_toml(file), file)


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a file holds. Raises ConfigError if it cannot be read or is not TOML."""
    try:
        return parse(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except TomlError as error:
        raise ConfigError(f"{file}: {error}") from error


def checked(model: type[Model], raw: Mapping[str, Any], file: Path) -> Model:
    """Return the model of what `file` holds. Raises ConfigError with the first key that is wrong, and its value, and
    for a value of another type than the key's, which pydantic would turn into it.
    """
    try:
        made = model.model_validate(raw)
    except ValidationError as error:
        first = first_error(error)
        got = f"got {str(first['input'])[:120]!r}, " if _may_be_shown(first) else ""
        told = [*filter(None, [key_of(error)]), f"{got}{first['msg']}{near_key(model, error)}"]
        raise ConfigError(f"{file}: {': '.join(told)}") from error
    if where := _turned(raw, made):
        raise ConfigError(f"{file}: {where}")
    return made


def _may_be_shown(error: ErrorDetails) -> bool:
    """Return whether a value that is wrong may be repeated: neither its key nor a key in it is one of a secret."""
    if not error["loc"] or "environment" in error["loc"] or error["type"] in ("missing", UNKNOWN_KEY, SECRET):
        return False
    if error["type"] == "value_error" and isinstance(error["input"], dict):  # of several keys, which the message names
        return False
    return not SECRET_NAME.search(f"{'.'.join(map(str, error['loc']))}\n{error['input']}")


def _turned(raw: Any, made: Any, place: str = "") -> str:
    """Return what is wrong with the first value that became one of another type; "" when none did."""
    if isinstance(raw, Mapping) and isinstance(made, BaseModel | Mapping):
        held = made if isinstance(made, Mapping) else dict(made)
        pairs = [(f"{place}.{key}" if place else str(key), raw[key], held[key]) for key in raw if key in held]
    elif isinstance(raw, list) and isinstance(made, list | tuple) and len(raw) == len(made):
        pairs = [(f"{place}.{number}", one, other) for number, (one, other) in enumerate(zip(raw, made))]
    else:
        return _other_type(raw, made, place)
    return next((said for where, one, other in pairs if (said := _turned(one, other, where))), "")


def _other_type(raw: Any, made: Any, place: str) -> str:
    for kind, name in ((bool, "true or false"), (int, "a whole number"), (float, "a number")):
        if type(made) is kind:
            good = isinstance(raw, kind) or kind is float and type(raw) is int
            return "" if good and isinstance(raw, bool) == (kind is bool) else f"{place}: got {raw!r}, expected {name}"
    return ""


def near_key(model: type[BaseModel], error: ValidationError) -> str:
    """Return a question after the key that somebody may have meant by one that is not known; "" for other mistakes."""
    first = first_error(error)
    *tables, key = first["loc"] or ("",)
    if first["type"] != UNKNOWN_KEY:
        return ""
    models = [model]
    for name in tables:  # a name of a table among others, or its number, is no field
        found = [
            one.model_fields[name].annotation for one in models if isinstance(name, str) and name in one.model_fields
        ]
        models = [part for annotation in found for part in models_in(annotation)] or models
    near = difflib.get_close_matches(str(key), {field for one in models for field in one.model_fields}, 1)
    return f'; did you mean "{near[0]}"?' if near else ""


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of which a field's type is made: `dict[str, Suite]` is made of one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def key_of(error: ValidationError, table: str = "") -> str:
    """Return the dotted key of the first value that is wrong, "" when it is several, which the message names; `table`:
    where in the file the model stands.
    """
    return ".".join(str(part) for part in (table, *first_error(error)["loc"]) if part != "")
