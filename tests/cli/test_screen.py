"""What is printed as it was written, whoever wrote it."""

import pytest

from cli.screen import console, escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a [/bold] b", "a [/bold] b"),
        ("a\\[/bold]/main.py", "a\\[/bold]/main.py"),
        ("a\\\\[/bold]", "a\\\\[/bold]"),
        ("list[int] [0]", "list[int] [0]"),
        ("one:bug:two", "one:bug:two"),
        ("\x1b[31mred\x9b0m\x07", "?[31mred?0m?"),
        ("lone \ud800", "lone ?"),
        ("two\n\tlines", "two\n        lines"),
    ],
    ids="tag backslash two-backslashes brackets emoji escape surrogate lines".split(),
)
def test_a_strangers_text_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    with console.capture() as printed:
        console.print(escape(text))
    assert printed.get() == f"{shown}\n"
