from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from evidence.provenance import make_provenance, sign_origin
from evidence.sbom import make_bom
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Promoted, Scanned, state
from evidence.store import Store
from gates.check import Check, Outcome
from host.home import Home
from tests.evidence.artifacts import artifact

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Chain:
    """An artifact with every link, each of which a test may leave out or spoil."""

    def __init__(self, home: Home) -> None:
        self.store, self.keys = Store(home.store), Keys(home.keys)
        self.keys.create()
        self.digest, self.bundle = artifact(self.store)

    def forge(self, without: str = "", commit: str = "") -> None:
        about = commit or self.bundle.commit
        if without != "origin":
            bom = make_bom(self.store, self.digest, self.bundle)
            made = make_provenance(self.bundle, "/srv/app", "p" * 64, "run-1", NOW, NOW, "builder")
            sign_origin(self.store, self.keys, self.digest, self.bundle, made, bom)
        if without != "checks":
            checks = (Check(name="unit", outcome=Outcome.PASSED, reason="61 passed"),)
            told = Checked(
                commit=about, version="v1", branch="main", clean=True, isolation="uid", at=NOW, run="r", checks=checks
            )
            state(self.store, self.keys, self.digest, "assistant", Kind.CHECKS, told)
        if without != "scans":
            checks = (
                Check(name="dependency", outcome=Outcome.ACCEPTED_UNRUN, reason="no internet"),
                Check(name="code", outcome=Outcome.FAILED, reason="1 high"),
            )
            scanned = Scanned(commit=about, version="v1", branch="main", at=NOW, run="r", checks=checks)
            state(self.store, self.keys, self.digest, "assistant", Kind.SCANS, scanned)
        promoted = Promoted(environment="staging", version="v1", commit=about, at=NOW, release="release-7")
        state(self.store, self.keys, self.digest, "assistant", Kind.PROMOTION, promoted)


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return Chain(Home(tmp_path / "home"))


def verify(wanted: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", wanted])
    return done.exit_code, done.output


def test_a_whole_chain_is_shown_with_keys_and_times(chain: Chain) -> None:
    chain.forge()
    for wanted in (chain.digest, chain.digest[:12], "v1", chain.bundle.commit[:10]):
        code, text = verify(wanted)
        assert code == 0, text
    for word in ("artifact", "provenance", "sbom", "checks", "scans", "promotion", "release-7", "2026-03-01 12:00:00"):
        assert word in text
    key = next((chain.keys.directory / "trusted").glob("*.pub")).stem
    assert text.count(key) == 5
    assert "NOBODY LOOKED AT: dependency" in text and "code: failed (1 high)" in text


@pytest.mark.parametrize(
    ("without", "said"),
    [("origin", "nobody stated how it was built"), ("checks", "no signed checks"), ("scans", "no signed scans")],
)
def test_it_ends_at_the_first_link_that_is_missing(chain: Chain, without: str, said: str) -> None:
    chain.forge(without)
    code, text = verify("v1")
    assert code == 1 and said in text and "release-7" not in text


def test_a_changed_byte_ends_it_at_once(chain: Chain) -> None:
    chain.forge()
    blob = chain.store.root / "blobs" / "sha256" / chain.bundle.lock
    blob.write_bytes(b"other")
    code, text = verify("v1")
    assert code == 1 and "changed since it was stored" in text and "provenance" not in text


def test_a_changed_statement_ends_it(chain: Chain) -> None:
    chain.forge()
    (file,) = (chain.store.root / "statements" / chain.digest).glob("scans-*")
    file.write_text(file.read_text().replace('"sig": "', '"sig": "AAAA'))
    code, text = verify("v1")
    assert code == 1 and "scans" in text and "release-7" not in text


def test_evidence_about_another_commit_ends_it(chain: Chain) -> None:
    chain.forge(commit="d" * 40)
    code, text = verify("v1")
    assert code == 1 and "they are about commit dddddddddddd" in text
