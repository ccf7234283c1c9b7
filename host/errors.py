"""The errors a person may see. Each message says what failed, on what, got versus expected, and the next move.

An exception means that we could not find out or could not act; a verdict (`gates/`) means that we found out and it
is bad.
"""

import re

# How git, pip, npm and docker say that they were not answered. Their exit codes do not tell.
NOT_ANSWERED = re.compile(
    r"could not resolve (?:host|hostname)|temporary failure in name resolution|name or service not known"
    r"|failed to establish a new connection|connection (?:was )?(?:timed out|refused|reset|aborted|closed)"
    r"|network is unreachable|no route to host|read timed out|operation timed out|tls handshake timeout|i/o timeout"
    r"|early eof|remote end (?:closed|hung up)|remotedisconnected|socket hang up"
    r"|econnre(?:set|fused)|etimedout|eai_again"
    r"|cannot connect to the docker daemon|error during connect"
    r"|(?:status|error|error code|http error|returned error|status code):? (?:429|50[0234])\b"
    r"|too many requests|service unavailable|bad gateway|gateway timeout",
    re.IGNORECASE,
)


class SlipwayError(Exception):
    """Base of every error that is told to a person in one line, without a traceback.

    `transient`: a network, an engine or a server did not answer or was busy, so the same attempt may succeed later.
    """

    def __init__(self, *args: object, transient: bool = False) -> None:
        super().__init__(*args)
        self.transient = transient

    def __str__(self) -> str:
        """Return the message with known secrets masked: it may quote a program, and goes to pages, comments, chats."""
        from host.json_logs import veiled  # it needs the home, which needs these errors

        return veiled(super().__str__())


class ConfigError(SlipwayError):
    """A setting is missing, malformed or contradicts another; file and key are named."""


class ToolError(SlipwayError):
    """A program that we called is absent, crashed, or answered something that we cannot read."""


class SourceAway(ToolError):
    """A source outside (advisories, an archive) is away, stale or knows nothing: whatever the commit says, nobody could
    have looked.
    """


class SourceError(SlipwayError):
    """The app's repository or the asked-for commit cannot be used."""


class ArtifactError(SlipwayError):
    """An artifact is missing from the store, or is no longer what its digest says."""


class EvidenceError(SlipwayError):
    """Signed evidence is missing, malformed, or not signed by a key that we trust."""


class RevokedError(EvidenceError):
    """Signed evidence is genuine, and does not count: its key was revoked."""


class JournalError(SlipwayError):
    """A place's journal cannot be read or written: nothing may be changed there."""


class LeaseHeld(SlipwayError):
    """Another process is changing this environment; the message says who, since when and why."""


class SupervisorError(SlipwayError):
    """A supervisor does not answer or refused what it was asked."""


class RouterError(SlipwayError):
    """The router refused a configuration or did not confirm it in time."""


class HealthError(SlipwayError):
    """A slot or an environment did not become healthy in time; the message says what it answered last."""


class PortTaken(HealthError):
    """Somebody else listens where a slot should, or nobody can tell who does: no answer from there counts."""


class MigrationError(SlipwayError):
    """A database migration failed or ran out of time. With PostgreSQL and SQLite the schema is as it was before the
    failing step; MySQL's and MariaDB's DDL has no transactions, and what ran of the step stays.
    """


class RollbackRefused(SlipwayError):
    """A rollback that may not be done; nothing was changed, and a person must choose."""


class RollbackFailed(SlipwayError):
    """A rollback that began and could not be done; what was live before is live again."""


class RollbackUnfinished(SlipwayError):
    """The version to go back to serves; the end of the rollback could not be done, and `watch` does it."""


class RestoreError(SlipwayError):
    """What was live could not be brought back. Outranks every other error."""


class ServerAway(SlipwayError):
    """The Prefect server does not answer; the message says how to start it."""

    def __init__(self, *args: object, transient: bool = True) -> None:
        super().__init__(*args, transient=transient)


class OutboxError(SlipwayError):
    """What is to be told to the outside cannot be written down or read on this host."""


def is_busy(status: int) -> bool:
    """Return whether an HTTP status says "too many requests" or that the server is in trouble for now."""
    return status == 429 or status in (500, 502, 503, 504)


def was_not_answered(output: str) -> bool:
    """Return whether a program's output says that a network, an engine or a server did not answer or was busy."""
    return bool(NOT_ANSWERED.search(output))
