"""Read a JUnit report that app code wrote: every byte of it may be a trap."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element  # nosec B405  # only elements; parsing is defusedxml's

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from gates.checks.suites import Case, Ending
from gates.repository_paths import TOP, from_top
from host.masking import masked
from tasks.source.log_blocks import CONTROL

LARGEST_REPORT_BYTES = 50_000_000
MOST_CASES = 100_000
MOST_ELEMENTS = 1_000_000
# The parser begins again with what has no end yet at each part that it is given, so parts are large.
PART_BYTES = 4_000_000
LONGEST_NAME = 500
LONGEST_MESSAGE = 1_000
LONGEST_TAG = 60
# pytest's line for a place in a traceback, as seen from where it ran.
PLACE = re.compile(r"^(?!/|\.(?!\./)|\s)([^\s:][^:\n]{0,300}):(\d{1,7}): ", re.M)


_OF_SUITE = frozenset({"testsuite", "testcase", "properties", "failure", "error", "system-out", "system-err"})
# What may stand in what. In all else stands text.
PARTS: Mapping[str, frozenset[str]] = {
    "testsuites": _OF_SUITE,
    "testsuite": _OF_SUITE,
    "testcase": frozenset({"properties", "failure", "error", "skipped", "system-out", "system-err"}),
    "properties": frozenset({"property"}),
}
BROKEN = ("failure", "error")
# What other writers than pytest say of a test in its attributes.
STATES = ("status", "result")
PASSED = frozenset({"passed", "pass", "ok", "success", "successful", "succeeded", "run", "completed"})
LEFT_OUT = frozenset({"skipped", "notrun", "disabled", "suppressed"})


@dataclass(frozen=True)
class Report:
    """`counted` and `failures` are what the report's own counters say: tests, and failures with errors. `unknown` is
    the first part that stands where pytest writes none, "" without one.
    """

    cases: tuple[Case, ...]
    counted: int
    failures: int
    unknown: str = ""


def read_report(file: Path, secrets: Iterable[str] = (), directory: str = TOP) -> Report | None:
    """Return what a report says; None when there is none, or it is not JUnit, or a trap. Secrets become ***.

    Its paths are as seen from `directory` of the repository; those that are returned begin at its top.
    """
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_REPORT_BYTES:
            return None
        return _read(file, tuple(secrets), directory)
    except (OSError, ParseError, DefusedXmlException, ValueError, LookupError):
        return None


def _read(file: Path, secrets: tuple[str, ...], directory: str) -> Report | None:
    read = _Read(secrets, directory)
    with file.open("rb") as opened:
        for event, element in iterparse(_InParts(opened), events=("start", "end")):
            if not (read.begin() if event == "start" else read.end(element)):
                return None
    if not read.suites:
        return None
    return Report(tuple(read.cases), read.counted, max(read.failures, read.failures_of_all), read.unknown)


@dataclass(frozen=True)
class _InParts:
    file: BinaryIO

    def read(self, _size: int = 0, /) -> bytes:
        return self.file.read(PART_BYTES)


@dataclass
class _Read:
    """What has been read of a report."""

    secrets: tuple[str, ...]
    directory: str = TOP
    cases: list[Case] = field(default_factory=list)
    suites: int = 0
    counted: int = 0
    failures: int = 0
    failures_of_all: int = 0
    unknown: str = ""
    elements: int = 0

    def begin(self) -> bool:
        """Count an element that has begun; return whether to go on."""
        self.elements += 1
        return self.elements <= MOST_ELEMENTS

    def end(self, element: Element) -> bool:
        """Read an element that has come to its end; return whether to go on."""
        self._name_unknown(element)
        if element.tag == "testcase":
            self.cases.append(_without(self.secrets, _case(element, self.directory)))
            element.clear()
        elif element.tag in ("testsuite", "testsuites"):
            self.cases += [_without(self.secrets, case) for case in _broken_suite(element)]
            return self._count(element) and len(self.cases) <= MOST_CASES
        return len(self.cases) <= MOST_CASES

    def _name_unknown(self, element: Element) -> None:
        known = PARTS.get(element.tag, frozenset())
        child = None if self.unknown else next((child.tag for child in element if child.tag not in known), None)
        if child is not None:
            name = f' "{element.get("name")}"' if element.get("name") else ""
            self.unknown = _shown(f"<{child[:LONGEST_TAG]}> in <{element.tag[:LONGEST_TAG]}>{name}", self.secrets, 200)

    def _count(self, element: Element) -> bool:
        counts = [int(element.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")]
        if element.tag == "testsuites":
            self.failures_of_all = counts[1] + counts[2]
        else:
            self.suites += 1
            self.counted += counts[0]
            self.failures += counts[1] + counts[2]
        return min(counts) >= 0


def _broken_suite(element: Element) -> Iterator[Case]:
    """Yield what failed in a suite outside of its tests, as a test of the suite's name."""
    for told in (child for child in element if child.tag in BROKEN):
        yield Case(element.get("name") or element.tag, Ending.FAILED, message=_message(told))


