"""What is still to be told to the outside (events, messages, statuses), and what was: one SQLite file on this host.

Nothing here is the truth about a release; losing the file loses news, never a decision. Safe between processes.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from host.errors import OutboxError
from host.home import Home
from host.json_logs import veiled_values

BUSY_S = 2.0
# The queues: what arrived from GitHub and from Alertmanager, and what is for GitHub. Each channel has one of its name.
INCOMING = "incoming"
ALERTS = "alerts"
GITHUB = "github"
# The names of what is counted: genuine webhooks from which nothing followed.
IGNORED = "ignored:"
_schema = sa.MetaData()
_ITEMS = sa.Table(
    "items",
    _schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("queue", sa.String, index=True, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("body", sa.String, nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.String, nullable=False, default=""),
    sqlite_autoincrement=True,
)
_SEEN = sa.Table(
    "seen", _schema, sa.Column("name", sa.String, primary_key=True), sa.Column("until", sa.Float, nullable=False)
)
_MEMORY = sa.Table(
    "memory", _schema, sa.Column("name", sa.String, primary_key=True), sa.Column("value", sa.String, nullable=False)
)

# When a remembered value was written last, for what is forgotten in time; absent for values of earlier versions.
_WRITTEN = sa.Table(
    "written", _schema, sa.Column("name", sa.String, primary_key=True), sa.Column("at", sa.Float, nullable=False)
)
# What the outside names, and with it how much there is: remembered for this long after it was written last.
FORGOTTEN_AFTER = {"alert:": timedelta(days=60), "line:queue/": timedelta(days=60)}


@dataclass(frozen=True)
class Item:
    """One thing to be told. `tries` counts failed ones, `error` is what the last of them said."""

    id: int
    queue: str
    kind: str
    body: Mapping[str, Any]
    created: datetime
    tries: int
    error: str


@dataclass(frozen=True)
class Backlog:
    """How far behind a queue is: how many items wait, since when, and what the newest failure said."""

    waiting: int
    oldest: datetime | None
    error: str

    def trouble(self, now: datetime, patience: timedelta) -> str:
        """Say what is wrong in one line; "" when nothing is, or too little time has passed to know."""
        if self.error:
            return f"{self.waiting} messages wait; the last try: {self.error}"
        if self.oldest and now - self.oldest > patience:
            return f"{self.waiting} messages wait since {self.oldest:%H:%M:%S} UTC; does their service run? make status"
        return ""


class Outbox:
    """Every method raises OutboxError when the file cannot be used."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def of(cls, home: Home) -> "Outbox":
        """Return the outbox of this host's installation."""
        return cls(home.control / "outbox.sqlite")

    @cached_property
    def _engine(self) -> sa.Engine:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.file.touch(mode=0o600)
        engine = sa.create_engine(f"sqlite:///{self.file}", connect_args={"timeout": BUSY_S})

        @sa.event.listens_for(engine, "connect")
        def _prepare(connection: Any, record: object) -> None:
            connection.isolation_level = None  # we say BEGIN IMMEDIATE ourselves: reads and writes of one step are one
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

        with engine.begin() as connection:
            _schema.create_all(connection)
        return engine

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.exec_driver_sql("ROLLBACK")
                    raise
                connection.exec_driver_sql("COMMIT")
        except (SQLAlchemyError, OSError) as error:
            raise OutboxError(f"{self.file}: cannot be used: {str(error).splitlines()[0][:200]}") from error

    def put(self, queue: str, kind: str, body: Mapping[str, Any], wait_s: float = 0) -> None:
        """Write one item, due after `wait_s`. It is on the disk when this returns."""
        with self._transaction() as connection:
            _insert(connection, queue, kind, body, wait_s)

    def write(
        self, entries: Sequence[tuple[str, str, Mapping[str, Any]]], remember: Mapping[str, Any] | None = None
    ) -> None:
        """Write (queue, kind, body) entries, and remember values, all or nothing."""
        with self._transaction() as connection:
            for queue, kind, body in entries:
                _insert(connection, queue, kind, body, 0)
            for name, value in (remember or {}).items():
                _keep(connection, name, value)

    def accept(self, names: Sequence[str], until: datetime, queue: str, kind: str, body: Mapping[str, Any]) -> bool:
        """Write one item unless any of its names was accepted before; names are remembered until `until`."""
        with self._transaction() as connection:
            if not _remember_names(connection, names, until):
                return False
            _insert(connection, queue, kind, body, 0)
            return True

    def first(self, names: Sequence[str], until: datetime) -> bool:
        """Say whether all names are new, and then remember them until `until`."""
        with self._transaction() as connection:
            return _remember_names(connection, names, until)

    def due(self, queue: str, most: int = 100) -> list[Item]:
        """Return what is due, in the order in which it was written."""
        with self._transaction() as connection:
            where = (_ITEMS.c.queue == queue) & (_ITEMS.c.due <= time.time())
            rows = connection.execute(sa.select(_ITEMS).where(where).order_by(_ITEMS.c.id).limit(most)).all()
        return [
            Item(
                row.id,
                row.queue,
                row.kind,
                json.loads(row.body),
                datetime.fromtimestamp(row.created, UTC),
                row.tries,
                row.error,
            )
            for row in rows
        ]

    def done(self, item: Item) -> None:
        """Forget an item. Safe to repeat."""
        with self._transaction() as connection:
            connection.execute(_ITEMS.delete().where(_ITEMS.c.id == item.id))

    def settle(self, item: Item) -> None:
        """Forget an item that was told, and the trouble that its queue had."""
        with self._transaction() as connection:
            connection.execute(_ITEMS.delete().where(_ITEMS.c.id == item.id))
            connection.execute(_MEMORY.delete().where(_MEMORY.c.name == f"trouble:{item.queue}"))

    def give_up(self, item: Item, error: str) -> None:
        """Forget an item that cannot be told; the backlog says so until something of its queue is told again."""
        self.remember(f"trouble:{item.queue}", f"{item.kind} was given up: {error}"[:500])
        self.done(item)

    def postpone(self, item: Item, wait_s: float, error: str = "") -> None:
        """Leave an item for later. With an error it counts as a failed try."""
        change = {"due": time.time() + wait_s, "error": error[:500], "tries": _ITEMS.c.tries + bool(error)}
        with self._transaction() as connection:
            connection.execute(_ITEMS.update().where(_ITEMS.c.id == item.id).values(**change))

    def backlog(self, queue: str) -> Backlog:
        """Return how far behind a queue is."""
        with self._transaction() as connection:
            query = sa.select(_ITEMS.c.created, _ITEMS.c.error).where(_ITEMS.c.queue == queue).order_by(_ITEMS.c.id)
            rows = connection.execute(query).all()
            given_up = connection.execute(
                sa.select(_MEMORY.c.value).where(_MEMORY.c.name == f"trouble:{queue}")
            ).first()
        errors = [*([json.loads(given_up.value)] if given_up else []), *(row.error for row in rows if row.error)]
        oldest = datetime.fromtimestamp(rows[0].created, UTC) if rows else None
        return Backlog(len(rows), oldest, errors[-1] if errors else "")

    def recall(self, name: str) -> Any:
        """Return what was remembered under a name (JSON), None when nothing was."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(_MEMORY.c.value).where(_MEMORY.c.name == name)).first()
        return json.loads(row.value) if row else None

    def remember(self, name: str, value: Any) -> None:
        """Keep a small JSON value under a name."""
        with self._transaction() as connection:
            _keep(connection, name, value)

    def count(self, name: str) -> None:
        """Add one to a number that is remembered under a name."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(_MEMORY.c.value).where(_MEMORY.c.name == name)).first()
            _keep(connection, name, (json.loads(row.value) if row else 0) + 1)

    def counts(self, prefix: str) -> dict[str, int]:
        """Return what was counted under the names that begin so, by the rest of the name."""
        with self._transaction() as connection:
            found = (
                sa.select(_MEMORY).where(_MEMORY.c.name.startswith(prefix, autoescape=True)).order_by(_MEMORY.c.name)
            )
            return {row.name.removeprefix(prefix): int(json.loads(row.value)) for row in connection.execute(found)}

    def prune(self, now: datetime | None = None) -> None:
        """Forget the names whose time is over, and the values of FORGOTTEN_AFTER that are old."""
        at = (now or datetime.now(UTC)).timestamp()
        with self._transaction() as connection:
            connection.execute(_SEEN.delete().where(_SEEN.c.until < at))
            for prefix, after in FORGOTTEN_AFTER.items():
                self._forget(connection, prefix, at, at - after.total_seconds())

    @staticmethod
    def _forget(connection: sa.Connection, prefix: str, now: float, before: float) -> None:
        """Forget what was written before a time. What nobody knows the time of counts as written now."""
        names = sa.select(_MEMORY.c.name, sa.literal(now)).where(_MEMORY.c.name.startswith(prefix, autoescape=True))
        connection.execute(insert(_WRITTEN).from_select(["name", "at"], names).on_conflict_do_nothing())
        mine = _WRITTEN.c.name.startswith(prefix, autoescape=True) & (_WRITTEN.c.at < before)
        old = sa.select(_WRITTEN.c.name).where(mine)
        connection.execute(_MEMORY.delete().where(_MEMORY.c.name.in_(old)))
        connection.execute(_WRITTEN.delete().where(mine))


