"""The PostgreSQL among a team's shared services: its size and a dump of it, by the programs in its container."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployments.candidate import Artifact
from deployments.runtimes.compose.model import Stack
from deployments.runtimes.layout import Installed
from evidence.bundle import Run
from gates.compose_roles import Role
from host.databases.dumps import MAGIC
from host.docker.containers import Container
from host.docker.engine import Engine
from host.errors import ConfigError, ToolError

LABEL = "slipway.database"
IMAGES = ("postgres", "postgresql", "postgis", "timescaledb", "pgvector")
ASK_S = 30
# As the official image is told; inside it everybody may connect over the socket.
WHOM = '-U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'
SIZE = f'exec psql {WHOM} -Atqc "select pg_database_size(current_database())"'
DUMP = f"exec pg_dump {WHOM} --format=custom --lock-wait-timeout=10s"


def postgres_service(stack: Stack) -> str:
    """Return the shared service that is the app's PostgreSQL: the one labelled so, else the only one by its image.

    Raises ConfigError if there is none, or several.
    """
    shared = stack.services(Role.SHARED)
    labelled = [one for one in shared if (stack.service(one).get("labels") or {}).get(LABEL) == "postgres"]
    found = labelled or [one for one in shared if _name(str(stack.service(one).get("image", ""))) in IMAGES]
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        f"BACKUP_BEFORE_MIGRATION: {', '.join(found) or 'none'} of the shared services looks like PostgreSQL, expected "
        f'one; label it {LABEL}: "postgres", or set BACKUP_BEFORE_MIGRATION=false'
    )


def _name(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


@dataclass(frozen=True)
class SharedDatabase:
    """The PostgreSQL of an environment. `container` finds the running container of it, started if need be."""

    engine: Engine
    container: Callable[[Installed], Container]
    dump_magic: ClassVar[bytes] = MAGIC
    undoes_failures: ClassVar[bool] = True

    def variables(self, run: Run) -> Mapping[str, str]:
        """Return nothing: the team's compose file and settings name the database."""
        return {}

    def secrets(self) -> Sequence[str]:
        return ()

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        """Return nothing: the orchestrator judges the services."""
        return []

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        return []

    def size_bytes(self, installed: Installed) -> int:
        """Return how big the database is, indexes and all."""
        container = self.container(installed)
        code, output, errors = self.engine.run(["exec", container.id, "sh", "-c", SIZE], {}, ASK_S)
        if code or not output.strip().isdecimal():
            raise ToolError(f"{container.name}: its size cannot be asked for: {(errors or output).strip()[-400:]}")
        return int(output)

    def dump(self, installed: Installed, file: Path, timeout_s: float) -> None:
        """Write a dump in pg_dump's custom format into an existing file."""
        container = self.container(installed)
        code, errors = self.engine.run_into(["exec", container.id, "sh", "-c", DUMP], file, timeout_s)
        if code:
            raise ToolError(f"{container.name}: pg_dump ended with {code}: {errors.strip()[-600:]}")
