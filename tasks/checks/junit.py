"""Read a JUnit report that app code wrote: every byte of it may be a trap."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element  # nosec B405  # only the type; parsing is defusedxml's

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from gates.checks.suites import Case, Ending
from host.masking import masked
from tasks.source.log_blocks import CONTROL

LARGEST_REPORT_BYTES = 50_000_000
MOST_CASES = 100_000
LONGEST_NAME = 500
LONGEST_MESSAGE = 1_000
# pytest's line for a place in a traceback; paths out of the source start with .. or /.
PLACE = re.compile(r"^(?![./\s])([^\s:][^:\n]{0,300}):(\d{1,7}): ", re.M)


@dataclass(frozen=True)
class Report:
    """`counted` and `failures` are what the report's own counters say: tests, and failures with errors."""

    cases: tuple[Case, ...]
    counted: int
    failures: int


def read_report(file: Path, secrets: Iterable[str] = ()) -> Report | None:
    """Return what a report says; None when there is none, or it is not JUnit, or a trap. Secrets become ***."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_REPORT_BYTES:
            return None
        return _read(file, tuple(secrets))
    except (OSError, ParseError, DefusedXmlException, ValueError, LookupError):
        return None


def _read(file: Path, secrets: tuple[str, ...]) -> Report | None:
    cases: list[Case] = []
    counted = failures = suites = 0
    for _, element in iterparse(file, events=("end",)):
        if element.tag == "testcase":
            cases.append(_without(secrets, _case(element)))
            element.clear()
            if len(cases) > MOST_CASES:
                return None
        elif element.tag == "testsuite":
            counts = [int(element.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")]
            if min(counts) < 0:
                return None
            counted += counts[0]
            failures += counts[1] + counts[2]
            suites += 1
    return Report(tuple(cases), counted, failures) if suites else None


def _case(element: Element) -> Case:
    file = element.get("file") or ""
    told, ending = _ending(element)
    seconds = float(element.get("time") or 0)
    line = int(element.get("line") or -1) + 1
    case = Case(_name(element, file), ending, seconds if 0 <= seconds < 1e6 else 0, _message(told), file, line)
    if ending is Ending.FAILED and told is not None and (places := PLACE.findall(told.text or "")):
        return replace(case, file=places[-1][0], line=int(places[-1][1]))
    return case


def _ending(element: Element) -> tuple[Element | None, Ending]:
    for kind, ending in (("failure", Ending.FAILED), ("error", Ending.FAILED), ("skipped", Ending.SKIPPED)):
        found = element.find(kind)
        if found is not None:
            return found, ending
    return None, Ending.PASSED


def _name(element: Element, file: str) -> str:
    """Return pytest's own id of the test, from which it made the class's name."""
    name, owner = element.get("name") or "", element.get("classname") or ""
    module = file.removesuffix(".py").replace("/", ".")
    if file and (owner == module or owner.startswith(f"{module}.")):
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
    def shown(text: str, most: int) -> str:
        return CONTROL.sub("\ufffd", masked(text, secrets))[:most]

    return replace(
        case,
        name=shown(case.name, LONGEST_NAME),
        message=shown(case.message, LONGEST_MESSAGE),
        file=shown(case.file, LONGEST_NAME),
    )
