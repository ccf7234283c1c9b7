"""Client of flow runs: start them, follow them, and answer their questions, through the API that the UI uses."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from cli.progress import ENDED, Board, Steps
from cli.screen import say
from control.prefect_api import PrefectApi
from host.errors import ServerAway, ToolError

POLL_S = 0.5
# A busy server lets a request time out and is there for the next one.
PATIENCE_S = 60.0
CODE = re.compile(r"code \*\*([0-9a-f]{4}-[0-9a-f]{4})\*\*")
# What services/watch/questions.py writes into the state of a run whose question another one asks again.
SUCCESSOR = re.compile(r"run ([0-9a-f-]{36}) asks again")
SHOWN = 160
NO_WORKER = "no worker has taken it yet; look at: make status"
WAITS = "waits for a person's answer"
T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """The end of a run: the name of its state, the message in it, and the seconds from its creation."""

    run: str
    state: str
    message: str
    seconds: float

    def __str__(self) -> str:
        """Return it in a line, the message cut."""
        return f"{self.state} after {self.seconds:.1f} s: {self.message[:SHOWN]}"


def start(api: PrefectApi, deployment: str, **parameters: Any) -> str:
    """Create a run of a deployment; return its id. Raises ToolError if there is no such deployment."""
    key = f"{deployment}-{time.time_ns()}"
    run = _patiently(lambda: api.start(deployment, parameters, key=key))
    if run is None:
        raise ToolError(f"there is no deployment {deployment}; run: make up")
    return run


def follow(
    api: PrefectApi,
    run: str,
    what: str,
    timeout_s: float | None,
    approver: str | None = None,
    board: Board | None = None,
) -> Ended:
    """Wait for a run's end. Answer its questions as `approver`, or leave them to a person in the UI when None.

    The board shows the steps meanwhile. A run that was superseded is followed in its successor. Raises ToolError after
    `timeout_s`, which a person's thinking does not count to; None: never.
    """
    with (board or Board()).line(what) as tell:
        ended = _followed(api, run, what, timeout_s, approver, tell)
        while ended.state == "Superseded" and (successor := SUCCESSOR.search(ended.message)):
            ended = _followed(api, successor[1], what, timeout_s, approver, tell)
    return ended


def _followed(
    api: PrefectApi, run: str, what: str, timeout_s: float | None, approver: str | None, tell: Callable[[str], None]
) -> Ended:
    steps = Steps(api, run)
    begin = time.monotonic()
    asked = ""
    while True:
        found = _patiently(lambda: api.call("GET", f"/flow_runs/{run}"))
        if found is None:
            raise ToolError(f"{what}: the run {run} is not there any more")
        kind, state = found["state_type"], found["state"]
        if kind in ENDED:
            return Ended(run, state["name"], state["message"] or "", time.monotonic() - begin)
        if kind == "PAUSED" and state["id"] != asked:
            asked = _answer(api, run, what, state["id"], approver)
            timeout_s = timeout_s + 3600 if timeout_s is not None and approver is None else timeout_s
        if timeout_s is not None and time.monotonic() - begin > timeout_s:
            raise ToolError(
                f"{what} did not end within {timeout_s:.0f} s (it is {state['name']}); see {run_url(api, run)}"
            )
        tell(NO_WORKER if state["name"] == "Late" else WAITS if kind == "PAUSED" else steps.words())
        time.sleep(POLL_S)


def _patiently(ask: Callable[[], T]) -> T:
    """Repeat a call while the server does not answer. Raises ServerAway after PATIENCE_S. Only for calls that are safe
    to repeat.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except ServerAway:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_S)


def run_url(api: PrefectApi, run: str) -> str:
    """Return the address of the run's page."""
    return f"{api.control.url}/runs/flow-run/{run}"


def approval_code(api: PrefectApi, run: str) -> str | None:
    """Return the code on the run's newest approval page, None while there is no page."""
    wanted = {"flow_run_id": {"any_": [run]}, "key": {"any_": ["approval"]}}
    query = {"artifacts": wanted, "sort": "CREATED_DESC", "limit": 1}
    pages = _patiently(lambda: api.call("POST", "/artifacts/filter", query))
    match = CODE.search(pages[0]["data"]) if pages else None
    return match[1] if match else None


def _answer(api: PrefectApi, run: str, what: str, question: str, approver: str | None) -> str:
    """Answer a question once. Return its mark when it was answered, "" to try again. Without approver print its
    address.
    """
    if approver is None:
        say(f"    {what}: waits for you: {run_url(api, run)} (log in first, at {api.control.url}/login)")
        say("      read its page `approval`, press Resume, and fill in decision, approver (your name) and code (there)")
        return question
    code = approval_code(api, run)
    if code is None:
        return ""
    body = {"run_input": {"decision": "approve", "approver": approver, "code": code, "comment": "by the demo"}}
    answer = api.call("POST", f"/flow_runs/{run}/resume", body)
    if answer["status"] != "ACCEPT":
        raise ToolError(f"{what}: the answer was not taken: {answer}")
    say(f"    {what}: approved as {approver}, by the demo, through the same API that the UI uses")
    return question
