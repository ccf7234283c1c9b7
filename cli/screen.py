"""How commands talk to a person: one line for each thing done, with its seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """Say what went wrong."""
    errors.print(f"[red]error:[/red] {escape(message)}")


def say(message: str) -> None:
    """Say one line."""
    console.print(escape(message))


def escape(text: str) -> str:
    """Return text that rich shows as it is."""
    return text.replace("[", r"\[")


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took once it is. Without a terminal only the second line appears."""
    start = time.monotonic()
    with console.status(escape(what)):
        yield
    console.print(f"[green]ok[/green]  {escape(what)} [dim]({time.monotonic() - start:.1f} s)[/dim]")
