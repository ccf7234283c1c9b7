"""What is made beside the server's start: all that ci asks for, and no failure of it stops anything."""

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from cli.demo.warm import needed, warming
from cli.progress import Board
from host.errors import ToolError
from host.home import CHECKOUT
from settings.pipeline import read_pipeline

APP = CHECKOUT / "examples" / "assistant"


def a_board() -> Board:
    return Board(Console(file=io.StringIO()))


def test_everything_that_the_example_needs_is_named_once_what_is_needed_first_at_the_beginning() -> None:
    names = [name for name, _ in needed(APP, read_pipeline())]
    assert names[0].startswith("environment of ")
    assert sorted(names) == sorted(set(names))
    for lock in read_pipeline().locks.shipped:
        assert f"wheels of {lock}" in names
    tools = {name.removeprefix("our tools: ") for name in names if name.startswith("our tools: ")}
    assert tools == {"quality", "scanners", "load", "services"}, "no certificate is asked for by ci"


def test_what_fails_is_left_to_the_run_that_needs_it() -> None:
    made = threading.Event()

    def fails() -> Path:
        raise ToolError("no network")

    def works() -> Path:
        made.set()
        return APP

    with warming([("one", fails), ("two", works)], a_board()):
        assert made.wait(60)


def test_at_an_interruption_what_has_not_begun_is_dropped() -> None:
    begun, go, made = threading.Barrier(3), threading.Event(), []

    def slow() -> Path:
        begun.wait(60)
        go.wait(60)
        return APP

    def never() -> Path:
        made.append("made")
        return APP

    making = [("one", slow), ("two", slow), ("three", never)]
    with pytest.raises(KeyboardInterrupt), warming(making, a_board()):
        begun.wait(60)
        threading.Timer(0.1, go.set).start()
        raise KeyboardInterrupt
    assert made == []
