"""What containers are waited for, by what an engine tells of them; engines cannot be made to be slow on demand."""

from collections.abc import Iterator, Sequence

import pytest

from host.docker.containers import Container
from host.docker.engine import Engine
from host.docker.healthy import await_healthy
from tests.waiting import NEVER_S


class Told(Engine):
    """An engine of which only the last words of a container are asked."""

    def log_tail(self, container: Container, lines: int) -> str:
        return f"{container.name} said no"


def one(state: str = "running", health: str = "", restarts: int = 0) -> Container:
    return Container("1", "shop-db-1", "db", {}, state, 0, False, restarts, "", health, 0, "")


def waited(states: Sequence[Container], *said: str, limit_s: float = NEVER_S) -> tuple[str, int]:
    """Return what came of a wait, and how often compose was asked."""
    looks: Iterator[Container] = iter(states)
    answers = list(said)
    asked: list[str] = []

    def up() -> str:
        asked.append(answers.pop(0) if answers else "")
        return asked[-1]

    last = states[-1]
    return await_healthy(Told("unix:///nowhere"), up, lambda: [next(looks, last)], limit_s), len(asked)


@pytest.mark.parametrize(
    ("states", "said", "result"),
    [
        pytest.param([one()], [], ("", 1), id="runs"),
        pytest.param(
            [one(), one(health="starting"), one(health="unhealthy"), one(health="healthy")], [], ("", 1), id="slow"
        ),
        pytest.param(
            [one(), one(health="unhealthy"), one(health="healthy")], ["unhealthy"], ("", 2), id="compose-gave-up"
        ),
        pytest.param([one(), one(state="created")], ["port taken"], ("port taken", 1), id="compose-refuses"),
        pytest.param([one(), one(health="starting"), one()], ["no", "no"], ("no", 2), id="refuses-again"),
        pytest.param([one(), one(state="exited")], ["x"], ("x\ndb (exited): shop-db-1 said no", 1), id="ended"),
        pytest.param([one(), one(restarts=3)], [], ("db (running): shop-db-1 said no", 1), id="ends-again-and-again"),
    ],
)
def test_containers_are_waited_for_while_they_live(
    states: list[Container], said: list[str], result: tuple[str, int]
) -> None:
    assert waited(states, *said) == result


def test_one_that_does_nothing_is_given_up() -> None:
    assert waited([one(health="starting")], limit_s=0.1)[0] == "db (starting): shop-db-1 said no"
