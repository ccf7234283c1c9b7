"""The engine is restarted in the middle of a release: its containers end, the old version's come back, nothing is lost
but the time that the engine was away.
"""

import threading
import time
from collections.abc import Iterator

import pytest

from host.docker.engine import Engine
from tests.deployments.shop import Shop, shop
from tests.own_engine import OwnEngine, own_engine

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def own(engine: Engine) -> Iterator[OwnEngine]:
    with own_engine() as made:
        made.load("python:3.11-slim")
        yield made


@pytest.fixture(scope="module")
def made(own: OwnEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("restart"), "compose", own.engine, f"DOCKER_HOST={own.engine.host}\n") as one:
        assert one.release(one.artifact("good before")) == ""
        yield one


class Releasing(threading.Thread):
    """A release under way; `said` is what went wrong."""

    def __init__(self, made: Shop, digest: str) -> None:
        super().__init__()
        self.made, self.digest, self.said = made, digest, "it did not end"
        self.before = len(made.place().journal.entries())  # those of earlier releases have all that is waited for, too
        self.start()

    def run(self) -> None:
        self.said = self.made.release(self.digest)

    def await_entry(self, kind: str, what: str) -> None:
        """Wait until this release has written such an entry."""
        while True:
            entries = self.made.place().journal.entries()[self.before :]
            if any(one.kind == kind and what in str(one.data) for one in entries):
                return
            assert self.is_alive(), f"the release wrote no {kind} {what}: {self.said}"
            time.sleep(0.02)


@pytest.mark.parametrize(("kind", "what"), [("slot.starting", "port"), ("step", "check")])
def test_the_engine_restarts_in_the_middle_of_a_release(made: Shop, own: OwnEngine, kind: str, what: str) -> None:
    before = made.says()
    with made.set("BAKE_SECONDS", "10"):
        releasing = Releasing(made, made.artifact("good after"))
        releasing.await_entry(kind, what)
        own.stop()
        own.start()
        releasing.join()  # ended by the test's own limit of time, if by any
    assert "engine" in releasing.said
    assert made.says() == before
    ledger = made.place().ledger()
    assert ledger.unfinished is None and not ledger.condemned
    (web,) = made.compose.projects.containers(made.compose.names.slot(ledger.live.slot if ledger.live else ""))
    assert web.state == "running" and web.restarts == 0  # the engine started it again, not we
    assert made.release(made.artifact("good next")) == ""
