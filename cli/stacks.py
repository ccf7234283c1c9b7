"""The control plane's containers, as commands stop them."""

from pathlib import Path
from typing import Protocol

from cli.screen import doing, errors, escape
from host.errors import SlipwayError


class Stack(Protocol):
    """Containers of one compose project; `directory` is there once they were started."""

    @property
    def directory(self) -> Path: ...

    def down(self) -> None: ...


def stop_stack(stack: Stack, name: str) -> None:
    """Stop them where they were started; what they wrote is kept. An engine that is away is told, in nobody's way."""
    if not stack.directory.exists():
        return
    try:
        with doing(f"{name} stopped"):
            stack.down()
    except SlipwayError as error:
        errors.print(f"[red]{name} could not be stopped:[/red] {escape(str(error))}")
