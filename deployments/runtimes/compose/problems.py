"""What is wrong with a compose file: all of it at once, as separate lines, each with its place."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gates.folded import fold_services
from host.errors import ConfigError

if TYPE_CHECKING:
    from deployments.runtimes.compose.parse import Document

MOST_TOLD = 200
# Carried in a model beside what compose printed: where its services stand; which of the file's compose refused, so that
# nobody judged them; whether it is less than the file, or not what the file would be.
PLACES = "x-slipway-places"
UNREAD = "x-slipway-unread"
PARTIAL = "x-slipway-partial"
Places = Mapping[str, Mapping[str, str]]
_LINE = re.compile(r"service (?P<name>[^:\s]+): (?P<key>[A-Za-z_]*)")
# How a message calls what stands under another key.
_CALLED = {"port": "ports", "it": "volumes", "no": "", "got": "labels", "limit": "deploy"}


class Unusable(ConfigError):
    """A compose file that cannot be released. `problems`: everything that is wrong with it, each with the way out;
    `stack`: what it would be (model.Stack), as far as that is known.
    """

    def __init__(self, file: str, problems: Iterable[str], stack: Any = None) -> None:
        self.stack = stack
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(f"{file}: {told(self.problems)}")

    @property
    def folded(self) -> list[str]:
        """Return the problems, what is the same of several services as one."""
        return fold_services(self.problems)


class TooMuch(ConfigError):
    """Files that have more than anybody reads: nothing is read on."""


def told(problems: Sequence[str]) -> str:
    """Return problems as one line, each once and not more than a person reads."""
    lines = list(dict.fromkeys(problems))
    more = [f"and {len(lines) - MOST_TOLD} more"] if len(lines) > MOST_TOLD else []
    return "; ".join([*lines[:MOST_TOLD], *more])


def places_of(document: "Document") -> dict[str, dict[str, str]]:
    """Return where each service of a file stands ("") and each of its keys."""
    found: dict[str, dict[str, str]] = {}
    for path in document.lines:
        if len(path) in (2, 3) and path[0] == "services":
            key = str(path[2]) if len(path) == 3 else ""
            found.setdefault(str(path[1]), {})[key] = document.at(path)
    return found


def placed(problems: Iterable[str], places: Places) -> list[str]:
    """Return problems of services (`service NAME: key ...`) with the place before them, where it is known."""
    return [f"{place}: {one}" if (place := _place(one, places)) else one for one in problems]


def _place(problem: str, places: Places) -> str:
    found = _LINE.match(problem)
    keys = places.get(found["name"], {}) if found else {}
    key = found["key"] if found else ""
    return keys.get(key) or keys.get(_CALLED.get(key, "")) or keys.get("", "")
