"""docs/security.md names the test behind each promise."""

import re

from host.home import CHECKOUT


def test_every_promise_names_its_test_and_every_file_of_attacks_is_named() -> None:
    text = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.split("## What is promised")[1].split("\n## ")[0]
    rows = [row.split("|")[1:-1] for row in table.splitlines() if row.startswith("| ")][1:]
    named = [re.findall(r"`(test_\w+\.py)`", row[1]) for row in rows]
    assert len(rows) >= 11 and all(named)
    files = sorted(file.name for file in (CHECKOUT / "tests" / "attacks").glob("test_*.py"))
    assert sorted(name for names in named for name in names) == files
