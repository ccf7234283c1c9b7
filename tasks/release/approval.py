"""Ask a named person, in the Prefect UI, and take only an answer that holds."""

import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import httpx
import psutil
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import FlowPauseTimeout, PrefectException
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field

from deployments.environment import Environment
from deployments.journal.entries import QuestionAnswered, QuestionAsked
from deployments.preflight import Preflight
from gates.release.approval import Answer, Decision, Question, Ruling, judge_answer
from tasks.artifacts import show
from tasks.notify.links import run_url
from tasks.notify.messages import ask_people
from tasks.release.pages import approval_page, commit_lines
from tasks.states import Failed

POLL_S = 1


class ApprovalForm(RunInput):
    """The form. No field that decides has a default: an empty answer must not be a valid one."""

    decision: Literal["approve", "reject"] = Field(description="approve or reject")
    approver: str = Field(min_length=1, max_length=60, description="your name, as in config/approvers.toml")
    code: str = Field(min_length=1, max_length=20, description="the code shown above")
    no_way_back: str = Field(
        "", max_length=500, description="only if the page asks for it: the migrations behind which there is no way back"
    )
    comment: str = Field("", max_length=500, description="for the record")


def await_approval(place: Environment, seen: Preflight) -> tuple[Ruling, str]:
    """Pause the run until a person's answer holds, or the time is over. Called by the flow itself, before any effect.

    The question stands in the environment's journal, so that it survives the death of this process: `watch` then
    starts a successor that asks again. Returns ACCEPTED, REJECTED or EXPIRED with the reason.
    """
    settings = place.settings
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=settings.approval_timeout_seconds)
    run = str(runtime.flow_run.id)
    question = Question(
        id=uuid.uuid4().hex[:12],
        run=run,
        environment=place.name,
        digest=seen.version.digest,
        policy=seen.policy,
        expires=expires,
        authors=seen.outgoing.authors,
        author_may_approve=settings.allow_author_approval,
        contracts=tuple(step.revision for step in seen.contracts),
        version=seen.version.version,
        live=seen.live.version.version if seen.live else "nothing",
        verdict=seen.verdict.reason,
        commits=commit_lines(seen.outgoing),
        warnings=seen.warnings,
        url=run_url(run),
    )
    place.journal.append(_journaled(question))
    try:
        ruling, reason = _ask(question, seen)
    except FlowPauseTimeout:
        ruling, reason = Ruling.EXPIRED, f"nobody answered until {expires:%H:%M:%S} UTC"
        _name_the_end(reason)
    # A process that is ended here leaves the question open: `watch` finds out whether it was cancelled or must be
    # asked again.
    place.journal.append(QuestionAnswered(id=question.id, ruling=ruling, reason=reason))
    get_run_logger().info("approval: %s: %s", ruling, reason)
    return ruling, reason


def _ask(question: Question, seen: Preflight) -> tuple[Ruling, str]:
    """Ask until an answer holds. Raises FlowPauseTimeout at the question's end."""
    trouble = ""
    attempt = 0
    while True:
        attempt += 1
        page = approval_page(question, seen, trouble)
        show("approval", page, f"approve {seen.version.version} for {question.environment}?")
        ask_people(question, trouble)
        left_s = (question.expires - datetime.now(UTC)).total_seconds()
        if left_s <= 0:
            raise FlowPauseTimeout("the question's time is over")
        form = pause_flow_run(
            wait_for_input=ApprovalForm.with_initial_data(description=page),
            timeout=max(1, int(left_s)),
            poll_interval=POLL_S,
            key=f"{question.id}-{attempt}",
        )
        answer = Answer(
            Decision(form.decision), form.approver, form.code, datetime.now(UTC), form.comment, form.no_way_back
        )
        ruling, trouble = judge_answer(question, answer, seen.approvers)
        if ruling is not Ruling.ASK_AGAIN:
            return ruling, trouble
        get_run_logger().warning("the answer does not hold: %s; asking again", trouble)


def _name_the_end(reason: str) -> None:
    """Say in the run's state what ended it: the server fails a paused run at its time by itself, without our words."""
    state: State[Any] = Failed(name="Expired", message=reason)
    try:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(str(runtime.flow_run.id)), state, force=True)
    except (httpx.HTTPError, PrefectException, OSError) as error:
        get_run_logger().warning("the run's state could not be named: %s", error)


def _journaled(question: Question) -> QuestionAsked:
    flow, deployment = runtime.flow_run.flow_name, runtime.deployment.name
    return QuestionAsked(
        id=question.id,
        run=question.run,
        deployment=f"{flow}/{deployment}" if deployment else "",
        parameters={"environment": question.environment, "version": question.digest},
        digest=question.digest,
        expires=question.expires,
        pid=os.getpid(),
        started=psutil.Process().create_time(),
    )
