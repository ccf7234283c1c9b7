"""What tasks/load/recorder.py wrote: read as what it is, a file that the app's locustfile could have written to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gates.checks.load_pairs import Asked
from gates.documents import first_fault
from host.errors import ToolError
from tasks.load.schedule import Schedule
from tasks.source.untrusted import open_untrusted

LARGEST_FILE_BYTES = 50_000_000
# How much shorter than stated a load may be, in seconds: timers are not exact.
INEXACT_S = 0.5

Text = Annotated[str, Field(max_length=400)]
Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Request(NamedTuple):
    """One request: Unix time of its start, method, name, milliseconds to the end of its answer, whether it was good."""

    at: Time
    method: Annotated[str, Field(max_length=40)]
    name: Text
    milliseconds: Time
    good: bool


class Header(BaseModel):
    """What locust was asked to do, as it understood it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    users: int
    spawn_rate: float
    run_time: float
    runner: Literal["LocalRunner"]


class Ending(BaseModel):
    """The last line: how many requests there were, when all users were there, what the locustfile raised."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    requests: int = Field(ge=0)
    users: int = Field(ge=0)
    started_at: Time
    full_load_at: Time
    stopped_at: Time
    user_errors: int = Field(ge=0)
    first_user_error: Text
    first_failure: Text


class Recorded(NamedTuple):
    """A load test as locust saw it."""

    requests: list[Request]
    ending: Ending


REQUEST = TypeAdapter(Request)


def read_requests(
    file: Path, users: int, spawn_rate: float, lasts_s: tuple[float, float], window: tuple[float, float]
) -> Recorded:
    """Return what was recorded, in the order in which requests ended. Raises ToolError if the file is absent, no file,
    too big, malformed, cut short, about another load than the asked one (`lasts_s`: its least and its greatest
    seconds), or tells of times outside `window` (Unix times between which locust ran).
    """
    lines = _lines(file)
    number = 0
    requests: list[Request] = []
    try:
        header = Header.model_validate_json(next(lines, b""))
        if (header.users, header.spawn_rate, header.run_time) != (users, spawn_rate, lasts_s[1]):
            raise ToolError(f"locust ran another load than the asked one: {header!r}")
        last = b""
        for number, line in enumerate(lines, 2):
            if last:
                requests.append(REQUEST.validate_json(last, strict=True))
            last = line
        ending = Ending.model_validate_json(last)
    except ValidationError as error:
        said = first_fault(error)
        raise ToolError(f"locust's record is cut short or damaged near line {max(number, 1)}: {said}") from error
    _check(requests, ending, window, lasts_s[0])
    return Recorded(requests, ending)


def read_windows(file: Path, side: str, schedule: Schedule, pairs: range) -> list[Asked]:
    """Return what a side has been asked so far in its windows of these pairs, while locust still writes.

    Raises ToolError if the record is too big or malformed.
    """
    found: list[Asked] = []
    try:
        for line in [one for one in _lines(file) if one.endswith(b"\n")][1:]:
            if line.startswith(b"{"):  # the ending
                break
            one = REQUEST.validate_json(line, strict=True)
            pair = schedule.pair_at(side, one.at)
            if pair is not None and pair in pairs:
                found.append(Asked(pair, f"{one.method} {one.name}", one.milliseconds / 1000, one.good))
    except ValidationError as error:
        raise ToolError(f"locust's record is damaged: {first_fault(error)}") from error
    return found


def begun(file: Path) -> bool:
    """Return whether locust has begun to ask, by its record."""
    return file.exists() and any(True for _ in _lines(file))


def _lines(file: Path) -> Iterator[bytes]:
    with open_untrusted(file, LARGEST_FILE_BYTES, "locust's record of its requests") as content:
        yield from content


def _check(requests: list[Request], ending: Ending, window: tuple[float, float], least_s: float) -> None:
    if ending.requests != len(requests):
        raise ToolError(f"locust's record has {len(requests)} requests, and says that they were {ending.requests}")
    first, last = window
    for one in requests:
        if not first <= one.at <= one.at + one.milliseconds / 1000 <= last:
            raise ToolError(f"locust's record has a request outside the time of the test: {one}")
    if not first <= ending.started_at <= ending.stopped_at <= last:
        raise ToolError("locust's record tells of a test at another time")
    lasted = ending.stopped_at - ending.started_at
    if lasted < least_s - INEXACT_S:
        raise ToolError(f"the load ended after {lasted:.1f} of {least_s:g} s")
