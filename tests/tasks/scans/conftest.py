"""What the scans' tests share: planted advisories served locally, and our scanners' environment."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host.ports import free_port
from services.osv import load, make_app
from tasks.source.dependencies import own_tools
from tests.serving import serving
from tests.tasks.scans.packages.advisories import write_records


@pytest.fixture(scope="session")
def scanners() -> Path:
    """The environment of our own scanners, made once."""
    return own_tools("scanners") / "bin"


@pytest.fixture(scope="session")
def osv_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The planted records, served as `slipway osv` serves them."""
    directory = tmp_path_factory.mktemp("records")
    write_records(directory)
    with serving(make_app(load(directory))) as url:
        yield url


@pytest.fixture
def refused() -> Callable[[], str]:
    """An address where nobody listens."""
    return lambda: f"http://127.0.0.1:{free_port()}"
