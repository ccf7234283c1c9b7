"""Containers of the control plane, for the commands that stop them."""

from pathlib import Path
from typing import Protocol

from cli.screen import doing, errors, escape
from host.errors import SlipwayError


class Stack(Protocol):
    """Containers of one compose project. `directory` exists once they were started."""

    @property
    def directory(self) -> Path: ...

    def down(self) -> None: ...


def stop_stack(stack: Stack, name: str) -> None:
    """Stop the containers if they were started; keep their data. An engine that is away is reported, without delay."""
    if not stack.directory.exists():
        return
    try:
        with doing(f"{name} stopped"):
            stack.down()
    except SlipwayError as error:
        errors.print(f"[red]{name} could not be stopped:[/red] {escape(str(error))}")
