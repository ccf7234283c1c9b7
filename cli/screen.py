"""Output of commands for people: one line for each step, with its seconds."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich import markup
from rich.console import Console

console = Console(highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
# What a terminal would obey, and what no terminal can be sent; lines and tabs stay.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def fail(message: str) -> None:
    """Print an error."""
    errors.print(f"[red]error:[/red] {escape(message)}")


def say(message: str) -> None:
    """Print one line."""
    console.print(escape(message))


def escape(text: str) -> str:
    """Return text that rich prints unchanged, whoever wrote it; what a terminal would obey is a `?`."""
    return markup.escape(CONTROL.sub("?", text))


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Print the step that begins, and its seconds when it ends. Without a terminal print only the second line."""
    start = time.monotonic()
    with console.status(escape(what)):
        yield
    console.print(f"[green]ok[/green]  {escape(what)} [dim]({time.monotonic() - start:.1f} s)[/dim]")
