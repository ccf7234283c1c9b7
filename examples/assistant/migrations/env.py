"""Run the migrations against DATABASE_URL, each in a transaction of its own.

Or write them down: `upgrade --sql`.
"""

import os
import sys

from alembic import context
from sqlalchemy import create_engine, pool

from assistant.config import read_secret_files
from assistant.models import Base


def write_down(url: str) -> None:
    """Print the statements, without a database."""
    context.configure(
        url=url,
        target_metadata=Base.metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run(url: str) -> None:
    """Run the statements."""
    # A migration that waits for a lock makes every later query of that table wait behind it.
    options = {"options": "-c lock_timeout=5s -c statement_timeout=10min", "connect_timeout": 5}
    engine = create_engine(url, poolclass=pool.NullPool, connect_args=options)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()


read_secret_files(os.environ)
if not (database := os.environ.get("DATABASE_URL")):
    sys.exit("alembic: bad environment: DATABASE_URL: missing")
if context.is_offline_mode():
    write_down(database)
else:
    run(database)
