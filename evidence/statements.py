"""What is stated about an artifact, and read back: in-toto Statements v1 (https://in-toto.io/Statement/v1)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.commits import Commit, Older
from evidence.signing import CI, Keys
from evidence.store import Store
from gates.check import Check
from gates.documents import first_fault
from gates.scans.waivers import Refused, Waiver
from host.errors import ArtifactError, EvidenceError, RevokedError, SlipwayError

log = logging.getLogger(__name__)
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

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    version: str
    commit: str
    at: datetime
    release: str


class Withdrawn(BaseModel):
    """The predicate of `withdrawal`: an environment condemned this artifact, and takes its promotions back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    """A statement that is genuine and about the artifact it was filed under: its predicate, who signed it, its file."""

    predicate: Any
    key: str
    file: Path


def verified(store: Store, keys: Keys, digest: str, kind: Kind) -> list[Statement]:
    """Return the statements of one kind about an artifact, oldest first; what a revoked key signed is left out.

    Raises EvidenceError or ArtifactError with the file if any is not genuine.
    """
    found = []
    for file in store.statement_files(digest, kind):
        try:
            found.append(read_statement(store, keys, digest, kind, file))
        except (RevokedError, FileNotFoundError):
            continue  # it does not count, or was an old one that was removed in this moment
    return found


def revoked(store: Store, keys: Keys, digest: str) -> list[str]:
    """Return why each statement about an artifact that a revoked key signed does not count, with its file."""
    said = []
    for kind in Kind:
        for file in store.statement_files(digest, kind):
            try:
                read_statement(store, keys, digest, kind, file)
            except RevokedError as error:
                said.append(str(error))
            except (SlipwayError, FileNotFoundError):
                continue  # told where it is read
    return said


def read_statement(store: Store, keys: Keys, digest: str, kind: Kind, file: Path) -> Statement:
    """Return the statement in a file. Raises EvidenceError (RevokedError) or ArtifactError, which name the file."""
    envelope = store.read_statement(file)
    try:
        statement, key = keys.examine(envelope, lambda said: _role(kind, said))
        if not _is_about(statement, digest, kind):
            raise EvidenceError(f"{kind} statement filed under {digest[:12]} is about something else")
    except EvidenceError as error:
        raise type(error)(f"{file}: {error}") from error
    return Statement(statement.get("predicate"), key, file)


def _role(kind: Kind, statement: Mapping[str, Any]) -> str:
    """Return who may sign such a statement: an environment what it promotes and withdraws, `ci` the rest."""
    if kind not in (Kind.PROMOTION, Kind.WITHDRAWAL):
        return CI
    predicate = statement.get("predicate")
    return str(predicate.get("environment")) if isinstance(predicate, dict) else ""


def _is_about(statement: Mapping[str, Any], digest: str, kind: Kind) -> bool:
    try:
        about = [subject["digest"].get("sha256") for subject in statement["subject"]]
    except (KeyError, TypeError, AttributeError):
        return False
    return digest in about and statement.get("predicateType") == kind.predicate_type


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
    statements = verified(store, keys, digest, Kind.SCANS)
    found = [(parse(Scanned, statement, digest).at, statement.file) for statement in statements]
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


def promotions(
    store: Store, keys: Keys, environment: str, say: Callable[[str], None] = log.warning
) -> list[tuple[str, Promoted]]:
    """Return digest and statement of what an environment promoted and did not take back, newest first.

    `say` is told of what does not verify: a search passes over that artifact. Raises EvidenceError if nobody can tell
    which keys count.
    """
    keys.trusted()
    found = []
    for digest in store.artifacts():
        try:
            word = last_word(store, keys, digest, environment)
        except (ArtifactError, EvidenceError) as error:
            say(f"passed over {digest[:12]}: {error}")
            continue
        if isinstance(word, Promoted):
            found.append((digest, word))
    return sorted(found, key=lambda pair: pair[1].at, reverse=True)


def newest_promotion(
    store: Store, keys: Keys, environment: str, say: Callable[[str], None] = log.warning
) -> tuple[str, Promoted] | None:
    """Return digest and statement of what an environment promoted last and did not take back, None without such.

    Passes over what does not verify, as `promotions` does.
    """
    return next(iter(promotions(store, keys, environment, say)), None)


def parse(model: type[Model], statement: Statement, digest: str) -> Model:
    """Return a statement's predicate. Raises EvidenceError if it is not of this kind."""
    try:
        return model.model_validate(statement.predicate)
    except ValidationError as error:
        reason = f"signed evidence about {digest[:12]} cannot be read: {first_fault(error)}"
        raise EvidenceError(f"{statement.file}: {reason}") from error
