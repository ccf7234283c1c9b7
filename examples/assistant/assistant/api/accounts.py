"""Register, log in, delete one's account."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import AfterValidator, BaseModel, StringConstraints
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assistant.api.deps import LoggedIn, Services, UsesServices, now
from assistant.audit import Event, client_of, record
from assistant.models import AuditEntry, User
from assistant.security import hash_password, verify_password

router = APIRouter()

MAX_FAILURES = 5
FAILURE_WINDOW = timedelta(minutes=15)

Email = Annotated[
    str,
    StringConstraints(max_length=254, strip_whitespace=True, pattern=r"^[!-?A-~]+@[!-?A-~]+$"),
    AfterValidator(str.lower),
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[0-9]{6,15}$")]


class Registration(BaseModel):
    email: Email
    password: Annotated[str, StringConstraints(min_length=10, max_length=200)]
    phone: Phone | None = None


class Credentials(BaseModel):
    email: Email
    password: Annotated[str, StringConstraints(max_length=200)]


class UserOut(BaseModel, from_attributes=True):
    id: int
    email: str
    phone: str | None
    is_admin: bool
    disabled_at: datetime | None


class SessionOut(BaseModel):
    token: str
    user: UserOut


def _session_for(services: Services, user: User) -> SessionOut:
    token = services.sign("session", user.id, services.settings.session_hours * 3600)
    return SessionOut(token=token, user=UserOut.model_validate(user))


@router.post("/api/register", status_code=201)
def register(body: Registration, request: Request, services: UsesServices) -> SessionOut:
    hashed = hash_password(body.password, services.settings.scrypt_log2_n)
    user = User(email=body.email, password_hash=hashed, phone=body.phone, is_admin=False)
    try:
        with services.database.begin() as session:
            session.add(user)
            session.flush()
            record(session, Event.REGISTERED, request, user.id)
    except IntegrityError:
        raise HTTPException(409, "this address or phone number has an account") from None
    services.metrics.registrations.inc()
    return _session_for(services, user)


@router.post("/api/login")
def login(body: Credentials, request: Request, services: UsesServices) -> SessionOut:
    """Failures of one address from one client are counted; too many block it for a while."""
    with services.database.begin() as session:
        blocked = _recent_failures(session, body.email, client_of(request)) >= MAX_FAILURES
        user = session.scalar(select(User).where(User.email == body.email))
    # An unknown address costs as much time as a wrong password, so that time does not tell.
    stored = user.password_hash if user else _nobodys_hash(services.settings.scrypt_log2_n)
    right = not blocked and verify_password(body.password, stored)
    accepted = user if right and user and user.disabled_at is None else None
    event = Event.LOGIN if accepted else Event.LOGIN_BLOCKED if blocked else Event.LOGIN_FAILED
    with services.database.begin() as session:
        record(session, event, request, user.id if user else None, email=body.email)
    services.metrics.logins.labels(event).inc()
    if blocked:
        raise HTTPException(429, "too many failures; wait a quarter of an hour")
    if accepted is None:
        raise HTTPException(401, "wrong address or password")
    return _session_for(services, accepted)


def _recent_failures(session: Session, email: str, client: str) -> int:
    query = select(func.count()).where(
        AuditEntry.event == Event.LOGIN_FAILED,
        AuditEntry.at > now() - FAILURE_WINDOW,
        AuditEntry.client == client,
        AuditEntry.detail["email"].astext == email,
    )
    return session.scalar(query) or 0


@lru_cache(maxsize=1)
def _nobodys_hash(log2_n: int) -> str:
    return hash_password("nobody has this password", log2_n)


@router.delete("/api/account", status_code=204)
def delete_account(user: LoggedIn, request: Request, services: UsesServices) -> None:
    """Everything of this user goes, except the lines of the audit log."""
    with services.database.begin() as session:
        session.execute(delete(User).where(User.id == user.id))
        record(session, Event.ACCOUNT_DELETED, request, user.id)
