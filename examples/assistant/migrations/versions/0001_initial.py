"""Users, tasks, inbound SMS, OAuth connections, audit log."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True)


def _owner(primary_key: bool = False) -> sa.Column[int]:
    owner = sa.ForeignKey("users.id", ondelete="CASCADE")
    return sa.Column("user_id", sa.BigInteger, owner, nullable=False, primary_key=primary_key)


def _moment(name: str, nullable: bool = False) -> sa.Column[datetime]:
    default = None if nullable else sa.func.now()
    return sa.Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=default)


def upgrade() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("phone", sa.String(20), unique=True),
        sa.Column("is_admin", sa.Boolean, nullable=False, server_default="false"),
        _moment("disabled_at", nullable=True),
        _moment("created_at"),
    )
    op.create_table(
        "tasks",
        _id(),
        _owner(),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("due_on", sa.Date),
        sa.Column("source", sa.String(10), nullable=False, server_default="web"),
        _moment("created_at"),
        _moment("completed_at", nullable=True),
    )
    op.create_index("ix_tasks_user_completed", "tasks", ["user_id", "completed_at"])
    op.create_table(
        "inbound_sms",
        sa.Column("message_id", sa.String(64), primary_key=True),
        _owner(),
        _moment("received_at"),
    )
    op.create_table(
        "oauth_connections",
        _owner(primary_key=True),
        sa.Column("provider", sa.String(20), primary_key=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("account", sa.String(254)),
        sa.Column("reason", sa.String(254)),
        _moment("changed_at"),
    )
    op.create_table(
        "audit_log",
        _id(),
        _moment("at"),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("user_id", sa.BigInteger),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("detail", JSONB, nullable=False),
    )
    op.create_index("ix_audit_log_event_at", "audit_log", ["event", "at"])


def downgrade() -> None:
    for table in ("audit_log", "oauth_connections", "inbound_sms", "tasks", "users"):
        op.drop_table(table)
