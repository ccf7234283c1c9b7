"""Tasks that are repeated, and those that are not, as Prefect runs them."""

from collections.abc import Callable

import httpx
import pytest
from prefect import Task, flow

from host.errors import ServerAway, ToolError
from tasks import retries
from tasks.retries import RETRIES, once, repeatable

pytestmark = pytest.mark.usefixtures("prefect_server")


def failing(
    kind: Callable[..., Callable[..., Task[..., str]]], errors: list[Exception]
) -> tuple[Task[..., str], list[int]]:
    """Return a task of a kind that raises the errors one after another and then succeeds, and what counts its tries."""
    tries: list[int] = []

    def work() -> str:
        tries.append(len(tries))
        if len(tries) <= len(errors):
            raise errors[len(tries) - 1]
        return "done"

    return kind("work")(work), tries


AWAY = {
    "network": lambda: httpx.ConnectError("refused"),
    "engine": lambda: ToolError("the Docker engine does not answer", transient=True),
    "server": lambda: ServerAway("the Prefect server does not answer"),
}


@pytest.mark.parametrize("what", AWAY)
def test_what_may_pass_is_tried_again_until_it_does(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0)
    work, tries = failing(repeatable, [AWAY[what](), AWAY[what]()])
    assert flow(name="retries")(lambda: work())() == "done"
    assert len(tries) == 3


def test_tries_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0)
    work, tries = failing(repeatable, [AWAY["engine"]() for _ in range(10)])
    with pytest.raises(ToolError):
        flow(name="retries")(lambda: work())()
    assert len(tries) == RETRIES + 1


def test_what_will_not_pass_fails_at_once() -> None:
    work, tries = failing(repeatable, [ToolError("no such image")])
    with pytest.raises(ToolError):
        flow(name="retries")(lambda: work())()
    assert len(tries) == 1


def test_what_must_not_be_repeated_is_not() -> None:
    work, tries = failing(once, [AWAY["network"]()])
    with pytest.raises(httpx.ConnectError):
        flow(name="retries")(lambda: work())()
    assert len(tries) == 1
