"""When what many tests share cannot be made, that is one error with its cause; the tests after it say that they were
not run.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

FIXTURE = "installation"
NOT_MADE = pytest.StashKey[bool]()
REASON = f"not run: the {FIXTURE} could not be made"


@contextmanager
def making(config: pytest.Config) -> Iterator[None]:
    """Remember when the installation cannot be made in here; the error goes on to the test that asked for it."""
    try:
        yield
    except BaseException:
        config.stash[NOT_MADE] = True
        raise


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what could not be made: its first user has failed, so the session is red already."""
    if FIXTURE in getattr(item, "fixturenames", ()) and item.config.stash.get(NOT_MADE, False):
        pytest.skip(REASON)
