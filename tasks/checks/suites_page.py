"""The page of the test suites: counts, failures with their places, what is flaky or gone, the slowest tests."""

import json
from collections.abc import Mapping, Sequence

from gates.checks.suites import SLOWEST
from gates.findings import Finding
from tasks.artifacts import cell, checks_table
from tasks.source.workspace import Looked

SHOWN_FAILURES = 50


def suites_page(found: Mapping[str, Looked]) -> str:
    """Return the page of all suites that were run, by name."""
    checks = [looked.check for looked in found.values()]
    parts = [
        checks_table(checks),
        _failures([(check.name, one) for check in checks for one in check.findings]),
        _notes([(check.name, note) for check in checks for note in check.notes]),
        _slowest(found),
    ]
    return "\n\n".join(filter(None, parts))


def _failures(found: Sequence[tuple[str, Finding]]) -> str:
    if not found:
        return ""
    rows = ["## Failures", "", "| suite | test | where | what |", "|---|---|---|---|"]
    for suite, one in found[:SHOWN_FAILURES]:
        where = f"{one.file}:{one.line}" if one.line else one.file
        rows.append(f"| {cell(suite)} | {cell(one.rule)} | {cell(where)} | {cell(one.message[:300])} |")
    more = len(found) - SHOWN_FAILURES
    return "\n".join(rows) + (f"\n\nand {more} more" if more > 0 else "")


def _notes(notes: Sequence[tuple[str, str]]) -> str:
    lines = [f"- {cell(suite)}: {cell(note)}" for suite, note in notes]
    return "\n".join(["## Notes", "", *lines]) if lines else ""


def _slowest(found: Mapping[str, Looked]) -> str:
    timed = [
        (seconds, name, suite)
        for suite, looked in found.items()
        if (file := looked.files.get("slowest"))
        for name, seconds in json.loads(file.read_bytes())
    ]
    slow = sorted(timed, reverse=True)[:SLOWEST]
    rows = [f"| {cell(suite)} | {cell(name)} | {seconds:.2f} |" for seconds, name, suite in slow]
    head = ["## The slowest tests", "", "| suite | test | seconds |", "|---|---|---:|"]
    return "\n".join([*head, *rows]) if rows else ""
