"""Connections to other services: which are linked, which failed, and why.

What is real: the signed state, the status, the audit log. What is not: `exchange_code` stands
where the call to the provider belongs. It accepts codes of the form `demo:<account>`, reaches
nobody, and no token of any provider is kept.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, StringConstraints
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from assistant.api.deps import LoggedIn, UsesServices, now
from assistant.audit import Event, record
from assistant.models import OAuthConnection
from assistant.parsing import clean_title

router = APIRouter()

STATE_LIFETIME_S = 600

Provider = Literal["calendar", "mail"]


def exchange_code(provider: str, code: str) -> str:
    """Return the account that the code stands for, or raise ValueError."""
    scheme, _, account = code.partition(":")
    if scheme != "demo" or not (account := clean_title(account)):
        raise ValueError(f"{provider} did not accept the code")
    return account


def get_exchange() -> Callable[[str, str], str]:
    return exchange_code


class Callback(BaseModel):
    """What the provider sent the user back with: a code, or an error."""

    state: str
    code: Annotated[str, StringConstraints(max_length=200)] = ""
    error: Annotated[str, StringConstraints(max_length=200)] = ""


class Connection(BaseModel, from_attributes=True):
    provider: str
    status: Literal["linked", "unlinked", "failed"] = "unlinked"
    account: str | None = None
    reason: str | None = None
    changed_at: datetime | None = None


@router.get("/api/oauth")
def list_connections(user: LoggedIn, services: UsesServices) -> list[Connection]:
    query = select(OAuthConnection).where(OAuthConnection.user_id == user.id)
    with services.database.begin() as session:
        found = {row.provider: Connection.model_validate(row) for row in session.scalars(query)}
    return [found.get(name, Connection(provider=name)) for name in get_args(Provider)]


@router.post("/api/oauth/{provider}/start")
def start_linking(provider: Provider, user: LoggedIn, services: UsesServices) -> dict[str, str]:
    """The `state` that must come back: it proves that this user began, ten minutes ago at most."""
    return {"state": services.sign(f"oauth-{provider}", user.id, STATE_LIFETIME_S)}


@router.post("/api/oauth/{provider}/callback")
def finish_linking(
    provider: Provider,
    body: Callback,
    request: Request,
    user: LoggedIn,
    services: UsesServices,
    exchange: Annotated[Callable[[str, str], str], Depends(get_exchange)],
) -> Connection:
    """Answers 200 with status "linked" or "failed", and the reason."""
    if services.read(f"oauth-{provider}", body.state) != user.id:
        raise HTTPException(400, "unknown or expired state; start again")
    connection = Connection(provider=provider, status="failed", reason=clean_title(body.error))
    if not body.error:
        try:
            account = exchange(provider, body.code)
            connection = Connection(provider=provider, status="linked", account=account)
        except ValueError as error:
            connection.reason = str(error)
    return _store(connection, request, user, services)


@router.delete("/api/oauth/{provider}")
def unlink(
    provider: Provider, request: Request, user: LoggedIn, services: UsesServices
) -> Connection:
    return _store(Connection(provider=provider), request, user, services)


def _store(
    connection: Connection, request: Request, user: LoggedIn, services: UsesServices
) -> Connection:
    connection.changed_at = now()
    values = connection.model_dump()
    upsert = insert(OAuthConnection).values(user_id=user.id, **values)
    upsert = upsert.on_conflict_do_update(index_elements=["user_id", "provider"], set_=values)
    event = Event(f"oauth_{connection.status}")
    detail = {"provider": connection.provider, "reason": connection.reason}
    with services.database.begin() as session:
        session.execute(upsert)
        record(session, event, request, user.id, **detail)
    services.metrics.oauth.labels(connection.provider, connection.status).inc()
    return connection
