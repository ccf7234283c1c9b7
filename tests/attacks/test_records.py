"""One bad record does not stop everything: searches pass over it, loudly; the chosen version stays strict."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from cli.main import app
from deployments.environment import Environment
from deployments.preflight import choose_version
from evidence.bundle import find_digest
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Promoted, Withdrawn, last_word, read_checks, revoked, state
from host.errors import ArtifactError, EvidenceError, SlipwayError
from host.home import Home
from services.exporter.measures.evidence import EvidenceMeasure
from settings.targets import Target
from tests.evidence.artifacts import artifact

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Records:
    """A store with three versions, oldest first, each checked and promoted in staging."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory)
        self.home.create()
        self.place = Environment.open(Target("production"), "assistant", self.home)
        self.store, self.keys = self.place.store, self.place.keys
        self.keys.create()
        self.digests = [self.version(number) for number in (1, 2, 3)]

    def version(self, number: int) -> str:
        digest, _ = artifact(self.store, str(number) * 40, version=f"v{number}")
        os.utime(self.store.manifest_file(digest), (number, number))
        self.say(digest, number)
        return digest

    def say(self, digest: str, number: int, keys: Keys | None = None) -> None:
        commit, version, at = str(number) * 40, f"v{number}", NOW + timedelta(hours=number)
        checked = Checked(
            commit=commit, version=version, branch="main", clean=True, isolation="uid", at=at, run="r", checks=()
        )
        promoted = Promoted(environment="staging", version=version, commit=commit, at=at, release="r")
        for kind, said in ((Kind.CHECKS, checked), (Kind.PROMOTION, promoted)):
            state(self.store, keys or self.keys, digest, "assistant", kind, said)

    def file(self, digest: str, kind: Kind = Kind.CHECKS) -> Path:
        return self.store.statement_files(digest, kind)[0]

    def choose(self, before: str, wanted: str | None = None) -> tuple[str, str]:
        """Return the chosen digest and what was said of what was passed over."""
        said: list[str] = []
        settings = self.place.settings.model_copy(update={"requires_promotion_in": before})
        return choose_version(replace(self.place, settings=settings), wanted, said.append), "\n".join(said)


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return Records(tmp_path / "home")


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:50])


def forged(file: Path) -> None:
    envelope = json.loads(file.read_text())
    envelope["signatures"][0]["sig"] = envelope["signatures"][0]["sig"][::-1]
    file.write_text(json.dumps(envelope))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def nested(file: Path) -> None:
    file.write_text("[" * 100_000)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


SPOILT = [torn, forged, emptied, nested, a_folder]


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize(("kind", "before"), [(Kind.CHECKS, ""), (Kind.PROMOTION, "staging"), (Kind.CHECKS, "staging")])
def test_a_bad_statement_is_passed_over_and_named(
    records: Records, kind: Kind, before: str, spoil: Callable[[Path], None]
) -> None:
    oldest, middle, newest = records.digests
    for digest in (oldest, newest):
        spoil(records.file(digest, kind))
    chosen, said = records.choose(before)
    assert chosen == middle and str(records.file(newest, kind)) in said


@pytest.mark.parametrize("spoil", [torn, emptied, a_folder])
def test_a_bad_manifest_is_passed_over_and_named(records: Records, spoil: Callable[[Path], None]) -> None:
    oldest, middle, newest = records.digests
    for digest in (oldest, newest):
        spoil(records.store.manifest_file(digest))
    for before, wanted in (("", None), ("", "v2"), ("staging", "2" * 40), ("staging", None)):
        chosen, said = records.choose(before, wanted)
        assert chosen == middle and str(records.store.manifest_file(newest)) in said


def test_the_chosen_version_stays_strict_and_names_the_file(records: Records) -> None:
    newest = records.digests[-1]
    assert find_digest(records.store, newest) == newest
    forged(records.file(newest))
    with pytest.raises(EvidenceError, match=str(records.file(newest))):
        read_checks(records.store, records.keys, newest)


def test_when_everything_is_bad_nothing_is_chosen(records: Records) -> None:
    for digest in records.digests:
        torn(records.file(digest))
    with pytest.raises(ArtifactError, match="no version was built yet"):
        records.choose("")


