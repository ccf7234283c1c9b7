"""Two kinds of tasks: those that Prefect repeats when the trouble may pass, and those that nobody may repeat."""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

import httpx
from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from host.errors import SlipwayError

P = ParamSpec("P")
R = TypeVar("R")
RETRIES = 3
FIRST_DELAY_S = 2  # then twice as long each time: 14 s in all, and up to JITTER more
JITTER = 0.3  # so that tasks that lost the same server do not come back at the same moment


class _Decorator(Protocol):
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


def repeatable(name: str, run_name: str = "") -> _Decorator:
    """Return the decorator of a task that reads, or whose effect is the same when it is repeated.

    Prefect repeats it RETRIES times, with back-off, when it failed because a network, an engine or a server did not
    answer or was busy. What failed for any other reason fails at once.
    """

    def decorate(function: Callable[P, R], /) -> Task[P, R]:
        return task(
            name=name,
            task_run_name=run_name or name,
            cache_policy=NO_CACHE,
            retries=RETRIES,
            retry_delay_seconds=exponential_backoff(FIRST_DELAY_S),
            retry_jitter_factor=JITTER,
            retry_condition_fn=may_pass,
        )(function)

    return decorate


def once(name: str, run_name: str = "") -> _Decorator:
    """Return the decorator of a task that is never repeated by itself; its docstring says why ("Not repeated: ...")."""

    def decorate(function: Callable[P, R], /) -> Task[P, R]:
        return task(name=name, task_run_name=run_name or name, cache_policy=NO_CACHE)(function)

    return decorate


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a failed task run is worth another try. Prefect says in the run's log that it tries again."""
    return isinstance(state.data, BaseException) and is_transient(state.data)


def is_transient(error: BaseException) -> bool:
    """Return whether an error, or one that caused it, says that somebody did not answer or was busy."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.TransportError) or (isinstance(cause, SlipwayError) and cause.transient):
            return True
        cause = cause.__cause__
    return False
