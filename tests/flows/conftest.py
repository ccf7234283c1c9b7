"""One Prefect server for the tests of flows, and small apps to run them on."""

from collections.abc import Iterator

import pytest
from prefect.settings import (
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from tests.tasks.small_app import app, app_environment, home, shared_home  # noqa: F401


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A server of its own, without the second that each sync flow waits for its heartbeat to end.

    Its database is SQLite, which answers "database is locked" (status 500) when two requests write at once: clients ask
    again, as they do by themselves for 503.
    """
    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_CLIENT_RETRY_EXTRA_CODES: "500"}),
    ):
        yield