def _remember_names(connection: sa.Connection, names: Sequence[str], until: datetime) -> bool:
    now = time.time()
    query = sa.select(_SEEN.c.name).where(_SEEN.c.name.in_(names) & (_SEEN.c.until >= now))
    if connection.execute(query).first():
        return False
    for name in names:
        fresh = insert(_SEEN).values(name=name, until=until.timestamp())
        connection.execute(fresh.on_conflict_do_update(index_elements=["name"], set_={"until": fresh.excluded.until}))
    return True


def _keep(connection: sa.Connection, name: str, value: Any) -> None:
    fresh = insert(_MEMORY).values(name=name, value=json.dumps(value))
    connection.execute(fresh.on_conflict_do_update(index_elements=["name"], set_={"value": fresh.excluded.value}))
    if name.startswith(tuple(FORGOTTEN_AFTER)):
        written = insert(_WRITTEN).values(name=name, at=time.time())
        connection.execute(written.on_conflict_do_update(index_elements=["name"], set_={"at": written.excluded.at}))


def _insert(connection: sa.Connection, queue: str, kind: str, body: Mapping[str, Any], wait_s: float) -> None:
    now = time.time()
    # What arrived stays as it is; in what goes out, known secrets are masked, whoever wrote it.
    text = json.dumps(dict(body))
    if queue not in (INCOMING, ALERTS):
        text = json.dumps(veiled_values(json.loads(text)))
    row = {"queue": queue, "kind": kind, "body": text, "due": now + wait_s, "created": now}
    connection.execute(_ITEMS.insert().values(**row))
