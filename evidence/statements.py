"""What is stated about an artifact, and read back: in-toto Statements v1 (https://in-toto.io/Statement/v1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.commits import Commit, Older
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check
from gates.scans.waivers import Refused, Waiver
from host.errors import EvidenceError

Model = TypeVar("Model", bound=BaseModel)
STATEMENT = "https://in-toto.io/Statement/v1"


class Kind(StrEnum):
    """The kinds of statements, as they stand in a statement's file name."""

    CHECKS = "checks"
    SCANS = "scans"
    PROVENANCE = "provenance"
    SBOM = "sbom"
    PROMOTION = "promotion"
    WITHDRAWAL = "withdrawal"

    @property
    def predicate_type(self) -> str:
        """Return the type that stands in a statement: the public one where there is one."""
        public = {Kind.PROVENANCE: "https://slsa.dev/provenance/v1", Kind.SBOM: "https://cyclonedx.org/bom"}
        return public.get(self, f"urn:slipway:{self.value}:v1")


class Checked(BaseModel):
    """The predicate of `checks`: what `ci` looked at for this very commit and artifact, and what it saw.

    `pipeline` is the digest of the rules by which it looked (config/pipeline.toml). `older` are the commits behind
    those of `history`.
    """

    model_config = ConfigDict(frozen=True)

    commit: str
    version: str
    branch: str
    clean: bool
    isolation: str
    pipeline: str = ""
    at: datetime
    run: str
    checks: tuple[Check, ...]
    history: tuple[Commit, ...] = ()
    older: Older = Older()


class Scanned(BaseModel):
    """The predicate of `scans`: what the security scans saw of this very commit and artifact, judged as of `at`.

    `first_seen` is when each finding was seen first, by fingerprint; `waived` the waivers that were used, by
    fingerprint; `refused` and `unneeded` say which did not count; `accepted` are the scans that nobody ran, with the
    reason.
    """

    model_config = ConfigDict(frozen=True)

    commit: str
    version: str
    branch: str
    pipeline: str = ""
    at: datetime
    run: str
    checks: tuple[Check, ...]
    first_seen: dict[str, datetime] = Field(default_factory=dict)
    waived: dict[str, Waiver] = Field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    unneeded: tuple[str, ...] = ()
    accepted: dict[str, str] = Field(default_factory=dict)

    @property
    def fingerprints(self) -> frozenset[str]:
        """Return the fingerprint of everything that was found."""
        return frozenset(finding.fingerprint for check in self.checks for finding in check.findings)


class Promoted(BaseModel):
    """The predicate of `promotion`: this artifact was promoted in an environment."""

    model_config = ConfigDict(frozen=True)

    environment: str
    version: str
    commit: str
    at: datetime
    release: str


class Withdrawn(BaseModel):
    """The predicate of `withdrawal`: an environment condemned this artifact, and takes its promotions back."""

    model_config = ConfigDict(frozen=True)

    environment: str
    at: datetime
    reason: str


def state(
    store: Store, keys: Keys, digest: str, app: str, kind: Kind, predicate: BaseModel | Mapping[str, Any]
) -> None:
    """Sign a predicate about an artifact and store it."""
    body = predicate.model_dump(mode="json", by_alias=True) if isinstance(predicate, BaseModel) else dict(predicate)
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": app, "digest": {"sha256": digest}}],
        "predicateType": kind.predicate_type,
        "predicate": body,
    }
    store.put_statement(digest, kind, keys.sign(statement))


@dataclass(frozen=True)
class Statement:
    """A statement that is genuine and about the artifact it was filed under: its predicate and who signed it."""

    predicate: Any
    key: str


def verified(store: Store, keys: Keys, digest: str, kind: Kind) -> list[Statement]:
    """Return the statements of one kind about an artifact, oldest first. Raises EvidenceError if any is not genuine."""
    return [_genuine(keys, digest, kind, envelope) for envelope in store.statements(digest, kind)]


