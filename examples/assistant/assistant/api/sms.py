"""Text messages that become tasks."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from assistant.api.accounts import Phone
from assistant.api.deps import UsesServices, today
from assistant.audit import Event, record
from assistant.events import announce
from assistant.models import InboundSms, Task, User
from assistant.parsing import parse_task
from assistant.security import webhook_problem

router = APIRouter()


class Sms(BaseModel):
    message_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    sender: Phone = Field(alias="from")
    text: Annotated[str, StringConstraints(max_length=1600)]


class Received(BaseModel):
    result: str
    task_id: int | None = None


async def raw_body(request: Request) -> bytes:
    return await request.body()


def verified_body(
    request: Request,
    services: UsesServices,
    body: Annotated[bytes, Depends(raw_body)],
    x_sms_timestamp: Annotated[str, Header()] = "",
    x_sms_signature: Annotated[str, Header()] = "",
) -> bytes:
    """Return the body when its signature holds (see `security.sign_webhook`)."""
    secret = services.settings.sms_webhook_secret.get_secret_value()
    problem = webhook_problem(secret, x_sms_timestamp, x_sms_signature, body, time.time())
    if problem:
        raise _rejected(request, services, 401, problem)
    return body


@router.post("/webhooks/sms")
def receive_sms(
    request: Request, services: UsesServices, body: Annotated[bytes, Depends(verified_body)]
) -> Received:
    """An unknown number's message is answered 200 and ignored: to send it again would not help."""
    try:
        sms = Sms.model_validate_json(body)
    except ValidationError as error:
        raise _rejected(request, services, 400, f"{error.error_count()} bad fields") from error
    with services.database.begin() as session:
        received = _make_task(session, sms)
    services.metrics.sms.labels(received.result).inc()
    return received


def _rejected(request: Request, services: UsesServices, status: int, problem: str) -> HTTPException:
    with services.database.begin() as session:
        record(session, Event.WEBHOOK_REJECTED, request, None, webhook="sms", problem=problem)
    services.metrics.sms.labels("rejected").inc()
    return HTTPException(status, problem)


def _make_task(session: Session, sms: Sms) -> Received:
    who = select(User.id).where(User.phone == sms.sender, User.disabled_at.is_(None))
    user_id = session.scalar(who)
    parsed = parse_task(sms.text, today())
    if user_id is None or parsed is None:
        return Received(result="ignored")
    first = insert(InboundSms).values(message_id=sms.message_id, user_id=user_id)
    first_id = session.scalar(first.on_conflict_do_nothing().returning(InboundSms.message_id))
    if first_id is None:
        return Received(result="duplicate")
    task = Task(user_id=user_id, title=parsed.title, due_on=parsed.due_on, source="sms")
    session.add(task)
    session.flush()
    announce(session, user_id, "created", task.id)
    return Received(result="created", task_id=task.id)
