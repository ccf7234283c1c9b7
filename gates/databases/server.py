"""Whether an external PostgreSQL server will do for a release, by what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OLDEST = 12


@dataclass(frozen=True)
class Facts:
    """What a server said to the app's role. `version` is as server_version_num has it: 160004 is 16.4.

    `extensions` maps those that it could make to whether the role may: it is trusted, and the role may create in the
    database, or the role is superuser; `installed` are in the database already.
    """

    version: int
    standby: bool
    may_create: bool
    encrypted: bool
    extensions: Mapping[str, bool]
    installed: frozenset[str]

    @property
    def major(self) -> int:
        return self.version // 10_000

    @property
    def shown(self) -> str:
        """Return the version as people write it."""
        return f"{self.major}.{self.version % 10_000}"


@dataclass(frozen=True)
class Wants:
    """What a release needs: tables (a migration), extensions, and the version of pg_dump for a dump (None: no dump)."""

    tables: bool
    extensions: Sequence[str] = ()
    dump_major: int | None = None


def server_problems(facts: Facts, wants: Wants) -> list[str]:
    """Return what keeps a release from this server, each with the way out."""
    problems = []
    if facts.major < OLDEST:
        problems.append(f"it is PostgreSQL {facts.shown}, expected {OLDEST} or newer")
    if facts.standby:
        problems.append("it is a standby or read-only, expected the primary server")
    if wants.tables and not facts.may_create:
        problems.append(
            "the role may not create tables, which the migration needs; as its owner: GRANT CREATE, USAGE ON SCHEMA "
            "public TO the role"
        )
    for name in wants.extensions:
        if name not in facts.installed and not facts.extensions.get(name):
            why = "the role may not create it" if name in facts.extensions else "the server does not have it"
            problems.append(
                f"the extension {name} is not in the database, and {why}; let its administrator install it: "
                f'CREATE EXTENSION "{name}"'
            )
    if wants.dump_major is not None and wants.dump_major < facts.major:
        problems.append(
            f"BACKUP_BEFORE_MIGRATION: pg_dump is of PostgreSQL {wants.dump_major}, and the server is {facts.shown}; "
            f"set SLIPWAY_POSTGRES_BIN to the programs of PostgreSQL {facts.major}, or BACKUP_BEFORE_MIGRATION=false"
        )
    return problems