def test_a_file_that_is_no_artifact_is_none(records: Records) -> None:
    for name in ("a.json", "x" * 64 + ".json", "0.json", ".json"):
        (records.store.root / "artifacts" / name).write_text("{}")
    assert records.choose("") == (records.digests[-1], "")


def test_while_nobody_knows_which_keys_count_nothing_is_passed_over(records: Records) -> None:
    (records.keys.directory / "trusted" / "half.pub").write_text("-----BEGIN")
    for before in ("", "staging"):
        with pytest.raises(EvidenceError, match="half.pub"):
            records.choose(before)


def test_the_metric_names_the_file_also_of_what_went_bad_later(records: Records) -> None:
    measure = EvidenceMeasure(records.home)
    registry = CollectorRegistry()
    registry.register(measure)
    for expected in (0, 1):
        measure.kept.refresh()
        assert registry.get_sample_value("slipway_evidence_unreadable") == expected
        torn(records.file(records.digests[0]))
    where = {"file": str(records.file(records.digests[0]))}
    assert registry.get_sample_value("slipway_evidence_unreadable_file", where) == 1
    assert registry.get_sample_value("slipway_artifacts") == 2


def quarantine() -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", "--quarantine"])
    return done.exit_code, f"{done.output}{done.exception or ''}".replace("\n", "")


def test_what_does_not_verify_is_moved_aside_with_its_reason_and_nothing_is_deleted(records: Records) -> None:
    oldest, middle, newest = records.digests
    bad = [records.file(oldest), records.file(middle, Kind.PROMOTION), records.store.manifest_file(newest)]
    content = {}
    for file, spoil in zip(bad, (torn, forged, torn), strict=True):
        spoil(file)
        content[file] = file.read_bytes()
    code, said = quarantine()
    assert code == 0 and "3 records moved" in said
    aside = records.store.root / "quarantine"
    for file in bad:
        moved = aside / file.relative_to(records.store.root)
        assert moved.read_bytes() == content[file] and not file.exists()
        assert str(file) in moved.with_name(f"{moved.name}.reason").read_text()
    assert quarantine()[1].startswith("0 records moved")
    torn(records.file(oldest, Kind.PROMOTION))
    assert "1 records moved" in quarantine()[1] and len(list(aside.rglob("*.reason"))) == 4


@pytest.mark.parametrize("why", ["other keys", "no keys", "half a key", "half a list"])
def test_nothing_is_moved_while_nobody_can_tell(records: Records, why: str) -> None:
    trusted = records.keys.directory / "trusted"
    own = next(trusted.glob("*.pub"))
    if why in ("other keys", "no keys"):
        own.unlink()
    if why == "other keys":
        stranger = Keys(records.home.root / "stranger")
        stranger.create()
        (file,) = (stranger.directory / "trusted").glob("*.pub")
        file.rename(trusted / file.name)
    if why == "half a key":
        own.write_bytes(own.read_bytes()[:40])
    if why == "half a list":
        (records.keys.directory / "revoked.toml").write_text("[[revoked]\nkey =")
    before = sorted(records.store.root.rglob("*"))
    code, _ = quarantine()
    assert code == 1 and sorted(records.store.root.rglob("*")) == before


def revoke(records: Records, since: str = "") -> str:
    key = next((records.keys.directory / "trusted").glob("*.pub")).stem
    text = f'[[revoked]]\nkey = "{key}"\n{since}\nreason = "it lay in a backup"\n'
    (records.keys.directory / "revoked.toml").write_text(text)
    return key


def fresh(records: Records) -> Keys:
    """Return a new key that the installation trusts beside the first."""
    keys = Keys(records.home.root / "fresh")
    keys.create()
    for file in (keys.directory / "trusted").glob("*.pub"):
        (records.keys.directory / "trusted" / file.name).write_bytes(file.read_bytes())
    return keys


