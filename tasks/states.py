"""How a run ends. What a message says goes to pages, comments and chats, so known secrets in it are masked."""

from collections.abc import Callable
from typing import Any

from prefect import states
from prefect.client.schemas.objects import State

from host.errors import SlipwayError
from host.json_logs import veiled


def _masking(make: Callable[..., State[Any]]) -> Callable[..., State[Any]]:
    def masked(*, message: str | None = None, **given: Any) -> State[Any]:
        return make(message=veiled(message) if message else message, **given)

    return masked


Completed = _masking(states.Completed)
Failed = _masking(states.Failed)


def cause(error: BaseException) -> str:
    """Return what a run that ended by an error says first: the cause, in the words that pages and messages use too.

    An error of ours is written for people, so nothing comes before its words; any other is named by its kind.
    """
    return str(error) if isinstance(error, SlipwayError) else f"{type(error).__name__}: {error}"
