"""The traffic's description: a TOML file with `[[setup]]`, `[[request]]` and `[[stream]]` entries.

`[[setup]]` entries run once, in order; what they capture from JSON answers can be used as `{name}` in later strings,
and `{nonce}` is unique to each run. `[[request]]` entries are drawn by weight; `[[stream]]` entries are kept open.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gates.documents import first_error
from gates.strict_toml import TomlError, parse
from host.errors import ConfigError

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
NONCE = "nonce"

EntryType = TypeVar("EntryType", bound="Entry")
Name = Annotated[str, Field(min_length=1, max_length=80)]
UrlPath = Annotated[str, Field(pattern="^/")]
Method = Annotated[str, Field(pattern="^[A-Z]+$")]


class StreamKind(StrEnum):
    """How a stream is spoken: server-sent events over plain HTTP, or a WebSocket."""

    SSE = "sse"
    WEBSOCKET = "websocket"


class Entry(BaseModel):
    """What all entries share: no unknown key passes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Setup(Entry):
    """One request before the traffic. `capture`: name -> top-level key of the JSON answer."""

    method: Method
    path: UrlPath
    body: Any = Field(default=None, alias="json")
    headers: dict[str, str] = {}
    capture: dict[str, str] = {}


class SlowBody(Entry):
    """An upload in `chunks` pieces of `chunk_bytes` bytes (lines of text), `interval_s` seconds apart."""

    chunks: int = Field(ge=1, le=10_000)
    chunk_bytes: int = Field(ge=1, le=1_000_000)
    interval_s: float = Field(ge=0, le=60)


class Request(Entry):
    """One kind of arrival. `weight`: its relative share of all arrivals. At most one of json, text and slow_body."""

    name: Name
    method: Method = "GET"
    path: UrlPath
    weight: float = Field(default=1, gt=0)
    headers: dict[str, str] = {}
    body: Any = Field(default=None, alias="json")
    text: str | None = None
    slow_body: SlowBody | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if sum(given is not None for given in (self.body, self.text, self.slow_body)) > 1:
            raise ValueError("expected at most one of json, text and slow_body")
        return self


class Stream(Entry):
    """A kind of connection of which `connections` are kept open all the time."""

    name: Name
    path: UrlPath
    kind: StreamKind
    connections: int = Field(default=1, ge=1, le=1_000)
    headers: dict[str, str] = {}


class Profile(Entry):
    """The whole description."""

    setup: list[Setup] = []
    request: list[Request] = []
    stream: list[Stream] = []

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not (self.request or self.stream):
            raise ValueError("expected at least one [[request]] or [[stream]]")
        for entries in (self.request, self.stream):
            names = [entry.name for entry in entries]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"name: {sorted(twice)} given twice")
        known = {NONCE}
        for setup in self.setup:
            _check_placeholders(setup, known)
            known |= setup.capture.keys()
        for entry in (*self.request, *self.stream):
            _check_placeholders(entry, known)
        return self


def load(path: Path) -> Profile:
    """Read and check a profile. Raises ConfigError, which names file and key."""
    try:
        return Profile.model_validate(parse(path.read_bytes()))
    except (OSError, TomlError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        first = first_error(error)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        got = "" if isinstance(first["input"], (dict, BaseModel)) else f": got {first['input']!r}"
        raise ConfigError(f"{path}: {key.lstrip('.') or 'profile'}{got}: {first['msg']}") from error


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """Return `value` with `{name}` replaced in every string in it, at any depth. Raises KeyError for an unknown
    name.
    """
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: values[match[1]], value)
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    return value


def fill_entry(entry: EntryType, values: Mapping[str, str]) -> EntryType:
    """Return the entry with its placeholders replaced."""
    return type(entry).model_validate(fill(entry.model_dump(by_alias=True), values))


def _check_placeholders(entry: Entry, known: set[str]) -> None:
    unknown = sorted(set(_placeholders(entry.model_dump())) - known)
    if unknown:
        raise ValueError(
            f"{{{unknown[0]}}} in {getattr(entry, 'path', '')}: not captured before; known: {', '.join(sorted(known))}"
        )


def _placeholders(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from PLACEHOLDER.findall(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _placeholders(item)
    elif isinstance(value, list):
        for item in value:
            yield from _placeholders(item)
