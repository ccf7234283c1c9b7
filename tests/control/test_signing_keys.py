"""A signing key from the home, from a named file and from a Prefect Secret, for evidence and for promotions alike."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from control.signing_keys import BLOCK, signing_keys
from deployments.environment import Environment
from deployments.rollout import Rollout, version_of
from evidence.signing import Keys
from evidence.statements import read_promotions
from host.errors import EvidenceError
from host.home import Home
from settings.targets import Target
from tests.evidence.artifacts import artifact
from tests.prefect_server import prefect_server

FILE = "SLIPWAY_SIGNING_KEY"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with its own key, which trusts the key of another one too."""
    for name in (BLOCK, FILE, "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    home = Home(tmp_path / "home")
    home.create()
    Keys(home.keys).create()
    return home


@pytest.fixture
def other(tmp_path: Path, home: Home) -> Keys:
    """A key that lies elsewhere."""
    keys = Keys(tmp_path / "other")
    keys.create()
    return keys


def trust(home: Home, other: Keys) -> None:
    for public in (other.directory / "trusted").iterdir():
        shutil.copy(public, home.keys / "trusted")


def begin(home: Home, kind: str = "release") -> tuple[Environment, str, Callable[[], Rollout]]:
    place = Environment.open(Target("production"), "assistant", home)
    place.directory.mkdir(parents=True, exist_ok=True)
    digest, _ = artifact(place.store, "c" * 40)

    def start() -> Rollout:
        with place.lease("test") as lease:
            return Rollout.begin(place, lease, version_of(place, digest), kind)

    return place, digest, start


def key_of(place: Environment, digest: str) -> str:
    (envelope,) = place.store.statements(digest, "promotion")
    return str(envelope["signatures"][0]["keyid"])


@pytest.mark.parametrize("source", ["home", "file", "block"])
def test_evidence_and_promotions_are_signed_with_the_key_that_is_configured(
    home: Home, other: Keys, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    trust(home, other)
    pem = other.private
    with prefect_server(home, monkeypatch) as (server, _):
        server.blocks["secret/signing-key"] = {"value": pem.read_text()}
        if source == "file":
            monkeypatch.setenv(FILE, str(pem))
        if source == "block":
            monkeypatch.setenv(BLOCK, "signing-key")
        place, digest, start = begin(home)
        rollout = start()
        server.away = True  # nothing may depend on the server once traffic was switched
        rollout.end("promoted", "it is good")
        (promoted,) = read_promotions(place.store, place.keys, digest)
        server.away = False
        evidence = signing_keys(home).sign({"a": 1})["signatures"][0]["keyid"]
    assert promoted.environment == "production"
    assert key_of(place, digest) == evidence
    monkeypatch.delenv(FILE, raising=False)
    assert (evidence == Keys(home.keys).sign({})["signatures"][0]["keyid"]) is (source == "home")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no block", "no Prefect block secret/signing-key"),
        ("away", "answered 503"),
        ("no key", "no usable signing key"),
        ("not trusted", "is not trusted here"),
        ("no file", "no usable signing key"),
    ],
)
def test_a_release_that_could_not_be_signed_for_does_not_begin(
    home: Home, other: Keys, monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    place, _, start = begin(home)
    with prefect_server(home, monkeypatch) as (server, _):
        monkeypatch.setenv(*((FILE, "/nowhere/evidence.key") if what == "no file" else (BLOCK, "signing-key")))
        if what in ("no key", "not trusted"):
            pem = other.private.read_text() if what == "not trusted" else "not-a-key hunter2"
            server.blocks["secret/signing-key"] = {"value": pem}
        server.away = what == "away"
        with pytest.raises(EvidenceError, match=said) as told:
            start()
    assert "hunter2" not in str(told.value)
    assert place.ledger().entries == 0


def test_a_rollback_needs_no_key(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BLOCK, "signing-key")
    place, digest, start = begin(home, "rollback")
    with prefect_server(home, monkeypatch) as (server, _):
        server.away = True
        start().end("rolled back", "it was bad")
    assert read_promotions(place.store, place.keys, digest) == []
