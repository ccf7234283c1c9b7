"""The engine, its sessions, and how long its queries take."""

import time
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import QueuePool

from assistant.config import Settings
from assistant.metrics import Metrics


class Database:
    """`with database.begin() as session:` is one transaction; connections are made lazily."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.url = settings.database_url
        self.pool_capacity = settings.db_pool_size + settings.db_max_overflow
        self.engine = create_engine(
            self.url,
            pool_size=settings.db_pool_size,
            max_overflow=settings.db_max_overflow,
            pool_timeout=settings.db_pool_timeout_s,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 3,
                "application_name": "assistant",
                "options": f"-c statement_timeout={settings.db_statement_timeout_ms}",
            },
        )
        self.begin = sessionmaker[Session](self.engine, expire_on_commit=False).begin

        @event.listens_for(self.engine, "before_cursor_execute")
        def started(connection: Any, *_: Any) -> None:
            connection.info["query_started"] = time.perf_counter()

        @event.listens_for(self.engine, "after_cursor_execute")
        def finished(connection: Any, *_: Any) -> None:
            metrics.query_time.observe(time.perf_counter() - connection.info["query_started"])

    def connections_in_use(self) -> int:
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0
