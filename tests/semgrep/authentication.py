from typing import Annotated
from unittest import mock

from app import Item, LoggedIn, Session, User, UserCreate, current_user, get_db, get_user, require_admin
from fastapi import APIRouter, Depends, Security

router = APIRouter()
guarded = APIRouter(dependencies=[Depends(current_user)])


# ruleid: route-without-authentication
@router.post("/items")
def make(item: Item) -> None: ...


# ruleid: route-without-authentication
@router.delete("/items/{number}")
async def drop(number: int, db: Annotated[Session, Depends(get_db)]) -> None: ...


# ruleid: route-without-authentication
@router.put("/everything")
def reset() -> None:
    get_user()


# ruleid: route-without-authentication
@router.patch("/users")
def change(user: UserCreate) -> None: ...


# ok: route-without-authentication
@router.post("/items/mine")
def make_mine(item: Item, user: LoggedIn) -> None: ...


# ok: route-without-authentication
@router.post("/items/ours")
async def make_ours(item: Item, user: User = Depends(get_user)) -> None: ...


# ok: route-without-authentication
@router.post("/items/theirs")
def make_theirs(item: Item, caller: Annotated[User, Security(get_user)]) -> None: ...


# ok: route-without-authentication
@router.post("/items/all", dependencies=[Depends(require_admin)])
def make_all(item: Item) -> None: ...


# ok: route-without-authentication
@guarded.post("/items/guarded")
def make_guarded(item: Item) -> None: ...


# ok: route-without-authentication
@router.post("/api/login")
def login(item: Item) -> None: ...


# ok: route-without-authentication
@router.get("/items")
def look(item: Item) -> None: ...


# ok: route-without-authentication
@mock.patch("app.get_db")
def with_a_mock(item: Item) -> None: ...
