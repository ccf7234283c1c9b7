"""An artifact and its evidence are read, verified and passed on as one object."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.candidate import new_migrations, read_artifact, verify_artifact
from deployments.journal.ledger import Live, Version
from evidence.bundle import put_bundle
from evidence.store import Store
from gates.migrations.steps import Kind, Step
from host.errors import ArtifactError
from tests.evidence.artifacts import COMMIT, artifact

FIRST = Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a")
SECOND = Step(revision="2", kind=Kind.CONTRACT, reason="DROP TABLE a")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def with_migrations(store: Store, *steps: Step, judged: bool = True) -> str:
    """Store an artifact with these migrations; return its digest."""
    _, bundle = artifact(store)
    return put_bundle(store, bundle.model_copy(update={"migrations": steps if judged else None}))


def live(digest: str) -> Live:
    return Live(Version(digest, "v0", COMMIT), "blue", datetime.now(UTC))


def test_an_artifact_names_its_version(store: Store) -> None:
    digest, bundle = artifact(store)
    assert read_artifact(store, digest).version == Version(digest, bundle.version, COMMIT)
    assert read_artifact(store, digest) == verify_artifact(store, digest)


def test_reading_hashes_the_manifest_and_verifying_every_byte(store: Store) -> None:
    digest, bundle = artifact(store)
    (store.root / "blobs" / "sha256" / bundle.source).write_bytes(b"another")
    assert read_artifact(store, digest).bundle == bundle
    with pytest.raises(ArtifactError, match="changed since it was stored"):
        verify_artifact(store, digest)
    (store.root / "artifacts" / f"{digest}.json").write_bytes(b"{}")
    with pytest.raises(ArtifactError, match="the manifest was changed"):
        read_artifact(store, digest)


def test_new_migrations_are_those_beyond_what_is_live(store: Store) -> None:
    old = with_migrations(store, FIRST)
    new = read_artifact(store, with_migrations(store, FIRST, SECOND))
    assert new_migrations(store, live(old), new) == (SECOND,)
    assert new_migrations(store, live(new.digest), new) == ()
    assert new_migrations(store, None, new) == ()


def test_where_nobody_judged_what_is_live_every_migration_is_new(store: Store) -> None:
    old = with_migrations(store, judged=False)
    assert new_migrations(store, live(old), read_artifact(store, with_migrations(store, FIRST))) == (FIRST,)
    assert new_migrations(store, live(with_migrations(store, FIRST)), read_artifact(store, old)) == ()
