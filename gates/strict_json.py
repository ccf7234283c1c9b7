"""JSON from outside, read strictly: each key once, numbers that are numbers, no part that the reader does not know."""

import json
import re
from collections import Counter
from typing import Any, ClassVar, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from gates.documents import first_fault, named

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
BOM = "\ufeff"
# What reads a document goes down its levels by calling itself; nobody writes so many.
DEEPEST = 100
Kind = TypeVar("Kind")


class JsonError(ValueError):
    """A text is not the JSON that was expected. The message names the place that is wrong and holds no value of it."""


def parse(text: str | bytes) -> Any:
    """Return a JSON text's value. Raises JsonError for what is no JSON, and for what readers understand differently: a
    key twice in one object, NaN and Infinity, half of a surrogate pair, a number that Python cannot hold, more than
    100 levels.
    """
    try:
        plain = (text.decode() if isinstance(text, bytes) else text).removeprefix(BOM)
        value = json.loads(plain, object_pairs_hook=_once, parse_constant=_no_number)
        if SURROGATE.search(plain):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise JsonError(f"Invalid JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except UnicodeError:
        raise JsonError("Invalid JSON: it is not UTF-8 throughout") from None
    except RecursionError:
        raise JsonError("Invalid JSON: nested too deeply") from None
    except JsonError:
        raise
    except ValueError:
        raise JsonError("Invalid JSON: a number has too many digits") from None
    _refuse_deep(value)
    return value


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise JsonError("Invalid JSON: nested too deeply")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    if len(known) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise JsonError(f"the key {named(twice)} stands twice in one object")
    return known


def _no_number(word: str) -> NoReturn:
    raise JsonError(f"Invalid JSON: {word} is no number of it")


class Part(BaseModel):
    """A part of a report. A key that is neither a field nor among `MEANS_NOTHING` is refused by name; null is absent.

    `MEANS_NOTHING` are keys of the format that cannot change what the report comes to.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
    MEANS_NOTHING: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _that_means_something(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None and key not in cls.MEANS_NOTHING}


def read(kind: TypeAdapter[Kind], text: str | bytes) -> Kind:
    """Return the parts of a JSON text. Raises JsonError that names the first key which is wrong, or is not known."""
    value = parse(text)
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise JsonError(first_fault(error)) from None
    except RecursionError:
        raise JsonError("nested too deeply") from None
