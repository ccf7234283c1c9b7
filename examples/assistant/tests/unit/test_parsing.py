from datetime import date, timedelta

import pytest

from assistant.api.tasks import monday_of
from assistant.parsing import MAX_TITLE, ParsedTask, clean_title, parse_task

TODAY = date(2026, 3, 4)
TOMORROW = TODAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Buy milk", ParsedTask("Buy milk")),
        ("  - [ ] Buy   milk ", ParsedTask("Buy milk")),
        ("* Buy milk", ParsedTask("Buy milk")),
        ("3. Buy milk", ParsedTask("Buy milk")),
        ("3 eggs", ParsedTask("3 eggs")),
        ("Call mum today", ParsedTask("Call mum", TODAY)),
        ("Call mum, Tomorrow", ParsedTask("Call mum", TOMORROW)),
        ("Pay rent by 2026-04-01", ParsedTask("Pay rent", date(2026, 4, 1))),
        ("Pay rent due 2026-04-01", ParsedTask("Pay rent", date(2026, 4, 1))),
        ("Pay rent by 2026-02-31", ParsedTask("Pay rent by 2026-02-31")),
        ("Plan tomorrow's trip", ParsedTask("Plan tomorrow's trip")),
        ("today", ParsedTask("today")),
        ("", None),
        (" - [ ] ", None),
        ("\x00\x07", None),
    ],
)
def test_lines_become_tasks(line: str, expected: ParsedTask | None) -> None:
    assert parse_task(line, TODAY) == expected


def test_titles_are_one_printable_line() -> None:
    assert clean_title("a\r\nb\tc\x00d\u2028e") == "a b c d e"


def test_long_titles_are_cut_at_the_limit() -> None:
    assert clean_title("x" * MAX_TITLE) == "x" * MAX_TITLE
    cut = clean_title("x" * (MAX_TITLE + 1))
    assert len(cut) == MAX_TITLE
    assert cut.endswith("…")


@pytest.mark.parametrize("offset", range(7))
def test_a_week_begins_on_monday(offset: int) -> None:
    assert monday_of(date(2026, 3, 2) + timedelta(days=offset)) == date(2026, 3, 2)
