"""Data for an environment, once in its life."""

from pathlib import Path

import pytest

from deployments.rollout import Rollout, version_of
from host.docker.engine import Engine
from host.errors import ConfigError
from settings.targets import Target
from tests.deployments.shop import Shop, shop


def seeds(made: Shop) -> list[str]:
    return [str(entry.data["said"]) for entry in made.place().journal.entries() if entry.kind == "seeded"]


def test_it_is_seeded_once_and_a_failed_seed_stops_the_release(tmp_path: Path) -> None:
    with shop(tmp_path, "process", Engine(), "SEED=full\n", Target("staging")) as made:
        assert "cannot seed with ***" in made.release(made.artifact("bad-seed"))
        assert made.place().ledger().live is None and seeds(made) == []
        assert seed(made, "good") == "seeded full full"
        assert seed(made, "bad-seed") == "full data was seeded before"
        assert seeds(made) == ["seeded full full"] and made.place().ledger().seeded == {"full"}
        with made.set("SEED", "masked"):
            assert seed(made, "good") == "seeded masked masked"
        with made.set("SEED", ""):
            assert seed(made, "bad-seed") == "no data is wanted here (SEED)"


def seed(made: Shop, how: str) -> str:
    """Do what a release does with the database, and end it."""
    place = made.place()
    with place.lease("test") as lease:
        rollout = Rollout.begin(place, lease, version_of(place, made.artifact(how)), "release")
        rollout.install()
        said = rollout.seed()
        rollout.end("restored", rollout.restore())
    return said


@pytest.mark.parametrize(
    ("line", "why"), [("SEED=samples", "production's data is its own"), ("SEED=some", "SEED: got")]
)
def test_production_and_unknown_kinds_are_refused_before_anything_is_done(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Shop(tmp_path, "process", Engine(), line + "\n").place()
