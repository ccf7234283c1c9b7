"""Approval questions whose process died: ask again, or close them."""

from datetime import datetime

import psutil

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.journal.entries import QuestionAnswered
from deployments.journal.ledger import Question
from gates.release.approval import Ruling


def dead(question: Question) -> bool:
    """Say whether the process that asked is gone (a recycled pid has another start time)."""
    try:
        return abs(psutil.Process(question.pid).create_time() - question.started) > 0.05
    except psutil.NoSuchProcess:
        return True


def ask_again(place: Environment, question: Question, now: datetime, api: PrefectApi | None = None) -> str:
    """Start a successor run that asks the same again, once; close the question when it was cancelled or its time is
    over.

    Safe to repeat: the successor's idempotency key is the question's id. Raises ServerAway; then it is tried later.
    """
    api = api or PrefectApi()
    state = api.run_state(question.run)
    if now >= question.expires:
        ruling, said = Ruling.EXPIRED, "its time is over and its process is gone"
        if state in ("PAUSED", "RUNNING"):
            api.set_state(question.run, "FAILED", "Expired", said)
    elif state in ("CANCELLED", "CANCELLING", "COMPLETED", "FAILED") or not question.deployment:
        ruling, said = Ruling.WITHDRAWN, f"its run is {state or 'unknown'}"
    else:
        successor = api.start(question.deployment, question.parameters, key=question.id)
        if successor is None:
            ruling, said = Ruling.WITHDRAWN, f"there is no deployment {question.deployment} any more"
        else:
            ruling, said = Ruling.SUPERSEDED, f"its process died; run {successor} asks again"
            if state not in ("CRASHED",):
                api.set_state(question.run, "CRASHED", "Superseded", said)
    place.journal.append(QuestionAnswered(id=question.id, ruling=ruling, reason=said))
    return f"question {question.id}: {ruling}: {said}"
