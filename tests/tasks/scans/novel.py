"""A scan that nothing but its own module knows: dropped into tasks/scans as a person would add it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tasks.scans

NAME = "novel"
MODULE = '''
"""Scan `novel`: every line of a Terraform file is a finding of low severity, and a low one blocks until waived."""

from gates.check import Check
from gates.findings import Finding, Severity, fingerprint
from gates.scans.outcome import ScanOutcome
from gates.scans.security import Rule
from tasks.scans import Reads, Scan, Subject
from tasks.scans.tools import scan_parts

CRITICAL, HIGH, MEDIUM, LOW = Severity


def _lines(subject: Subject) -> ScanOutcome:
    findings = [
        Finding(tool="own", rule="a-line", severity=LOW, message=line, file=file.name, line=number,
                fingerprint=fingerprint("a-line", file.name, str(number)))
        for file in sorted(subject.tree.glob("*.tf"))
        for number, line in enumerate(file.read_text().splitlines(), 1)
    ]
    return ScanOutcome(tuple(findings), examined=("Terraform",))


def scan_novel(subject: Subject) -> Check:
    return scan_parts("novel", "own", {"Terraform": lambda: _lines(subject)})


def _reads(subject: Subject) -> Reads:
    return Reads([name for name in subject.workspace.source.files if name.endswith(".tf")], ())


SCAN = Scan("novel", scan_novel, _reads, Rule(waivable=(HIGH, MEDIUM, LOW)))
'''


@contextmanager
def added(folder: Path, text: str = MODULE, name: str = NAME) -> Iterator[None]:
    """Have a module of that text in the package tasks.scans while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    tasks.scans.__path__.append(str(folder))
    try:
        yield
    finally:
        tasks.scans.__path__.remove(str(folder))
        sys.modules.pop(f"tasks.scans.{name}", None)
        vars(tasks.scans).pop(name, None)
