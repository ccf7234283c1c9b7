"""Keys that are trusted no more: `keys/revoked.toml` names each, since when, and why.

[[revoked]]
key = "0123456789abcdef"      # its id: the name of its .pub
since = 2026-03-01            # what it signed before still counts; without it nothing that it ever signed does
reason = "it lay in a backup"
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gates.documents import first_fault
from gates.strict_toml import TomlError, parse
from host.errors import EvidenceError


class Revocation(BaseModel):
    """One key that is revoked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    since: datetime | date | None = None
    reason: str = Field(min_length=1)

    def covers(self, at: datetime | None) -> bool:
        """Return whether it takes back what the key signed at a time; of what has no time, everything."""
        return self.since is None or at is None or at >= _moment(self.since)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    revoked: tuple[Revocation, ...] = ()


def read_revocations(file: Path) -> tuple[Revocation, ...]:
    """Return what the file says, nothing when there is none. Raises EvidenceError if it cannot be read."""
    try:
        return _File.model_validate(parse(file.read_bytes())).revoked
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise EvidenceError(f"{file}: {first_fault(error)}; correct it: nobody knows which keys count") from error
    except (OSError, TomlError) as error:
        raise EvidenceError(f"{file}: {error}; correct it: nobody knows which keys count") from error


def signed_at(statement: Mapping[str, Any]) -> datetime | None:
    """Return when a statement or a record says that it was signed, None when it does not say."""
    predicate = statement.get("predicate", statement)
    for path in (("at",), ("runDetails", "metadata", "finishedOn"), ("metadata", "timestamp")):
        value: object = predicate
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str):
            try:
                return _moment(datetime.fromisoformat(value))
            except ValueError:
                return None
    return None


def _moment(when: datetime | date) -> datetime:
    """Return a time in UTC; of a day its beginning."""
    if not isinstance(when, datetime):
        when = datetime.combine(when, time())
    return when if when.tzinfo else when.replace(tzinfo=UTC)
