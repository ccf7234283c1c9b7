"""Whether an external MySQL or MariaDB will do for a release, by what it was asked."""

import re
from dataclasses import dataclass

OLDEST = {"MySQL": (8, 0), "MariaDB": (10, 5)}
SHOWN_TABLES = 3


@dataclass(frozen=True)
class MysqlFacts:
    """What a server said to the app's role. `version` is as VERSION() has it: 10.11.6-MariaDB-log, 8.0.36.

    `single` are tables whose engine has no transactions: a dump does not have them as of one moment.
    """

    version: str
    read_only: bool
    may_create: bool
    encrypted: bool
    single: tuple[str, ...] = ()

    @property
    def product(self) -> str:
        return "MariaDB" if "mariadb" in self.version.lower() else "MySQL"

    @property
    def numbers(self) -> tuple[int, int] | None:
        """Return the first two numbers of the version, None if it has none."""
        found = re.match(r"(\d{1,4})\.(\d{1,4})(?!\d)", self.version)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def shown(self) -> str:
        """Return product and version as people write them."""
        numbers = re.match(r"[\d.]{1,20}", self.version)
        return f"{self.product} {numbers[0].strip('.') if numbers else 'of an unknown version'}"


@dataclass(frozen=True)
class MysqlWants:
    """What a release needs: tables (a migration), TLS, the product that SQLAlchemy's dialect insists on
    ("": either). `no_dump` is why the server cannot be dumped, "" when it can or no dump is wanted.
    """

    tables: bool
    encrypted: bool = False
    product: str = ""
    no_dump: str = ""


def mysql_problems(facts: MysqlFacts, wants: MysqlWants) -> list[str]:
    """Return what keeps a release from this server, each with the way out."""
    problems = []
    oldest = OLDEST[facts.product]
    if facts.numbers is None or facts.numbers < oldest:
        problems.append(f"it is {facts.shown}, expected {facts.product} {oldest[0]}.{oldest[1]} or newer")
    if facts.read_only:
        problems.append("it is read-only, as a replica is; expected the primary server")
    if wants.product and wants.product != facts.product:
        problems.append(
            f"it is {facts.shown}, and SQLAlchemy's mariadb+... takes MariaDB only; set [database] scheme to mysql+..."
        )
    if wants.tables and not facts.may_create:
        problems.append(
            "the role may not create tables, which the migration needs; as its administrator: GRANT ALL PRIVILEGES ON "
            "the database.* TO the role"
        )
    if wants.encrypted and not facts.encrypted:
        problems.append("it speaks no TLS, which ssl_mode in DATABASE_URL asks for")
    if wants.no_dump:
        problems.append(
            f"BACKUP_BEFORE_MIGRATION: it cannot be dumped: {wants.no_dump}; grant what is missing "
            "(docs/databases.md), or set BACKUP_BEFORE_MIGRATION=false"
        )
    return problems


def mysql_notes(facts: MysqlFacts, *, near: bool, shown: str, migrates: bool, backup: bool) -> list[str]:
    """Return what a person who approves should know. `near`: no network lies between; `shown`: where the server is;
    `migrates`: the version may change the schema; `backup`: it is dumped before.
    """
    plain = "" if facts.encrypted or near else ", WITHOUT TLS (ssl_mode in DATABASE_URL)"
    notes = [f"The database is an external {facts.shown} at {shown}{plain}."]
    if migrates:
        notes.append(
            "Nobody judges migrations of MySQL and MariaDB. One that fails is not undone: DDL has no transactions."
        )
    if facts.single and backup:
        more = len(facts.single) - SHOWN_TABLES
        names = ", ".join(facts.single[:SHOWN_TABLES]) + (f" and {more} more" if more > 0 else "")
        notes.append(f"The dump has {names} not as of one moment: engines such as MyISAM have no transactions.")
    return notes
