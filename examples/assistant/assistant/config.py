"""Configuration from environment variables (the field names in capitals), and nothing else.

A secret may come from a file instead: SESSION_SECRET_FILE=/run/secrets/session_secret.
"""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

SECRETS = ("DATABASE_URL", "SESSION_SECRET", "SMS_WEBHOOK_SECRET")
Secret = Annotated[SecretStr, Field(min_length=16)]


class Settings(BaseSettings, frozen=True):
    database_url: str = Field(pattern=r"^postgresql\+psycopg://", repr=False)
    session_secret: Secret
    sms_webhook_secret: Secret
    environment: Literal["development", "staging", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    db_pool_size: int = Field(default=5, ge=1)
    db_max_overflow: int = Field(default=5, ge=0)
    db_pool_timeout_s: float = Field(default=5, gt=0)
    db_statement_timeout_ms: int = Field(default=10_000, ge=0)

    session_hours: float = Field(default=12, gt=0)
    # The exponent of scrypt's cost: 2**14 takes about 50 ms and 16 MiB. Tests lower it.
    scrypt_log2_n: int = Field(default=14, ge=1, le=20)


def describe(error: ValidationError) -> str:
    """One line that names every bad variable, never its value: it may be a secret."""
    problems = []
    for item in error.errors(include_input=False, include_url=False):
        message = "missing" if item["type"] == "missing" else item["msg"]
        problems.append(f"{str(item['loc'][0]).upper()}: {message}")
    return "assistant: bad environment: " + "; ".join(problems)


def read_secret_files(environment: MutableMapping[str, str]) -> None:
    """Set NAME to the content of the file that NAME_FILE names. Ends the process when it cannot."""
    for name in SECRETS:
        if file := environment.get(f"{name}_FILE"):
            try:
                environment[name] = Path(file).read_text(encoding="utf-8").strip()
            except OSError as error:
                sys.exit(f"assistant: bad environment: {name}_FILE: {error.strerror}: {file}")


def load_settings() -> Settings:
    """Read the environment, or end the process with one line on stderr."""
    read_secret_files(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        sys.exit(describe(error))
