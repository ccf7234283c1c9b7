"""What preflight says of the migrations that a release brings."""

from pathlib import Path

import pytest

from deployments.environment import Environment
from deployments.journal.ledger import Ledger
from deployments.preflight import preflight
from evidence.bundle import Image, put_bundle
from gates.migrations.steps import Kind, Step
from host.docker.engine import Engine
from tests.deployments.shop import Shop

FIRST = Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a")
LOCKS = Step(revision="2", kind=Kind.LOCKING, reason="CREATE INDEX i ON a (b)")
TAKES = Step(revision="3", kind=Kind.CONTRACT, reason="ALTER TABLE a DROP COLUMN b")
NO_IMAGE = Image(id="sha256:" + "0" * 64)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An environment that is not up, with an old version live, as its journal says."""
    made = Shop(tmp_path, "process", Engine())
    live(made.place(), made.artifact("old", image=NO_IMAGE, migrations=[FIRST]))
    return made


def live(place: Environment, digest: str) -> Ledger:
    place.directory.mkdir(parents=True)
    version = {"digest": digest, "version": "old", "commit": "c" * 40}
    routing = {"version": "e1-r1", "ports": {"blue": 1}, "weights": {"blue": 100}, "preview_slot": None}
    place.journal.write("routed", {"routing": routing, "live": {**version, "slot": "blue"}}, 1)
    return place.ledger()


def test_a_contract_is_a_question_of_its_own_where_a_person_is_asked(shop: Shop) -> None:
    said = preflight(shop.place(), shop.artifact("new", image=NO_IMAGE, migrations=[FIRST, LOCKS, TAKES]))
    assert "takes away what" not in said.verdict.reason
    assert said.contracts == (TAKES,)
    assert any("There is NO WAY BACK to older versions" in note for note in said.warnings)


def test_where_nobody_is_asked_it_needs_its_revision_in_the_file(shop: Shop) -> None:
    digest = shop.artifact("new", image=NO_IMAGE, migrations=[FIRST, TAKES])
    with shop.set("APPROVAL", "none"):
        said = preflight(shop.place(), digest)
        assert "migration 3 takes away what" in said.verdict.reason
        assert "APPROVED_CONTRACTS of config/production.env" in said.verdict.reason
    shop.settings.write_text(shop.settings.read_text() + "APPROVAL=none\nAPPROVED_CONTRACTS=2, 3\n")
    assert "takes away" not in preflight(shop.place(), digest).verdict.reason


def test_what_locks_is_told_and_what_is_live_already_is_not(shop: Shop) -> None:
    said = preflight(shop.place(), shop.artifact("new", image=NO_IMAGE, migrations=[FIRST, LOCKS]))
    assert "takes away" not in said.verdict.reason
    assert [note for note in said.warnings if note.startswith("Migration")] == [
        "Migration 2: locking: CREATE INDEX i ON a (b)"
    ]


def test_migrations_that_nobody_judged_are_said_loudly(shop: Shop) -> None:
    said = preflight(shop.place(), shop.artifact("new", image=NO_IMAGE))
    assert "NOBODY JUDGED THE MIGRATIONS of this version." in said.warnings


def test_where_nobody_is_asked_migrations_must_be_judged(shop: Shop) -> None:
    unjudged = shop.artifact("new", image=NO_IMAGE)
    assert "nobody judged" not in preflight(shop.place(), unjudged).verdict.reason, "a person reads the note"
    with shop.set("APPROVAL", "none"):
        reason = preflight(shop.place(), unjudged).verdict.reason
        assert "nobody judged the migrations of new" in reason and "[migrations] of config/pipeline.toml" in reason
        judged = shop.artifact("judged", image=NO_IMAGE, migrations=[])
        assert "nobody judged" not in preflight(shop.place(), judged).verdict.reason
        bundle = shop.read(unjudged).bundle
        without = bundle.model_copy(update={"run": bundle.run.model_copy(update={"migrate": None})})
        said = preflight(shop.place(), put_bundle(shop.place().store, without))
        assert "nobody judged" not in said.verdict.reason, "it migrates nothing"


def test_an_empty_environment_has_nothing_to_lose(tmp_path: Path) -> None:
    empty = Shop(tmp_path, "process", Engine())
    with empty.set("APPROVAL", "none"):
        said = preflight(empty.place(), empty.artifact("first", image=NO_IMAGE))
        assert "nobody judged" not in said.verdict.reason


def test_a_version_that_the_database_outgrew_is_not_released_again(shop: Shop) -> None:
    old = shop.artifact("older", image=NO_IMAGE, migrations=[FIRST])
    shop.place().journal.write("migrating", {"digest": "d", "unsafe": {old: "migration 3 took away"}}, 1)
    assert "does not fit the database any more: migration 3" in preflight(shop.place(), old).verdict.reason
    shop.place().journal.write("migration.failed", {"digest": "d", "unsafe": {old: ""}}, 1)
    assert "does not fit" not in preflight(shop.place(), old).verdict.reason


def test_after_the_old_schema_was_restored_it_fits_again(shop: Shop) -> None:
    old = shop.artifact("older", image=NO_IMAGE, migrations=[FIRST])
    shop.place().journal.write("migrating", {"digest": "d", "unsafe": {old: "migration 3 took away"}}, 1)
    assert shop.place().ledger().unsafe == {old: "migration 3 took away"}
    shop.place().journal.write("schema.restored", {"safe": [old], "reason": "dump of 12:40"}, 1)
    assert shop.place().ledger().unsafe == {}
