"""What a person who waits is told: often enough, not too often, and what is true."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.progress import EVERY_S, LOOK_S, MOST_NAMES, Board, Steps, in_words
from tests.prefect_server import a_home, prefect_server


class Clock:
    """A clock that is set by hand; seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def board() -> tuple[Board, Clock, io.StringIO]:
    clock, out = Clock(), io.StringIO()
    return Board(Console(file=out, width=200), clock), clock, out


def step(name: str, state: str) -> dict[str, Any]:
    return {"name": name, "state_type": state}


@pytest.mark.parametrize(("at", "lines"), [(0.0, 0), (EVERY_S - 0.1, 0), (EVERY_S, 1), (EVERY_S + 1, 1)])
def test_a_line_is_printed_when_the_last_is_old_enough(at: float, lines: int) -> None:
    shown, clock, out = board()
    with shown.line("ci v1") as tell:
        clock.now = at
        tell("now: lint")
    assert len(out.getvalue().splitlines()) == lines


def test_it_moves_also_while_nothing_changes_and_more_than_five_seconds_never_pass() -> None:
    shown, clock, out = board()
    with shown.line("ci v1") as tell:
        for tenth in range(200):
            clock.now = tenth / 10
            tell("now: e2e [slow]")
    said = out.getvalue().splitlines()
    assert said[:2] == ["      ... ci v1, 4 s: now: e2e [slow]", "      ... ci v1, 8 s: now: e2e [slow]"]
    assert len(said) == 4 and EVERY_S < 5


def test_what_runs_side_by_side_has_a_line_each_until_it_ends() -> None:
    shown, clock, out = board()
    with shown.line("release to production") as tell:
        tell("now: bake")
        with shown.line("release to development") as other:
            clock.now = EVERY_S
            other("now: seed")
        clock.now = 2 * EVERY_S
        tell("now: drain")
    assert [line.split("... ")[1] for line in out.getvalue().splitlines()] == [
        "release to production, 4 s: now: bake",
        "release to development, 4 s: now: seed",
        "release to production, 8 s: now: drain",
    ]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "not begun yet"),
        ([step("source", "COMPLETED")], "1 of 1 steps done, now: between two steps"),
        (
            [step("source", "COMPLETED"), step("lint", "FAILED"), step("e2e", "RUNNING"), step("load", "PENDING")],
            "2 of 4 steps done, now: e2e; then: load",
        ),
        ([step("a", "CRASHED"), step("b", "CANCELLED"), step("c", "RUNNING")], "2 of 3 steps done, now: c"),
        (
            [step(f"s{number}", "RUNNING") for number in range(MOST_NAMES + 2)],
            "0 of 7 steps done, now: s0, s1, s2, s3, s4, 2 more",
        ),
    ],
)
def test_steps_in_words(steps: list[dict[str, Any]], words: str) -> None:
    assert in_words(steps) == words


def test_the_server_is_asked_every_two_seconds_and_may_be_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    with prefect_server(a_home(tmp_path), monkeypatch) as (server, api):
        server.tasks = [step("lint", "RUNNING")]
        steps = Steps(api, "a-run", clock)
        first = steps.words()
        server.tasks = [step("lint", "COMPLETED")]
        clock.now = LOOK_S - 0.1
        soon = steps.words()
        clock.now = LOOK_S
        later = steps.words()
        server.away = True
        clock.now = 3 * LOOK_S
        away = steps.words()
    assert first == soon == "0 of 1 steps done, now: lint"
    assert later == away == "1 of 1 steps done, now: between two steps"
