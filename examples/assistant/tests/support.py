"""What the suites share: settings for tests, and a database that belongs to this run."""

import os
import time
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from assistant.config import Settings
from assistant.security import sign_webhook

SMS_SECRET = "sms-secret-for-tests"
SESSION_SECRET = "session-secret-for-tests"
PASSWORD = "correct horse battery"


def database_url() -> str:
    """A suite that needs a database must not pass without one."""
    if not (url := os.environ.get("DATABASE_URL")):
        pytest.exit("DATABASE_URL is not set: this suite needs an empty PostgreSQL database", 1)
    return url


def make_settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
        "session_secret": SESSION_SECRET,
        "sms_webhook_secret": SMS_SECRET,
        "scrypt_log2_n": 2,
    }
    return Settings(**(values | changes))


def migrate() -> str:
    url = database_url()
    command.upgrade(Config("alembic.ini"), "head")
    return url


def signed(body: bytes, secret: str = SMS_SECRET, age_s: float = 0) -> dict[str, str]:
    """The headers of an SMS webhook that was sent `age_s` seconds ago."""
    timestamp = str(int(time.time() - age_s))
    signature = sign_webhook(secret, timestamp, body)
    return {"X-SMS-Timestamp": timestamp, "X-SMS-Signature": signature}
