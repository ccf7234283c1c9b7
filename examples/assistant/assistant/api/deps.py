"""What the endpoints share: the services of the application, and who is asking."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from assistant.config import Settings
from assistant.database import Database
from assistant.events import Broker
from assistant.metrics import Metrics
from assistant.models import User
from assistant.security import read_token, sign_token

Id = Annotated[int, Path(ge=1, lt=2**63)]  # what fits into the column


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    metrics: Metrics
    broker: Broker

    def sign(self, purpose: str, user_id: int, lifetime_s: float) -> str:
        secret = self.settings.session_secret.get_secret_value()
        return sign_token(secret, purpose, user_id, time.time() + lifetime_s)

    def read(self, purpose: str, token: str) -> int | None:
        secret = self.settings.session_secret.get_secret_value()
        return read_token(secret, purpose, token, time.time())


def now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    """Days are UTC days."""
    return now().date()


def get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


UsesServices = Annotated[Services, Depends(get_services)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]


def get_user(services: UsesServices, bearer: Bearer) -> User:
    """Who the token names. Gives the connection back at once: a long answer must not hold it."""
    if bearer and (user_id := services.read("session", bearer.credentials)) is not None:
        with services.database.begin() as session:
            user = session.get(User, user_id)
        if user and user.disabled_at is None:
            return user
    raise HTTPException(401, "log in first", {"WWW-Authenticate": "Bearer"})


LoggedIn = Annotated[User, Depends(get_user)]


def get_admin(user: LoggedIn) -> User:
    if not user.is_admin:
        raise HTTPException(403, "for administrators")
    return user


Admin = Annotated[User, Depends(get_admin)]
