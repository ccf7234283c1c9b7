"""A file that compose refuses, read service by service: compose itself names the first fault alone."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

MOST = 60  # services; compose is run for each
AT_ONCE = 4
OF_OTHERS = ("network_mode", "ipc", "pid")  # may be service:NAME
# Reads a file's value: exit code, output and error output of compose.
Ask = Callable[[Mapping[str, Any]], tuple[int, str, str]]


@dataclass(frozen=True)
class Parts:
    """What compose takes of a file. `output`: of the services that it takes, "" if of none; `refused`: what it says of
    each other one; `whole`: what it says of the file if every service is taken by itself, or all are refused alike.
    """

    output: str
    refused: Mapping[str, str]
    whole: str = ""


def read_parts(ask: Ask, main: Mapping[str, Any], errors: str) -> Parts:
    """Return which services of a refused file compose takes. `errors`: why it refused the whole file."""
    services = main.get("services")
    names = list(services) if isinstance(services, Mapping) else []
    if not 1 < len(names) <= MOST:
        return Parts("", {}, errors)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = list(pool.map(lambda name: ask(_only(main, [name])), names))
    refused = {name: said for name, (code, _, said) in zip(names, answers, strict=True) if code}
    if len(refused) == len(names) and len(set(refused.values())) == 1:
        return Parts("", {}, errors)
    code, output, said = ask(_only(main, [name for name in names if name not in refused]))
    whole = errors if not refused else said if code else ""
    return Parts("" if code else output, refused, whole)


def _only(main: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a file with these services alone, without what in them leads to others."""
    return {**main, "services": {name: _alone(main["services"], name, names) for name in _with_extended(main, names)}}


def _with_extended(main: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return the services, and those of the same file that they extend."""
    services, found = main["services"], list(names)
    for name in found:
        extends = services[name].get("extends") if isinstance(services.get(name), Mapping) else None
        other = extends.get("service") if isinstance(extends, Mapping) and "file" not in extends else extends
        if isinstance(other, str) and other in services and other not in found:
            found.append(other)
    return found


def _alone(services: Mapping[str, Any], name: str, kept: Sequence[str]) -> Any:
    given = services[name]
    if not isinstance(given, Mapping):
        return given
    service = dict(given)
    for key in OF_OTHERS:
        kind, _, other = str(service.get(key, "")).partition(":")
        if kind == "service" and other in services and other not in kept:
            del service[key]
    if (waits := service.get("depends_on")) is not None:
        service["depends_on"] = _known(waits, kept)
    return service


def _known(waits: Any, kept: Sequence[str]) -> Any:
    if isinstance(waits, Mapping):
        return {one: how for one, how in waits.items() if one in kept}
    return [one for one in waits if one in kept] if isinstance(waits, list) else waits
