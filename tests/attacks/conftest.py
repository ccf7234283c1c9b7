"""Which attacks were tried and which held: counted by file, printed at the end."""

from collections import Counter

import pytest

TRIED: Counter[str] = Counter()
HELD: Counter[str] = Counter()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as an attack."""
    for item in items:
        if "attacks" in item.path.parts:
            item.add_marker(pytest.mark.attack)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the attacks of each file. One that could not be made (skipped) was not tried."""
    if report.skipped or "tests/attacks/" not in report.nodeid:
        return
    name = report.nodeid.split("::")[0].rsplit("/", 1)[-1].removeprefix("test_").removesuffix(".py")
    if report.when == "call":
        TRIED[name] += 1
        HELD[name] += report.passed
    elif report.failed:
        TRIED[name] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print tried and held."""
    if not TRIED:
        return
    terminalreporter.section("attacks")
    for name in sorted(TRIED):
        terminalreporter.write_line(f"{name:32} tried {TRIED[name]:4}   held {HELD[name]:4}")
    terminalreporter.write_line(f"{'all':32} tried {TRIED.total():4}   held {HELD.total():4}")
