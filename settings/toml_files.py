"""Reader for the TOML files of config/: what is wrong in one is told with file, key, value and what was expected."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from gates.documents import first_error
from host.errors import ConfigError
from host.home import CHECKOUT

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
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{file}: not valid TOML: nested too deeply") from error
    except ValueError as error:  # a number or a date that Python has no room for
        raise ConfigError(f"{file}: holds a value that cannot be read: {error}") from error
    if where := _nul_at(found):
        raise ConfigError(f"{file}: {where}: holds a NUL character, which no program can be given")
    return found


def _nul_at(document: Mapping[str, Any]) -> str:
    """Return the dotted key of a text or key with a NUL character in it, "" when there is none."""
    left: list[tuple[Any, tuple[str, ...]]] = [(document, ())]
    while left:
        value, keys = left.pop()
        if isinstance(value, str) and "\0" in value:
            return ".".join(keys)
        if isinstance(value, dict):
            if bad := next((key for key in value if "\0" in key), None):
                return ".".join((*keys, repr(bad)))
            left += [(one, (*keys[:20], key)) for key, one in value.items()]
        elif isinstance(value, list):
            left += [(one, (*keys[:20], str(number))) for number, one in enumerate(value)]
    return ""


def checked(model: type[Model], raw: Mapping[str, Any], file: Path) -> Model:
    """Return the model of what `file` holds. Raises ConfigError with the first key that is wrong, and its value."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = first_error(error)
        shown = first["loc"] and first["type"] not in ("missing", "extra_forbidden", SECRET)
        got = f"got {str(first['input'])[:120]!r}, " if shown else ""
        raise ConfigError(f"{file}: {key_of(error)}: {got}{first['msg']}{near_key(model, error)}") from error


def near_key(model: type[BaseModel], error: ValidationError) -> str:
    """Return a question after the key that somebody may have meant by one that is not known; "" for other mistakes."""
    first = first_error(error)
    *tables, key = first["loc"] or ("",)
    if first["type"] != "extra_forbidden":
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
    """Return the dotted key of the first value that is wrong; `table`: where in the file the model stands."""
    return ".".join(str(part) for part in (table, *first_error(error)["loc"]) if part != "") or "the file as a whole"