def _genuine(keys: Keys, digest: str, kind: Kind, envelope: dict[str, Any]) -> Statement:
    statement, key = keys.examine(envelope)
    subjects: Sequence[dict[str, Any]] = statement.get("subject", [])
    about = [subject.get("digest", {}).get("sha256") for subject in subjects]
    if digest not in about or statement.get("predicateType") != kind.predicate_type:
        raise EvidenceError(f"{kind} statement filed under {digest[:12]} is about something else: {about}")
    return Statement(statement["predicate"], key)


def read_checks(store: Store, keys: Keys, digest: str) -> Checked | None:
    """Return the newest verified `checks` statement, None when there is none. Raises EvidenceError if one is not
    genuine.
    """
    found = [parse(Checked, one, digest) for one in verified(store, keys, digest, Kind.CHECKS)]
    return max(found, key=lambda checked: checked.at, default=None)


def read_scans(store: Store, keys: Keys, digest: str) -> list[Scanned]:
    """Return all verified `scans` statements about an artifact, oldest first; the last one counts."""
    found = [parse(Scanned, one, digest) for one in verified(store, keys, digest, Kind.SCANS)]
    return sorted(found, key=lambda scanned: scanned.at)


def forget_scans(store: Store, keys: Keys, digest: str, keep: int) -> int:
    """Remove the `scans` statements about an artifact but for the newest `keep` (at least 1); return how many went.

    Raises EvidenceError if any is not genuine: then none is removed, for somebody should see it. Safe to repeat and to
    race.
    """
    found = []
    for file in store.statement_files(digest, Kind.SCANS):
        statement = _genuine(keys, digest, Kind.SCANS, store.read_statement(file))
        found.append((parse(Scanned, statement, digest).at, file))
    old = [file for _, file in sorted(found)[: -max(keep, 1)]]
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)


def read_promotions(store: Store, keys: Keys, digest: str) -> list[Promoted]:
    """Return the verified promotions of one artifact, oldest first."""
    found = [parse(Promoted, one, digest) for one in verified(store, keys, digest, Kind.PROMOTION)]
    return sorted(found, key=lambda promoted: promoted.at)


def read_withdrawals(store: Store, keys: Keys, digest: str) -> list[Withdrawn]:
    """Return the verified withdrawals of one artifact, oldest first."""
    found = [parse(Withdrawn, one, digest) for one in verified(store, keys, digest, Kind.WITHDRAWAL)]
    return sorted(found, key=lambda withdrawn: withdrawn.at)


def last_words(store: Store, keys: Keys, digest: str) -> dict[str, Promoted | Withdrawn]:
    """Return the newest word of each environment about an artifact. Raises EvidenceError if any is not genuine."""
    said: list[Promoted | Withdrawn] = [*read_promotions(store, keys, digest), *read_withdrawals(store, keys, digest)]
    # Of two words of one moment the withdrawal is the last: the sort keeps their order.
    return {word.environment: word for word in sorted(said, key=lambda word: word.at)}


def last_word(store: Store, keys: Keys, digest: str, environment: str) -> Promoted | Withdrawn | None:
    """Return the newest word of an environment about an artifact, None when it said nothing."""
    return last_words(store, keys, digest).get(environment)


def newest_promotion(store: Store, keys: Keys, environment: str) -> tuple[str, Promoted] | None:
    """Return digest and statement of what an environment promoted last and did not take back, None without such."""
    words = [(digest, last_word(store, keys, digest, environment)) for digest in store.artifacts()]
    found = [(digest, word) for digest, word in words if isinstance(word, Promoted)]
    return max(found, key=lambda pair: pair[1].at, default=None)


def parse(model: type[Model], statement: Statement, digest: str) -> Model:
    """Return a statement's predicate. Raises EvidenceError if it is not of this kind."""
    try:
        return model.model_validate(statement.predicate)
    except ValidationError as error:
        raise EvidenceError(
            f"signed evidence about {digest[:12]} cannot be read: {error.errors()[0]['msg']}"
        ) from error
