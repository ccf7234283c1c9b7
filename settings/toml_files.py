"""Reader for the TOML files of config/: what is wrong in one is told with file, key, value and what was expected."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

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
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error


def checked(model: type[Model], raw: Mapping[str, Any], file: Path) -> Model:
    """Return the model of what `file` holds. Raises ConfigError with the first key that is wrong, and its value."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        shown = first["loc"] and first["type"] not in ("missing", "extra_forbidden", SECRET)
        got = f"got {str(first['input'])[:120]!r}, " if shown else ""
        raise ConfigError(f"{file}: {key_of(error)}: {got}{first['msg']}") from error


def key_of(error: ValidationError, table: str = "") -> str:
    """Return the dotted key of the first value that is wrong; `table`: where in the file the model stands."""
    return ".".join(str(part) for part in (table, *error.errors()[0]["loc"]) if part != "") or "the file as a whole"
