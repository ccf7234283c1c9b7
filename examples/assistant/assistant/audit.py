"""The audit log: a row and a log line for what someone may later ask about."""

import logging
from enum import StrEnum
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from assistant.logs import correlation_id
from assistant.models import AuditEntry

log = logging.getLogger("assistant.audit")


class Event(StrEnum):
    REGISTERED = "registered"
    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGIN_BLOCKED = "login_blocked"  # after repeated failures
    ACCOUNT_DELETED = "account_deleted"
    OAUTH_LINKED = "oauth_linked"
    OAUTH_UNLINKED = "oauth_unlinked"
    OAUTH_FAILED = "oauth_failed"
    WEBHOOK_REJECTED = "webhook_rejected"
    ADMIN_LISTED_USERS = "admin_listed_users"
    ADMIN_DISABLED_USER = "admin_disabled_user"


def client_of(request: Request) -> str:
    return request.client.host[:64] if request.client else ""


def record(
    session: Session, event: Event, request: Request, user_id: int | None, **detail: Any
) -> None:
    """Add the row to the caller's transaction and write the line now.

    The line can therefore exist without the row, when the transaction fails; never the reverse.
    """
    fields = {"event": event, "user_id": user_id, "client": client_of(request), "detail": detail}
    session.add(AuditEntry(correlation_id=correlation_id.get(), **fields))
    log.info("audit", extra={"fields": fields})
