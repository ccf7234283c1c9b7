"""For administrators: who has an account, and taking one out of use."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from sqlalchemy import select

from assistant.api.accounts import UserOut
from assistant.api.deps import Admin, Id, UsesServices, now
from assistant.audit import Event, record
from assistant.models import User

router = APIRouter()

After = Annotated[int, Query(ge=0, lt=2**63)]


@router.get("/api/admin/users")
def list_users(
    admin: Admin, request: Request, services: UsesServices, after: After = 0
) -> list[UserOut]:
    """A hundred at a time; `after` is the last id of the page before."""
    query = select(User).where(User.id > after).order_by(User.id).limit(100)
    with services.database.begin() as session:
        record(session, Event.ADMIN_LISTED_USERS, request, admin.id)
        return [UserOut.model_validate(user) for user in session.scalars(query)]


@router.post("/api/admin/users/{user_id}/disable")
def disable_user(user_id: Id, admin: Admin, request: Request, services: UsesServices) -> UserOut:
    """Their tokens stop working with the next request; an open event stream ends when it ends."""
    if user_id == admin.id:
        raise HTTPException(409, "administrators do not disable themselves")
    with services.database.begin() as session:
        if (user := session.get(User, user_id, with_for_update=True)) is None:
            raise HTTPException(404, "no such user")
        user.disabled_at = user.disabled_at or now()
        record(session, Event.ADMIN_DISABLED_USER, request, admin.id, disabled=user_id)
    return UserOut.model_validate(user)
