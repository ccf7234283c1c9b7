"""TOML from outside, read strictly: no nesting that a reader of it could not go down, and no NUL."""

import tomllib
from typing import Any

DEEPEST = 100


class TomlError(ValueError):
    """A text is not the TOML that was expected. The message holds no value of it."""


def parse(text: str | bytes) -> dict[str, Any]:
    """Return a TOML text's tables. Raises TomlError for what is no TOML, and for a number or a date that Python cannot
    hold, more than 100 levels (a dotted key makes one for each dot), and a NUL, which no program can be given.
    """
    try:
        found = tomllib.loads(text.decode() if isinstance(text, bytes) else text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"not valid TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise TomlError(f"not valid TOML: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise TomlError("not valid TOML: nested too deeply") from None
    except ValueError as error:
        raise TomlError(f"it holds a value that cannot be read: {error}") from None
    _check(found)
    return found


def _check(document: dict[str, Any]) -> None:
    left: list[tuple[Any, tuple[str, ...]]] = [(document, ())]
    while left:
        value, keys = left.pop()
        where = ".".join(keys)
        if len(keys) > DEEPEST:
            raise TomlError(f"{where[:80]}...: nested too deeply")
        if isinstance(value, str) and "\0" in value:
            raise TomlError(f"{where}: holds a NUL character, which no program can be given")
        if isinstance(value, dict):
            if bad := next((key for key in value if "\0" in key), None):
                raise TomlError(f"{'.'.join((*keys, repr(bad)))}: holds a NUL character, which no program can be given")
            left += [(one, (*keys, key)) for key, one in value.items()]
        elif isinstance(value, list):
            left += [(one, (*keys, str(number))) for number, one in enumerate(value)]
