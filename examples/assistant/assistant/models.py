"""The tables. `migrations/` must make the same; an integration test compares them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        int: BigInteger,
    }


def _owner(primary_key: bool = False) -> Mapped[int]:
    user = ForeignKey("users.id", ondelete="CASCADE")
    return mapped_column(user, primary_key=primary_key)


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20), unique=True)
    is_admin: Mapped[bool] = mapped_column(server_default="false")
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_user_completed", "user_id", "completed_at"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = _owner()
    title: Mapped[str] = mapped_column(String(200))
    due_on: Mapped[date | None]
    source: Mapped[str] = mapped_column(String(10), server_default="web")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]


class InboundSms(Base):
    """What was received: the provider sends again when it is in doubt."""

    __tablename__ = "inbound_sms"

    message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = _owner()
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OAuthConnection(Base):
    __tablename__ = "oauth_connections"

    user_id: Mapped[int] = _owner(primary_key=True)
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    status: Mapped[str] = mapped_column(String(10))
    account: Mapped[str | None] = mapped_column(String(254))
    reason: Mapped[str | None] = mapped_column(String(254))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditEntry(Base):
    """Outlives the user it speaks of, so `user_id` is no foreign key."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_event_at", "event", "at"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    event: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[int | None]
    client: Mapped[str] = mapped_column(String(64))
    correlation_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]