@pytest.mark.parametrize("since", ["", "since = 2026-03-01", "since = 2026-03-01T15:00:00Z"])
def test_what_a_revoked_key_signed_does_not_count_and_stops_nothing(records: Records, since: str) -> None:
    key = revoke(records, since)
    newest = records.digests[-1]
    assert read_checks(records.store, records.keys, newest) is None
    assert any(key in one and str(records.file(newest)) in one for one in revoked(records.store, records.keys, newest))
    records.say(records.digests[0], 1, fresh(records))
    if "15:00" in since:
        assert records.choose("")[0] == records.digests[1]  # signed an hour before
    else:
        assert records.choose("")[0] == records.choose("staging")[0] == records.digests[0]
    assert "0 records moved" in quarantine()[1]


def test_a_revoked_key_signs_nothing_new(records: Records) -> None:
    revoke(records, "since = 2026-03-01")
    with pytest.raises(EvidenceError, match="is revoked since 2026-03-01"):
        records.keys.prove()


@pytest.mark.parametrize(
    "text",
    [
        "[[revoked]]\nkey = 'x'\nreason = 'y'",
        "[[revoked]]\nkey = '0123456789abcdef'",
        "[[revoke]]\nkey = '0123456789abcdef'\nreason = 'y'",
        "[[revoked]]\nkey = '0123456789abcdef'\nreason = 'y'\nsince = 'soon'",
        "\xff",
    ],
)
def test_a_list_that_cannot_be_read_stops_everything_with_its_name(records: Records, text: str) -> None:
    (records.keys.directory / "revoked.toml").write_text(text, encoding="latin-1")
    for search in (lambda: records.choose(""), lambda: records.choose("staging"), records.keys.prove):
        with pytest.raises(SlipwayError, match="revoked.toml"):
            search()


def limit(records: Records, keys: Keys, role: str) -> None:
    """Trust a key for a role alone."""
    folder = records.keys.directory / "trusted"
    (folder / role).mkdir(exist_ok=True)
    for file in (keys.directory / "trusted").glob("*.pub"):
        (folder / file.name).unlink(missing_ok=True)
        shutil.copy(file, folder / role)


def test_the_key_of_ci_promotes_nothing(records: Records) -> None:
    ci = fresh(records)
    limit(records, ci, "ci")
    digest, _ = artifact(records.store, "4" * 40, version="v4")
    records.say(digest, 4, ci)
    assert read_checks(records.store, records.keys, digest)
    with pytest.raises(EvidenceError, match="signs for ci, not for staging"):
        last_word(records.store, records.keys, digest, "staging")
    chosen, said = records.choose("staging")
    assert chosen == records.digests[-1] and "not for staging" in said
    with pytest.raises(EvidenceError, match="signs for ci, not for production"):
        Keys(records.keys.directory, ci.private.read_bytes()).prove("production")


def test_the_key_of_an_environment_signs_no_evidence_and_no_other_environments_promotion(records: Records) -> None:
    qa = fresh(records)
    limit(records, qa, "qa")
    digest, _ = artifact(records.store, "4" * 40, version="v4")
    records.say(digest, 4, qa)
    for read in (read_checks, lambda *of: last_word(*of, "staging")):
        with pytest.raises(EvidenceError, match="signs for qa, not for"):
            read(records.store, records.keys, digest)
    withdrawn = Withdrawn(environment="staging", at=NOW + timedelta(days=1), reason="sabotage")
    state(records.store, qa, records.digests[-1], "assistant", Kind.WITHDRAWAL, withdrawn)
    assert records.choose("staging")[0] == records.digests[1]


def test_a_key_with_two_roles_has_both_and_one_outside_the_folders_has_all(records: Records) -> None:
    both = fresh(records)
    for role in ("ci", "staging"):
        limit(records, both, role)
    digest, _ = artifact(records.store, "4" * 40, version="v4")
    records.say(digest, 4, both)
    assert records.choose("staging") == (digest, "")
    records.keys.prove("production")
    both_here = Keys(records.keys.directory, both.private.read_bytes())
    both_here.prove("staging")


def test_a_key_that_is_named_keeps_its_role(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = fresh(records)
    limit(records, staging, "staging")
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY", str(staging.private))
    records.keys.create()
    with pytest.raises(EvidenceError, match="not for ci"):
        records.keys.prove()


def test_a_folder_that_is_no_role_is_refused_by_name(records: Records) -> None:
    limit(records, fresh(records), "Staging!")
    with pytest.raises(EvidenceError, match="Staging!: no role"):
        records.choose("")
