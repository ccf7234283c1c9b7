"""Documents from outside, as pydantic models: those of others, and what is said of one that cannot be read.

Others add keys to theirs whenever they like, so these are modelled as far as we read them: `Foreign`. Every other model
says `extra="forbid"`: a key that it does not know is refused by name. tests/test_readers.py holds each to one of both.
"""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

UNKNOWN_KEY = "extra_forbidden"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
LONGEST_PLACE = 100


class Foreign(BaseModel):
    """Part of a document of others. `document_of` says whose: a class names it with `of`, its subclasses take it over.

    A key that we do not know is passed over. That is right only where it cannot change what the known ones mean.
    """

    model_config = ConfigDict(extra="ignore")

    document_of: ClassVar[str] = ""

    def __init_subclass__(cls, of: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if not (of or cls.document_of):
            raise TypeError(f"whose document is it? class {cls.__name__}(Foreign, of=...)")
        cls.document_of = of or cls.document_of


def first_error(error: ValidationError) -> ErrorDetails:
    """Return the error to tell: of an unknown key if there is one, for it is often why another is missing. What a
    validator of ours says stands there without pydantic's words before it.
    """
    errors = error.errors(include_url=False)
    for one in errors:
        if one["type"] == UNKNOWN_KEY:
            return {**one, "msg": "a key that Slipway does not know"}
    return {**errors[0], "msg": errors[0]["msg"].removeprefix("Value error, ")}


def first_fault(error: ValidationError) -> str:
    """Return the dotted key of a value that is wrong, and what is wrong with it; never the value."""
    first = first_error(error)
    where = named(".".join(str(part) for part in first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def named(key: str) -> str:
    """Return a key of a stranger's document on one line, its end when it is longer than 100 characters."""
    return CONTROL.sub("?", key[-LONGEST_PLACE:])