def _case(element: Element, directory: str) -> Case:
    told_file = element.get("file") or ""
    file = from_top(told_file, directory) if told_file else ""
    told, ending = _ending(element)
    seconds = float(element.get("time") or 0)
    line = int(element.get("line") or -1) + 1
    name = _name(element, told_file, file)
    case = Case(name, ending, seconds if 0 <= seconds < 1e6 else 0, _message(told), file, line)
    if ending is Ending.FAILED and told is not None and (place := _place(told.text or "", directory)):
        return replace(case, file=place[0], line=place[1])
    return case


def _place(text: str, directory: str) -> tuple[str, int] | None:
    """Return the last place of a traceback that lies in the repository."""
    for path, line in reversed(PLACE.findall(text)):
        if not posixpath.normpath(posixpath.join(directory, path)).startswith("../"):
            return from_top(path, directory), int(line)
    return None


def _ending(element: Element) -> tuple[Element | None, Ending]:
    for kind, ending in (*((broken, Ending.FAILED) for broken in BROKEN), ("skipped", Ending.SKIPPED)):
        found = element.find(kind)
        if found is not None:
            return found, ending
    said = {state: element.get(state, "passed").lower() for state in STATES}
    for state, word in said.items():
        if word not in PASSED | LEFT_OUT:
            return Element("failure", message=f'it says {state}="{element.get(state)}"'), Ending.FAILED
    return None, Ending.SKIPPED if LEFT_OUT.intersection(said.values()) else Ending.PASSED


def _name(element: Element, told: str, file: str) -> str:
    """Return pytest's own id of the test, from which it made the class's name, with `file` for the file as `told`."""
    name, owner = element.get("name") or "", element.get("classname") or ""
    module = told.removesuffix(".py").replace("/", ".")
    if told and (owner == module or owner.startswith(f"{module}.")):
        classes = owner[len(module) + 1 :]
        return "::".join([file, *filter(None, classes.split(".")), name])
    return f"{owner}.{name}" if owner else name


def _message(told: Element | None) -> str:
    if told is None:
        return ""
    short = (told.get("message") or "").strip()
    # A collection error's message is always the same; what went wrong stands in the text.
    if short == "collection failure" or not short:
        wrong = [line[1:].strip() for line in (told.text or "").splitlines() if line.startswith("E ")]
        short = "; ".join(filter(None, [short, *wrong[:3]]))
    return short


def _without(secrets: tuple[str, ...], case: Case) -> Case:
    return replace(
        case,
        name=_shown(case.name, secrets, LONGEST_NAME),
        message=_shown(case.message, secrets, LONGEST_MESSAGE),
        file=_shown(case.file, secrets, LONGEST_NAME),
    )


def _shown(text: str, secrets: tuple[str, ...], most: int) -> str:
    return CONTROL.sub("\ufffd", masked(text, secrets))[:most]
