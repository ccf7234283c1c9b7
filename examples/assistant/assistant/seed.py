"""Data for an environment that is not production: `python -m assistant.seed samples` (or `full`).

Safe to repeat: accounts that are there already, with their tasks, are left alone. Their password
is SEED_PASSWORD, or one that nobody knows.
"""

import os
import secrets
import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from assistant.config import Settings, load_settings
from assistant.database import Database
from assistant.metrics import Metrics
from assistant.models import Task, User
from assistant.security import hash_password

# Accounts, and tasks of each: enough to look at, and about as much as a year of production.
SIZES = {"samples": (3, 6), "full": (150, 60)}
TITLES = ("call the bank", "water the plants", "read a chapter", "fix the bike", "send the form")


def seed(database: Database, settings: Settings, kind: str) -> str:
    """Add what is missing, all of it or nothing; return what was added."""
    accounts, tasks = SIZES[kind]
    password = os.environ.get("SEED_PASSWORD") or secrets.token_urlsafe(24)
    # One hash for all: it is slow on purpose.
    hashed = hash_password(password, settings.scrypt_log2_n)
    with database.begin() as session:
        people = [
            {"email": f"{kind}-{number}@example.org", "password_hash": hashed}
            for number in range(accounts)
        ]
        new = insert(User).on_conflict_do_nothing().returning(User.id)
        ids = list(session.scalars(new, people))
        if ids:
            _add_tasks(session, ids, tasks)
    return f"{kind}: {len(ids)} accounts and {len(ids) * tasks} tasks added"


def _add_tasks(session: Session, owners: list[int], count: int) -> None:
    """The first owner's, and copies of them for the others: the database copies faster than we."""
    now = datetime.now(UTC)
    first = [
        {
            "user_id": owners[0],
            "title": f"{TITLES[number % len(TITLES)]} {number // len(TITLES) + 1}",
            "due_on": (now + timedelta(days=number % 14 - 4)).date(),
            "completed_at": now - timedelta(days=number % 30) if number % 3 == 0 else None,
        }
        for number in range(count)
    ]
    session.execute(insert(Task), first)
    copied = (Task.title, Task.due_on, Task.completed_at)
    others = select(User.id, *copied).join(Task, Task.user_id == owners[0])
    chosen = others.where(User.id.in_(owners[1:]))
    session.execute(insert(Task).from_select([Task.user_id, *copied], chosen))


def main(kind: str) -> None:
    if kind not in SIZES:
        sys.exit(f'seed: got "{kind}", expected one of {", ".join(SIZES)}')
    settings = load_settings()
    if settings.environment == "production":
        sys.exit("seed: this is production, whose data is its own")
    database = Database(settings, Metrics())
    try:
        print(seed(database, settings, kind))
    finally:
        database.engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
