"""Rules that the installation's own folder config/ holds, such as policy.toml: never the app's."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from host.errors import ConfigError
from host.home import CHECKOUT

Model = TypeVar("Model", bound=BaseModel)


def read_rules(model: type[Model], name: str, folder: Path = CHECKOUT / "config") -> Model:
    """Read and check config/<name>.toml. ConfigError names the file, the key, what it got and what was expected."""
    file = folder / f"{name}.toml"
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {key}: got {str(first['input'])[:120]!r}: {first['msg']}") from error
