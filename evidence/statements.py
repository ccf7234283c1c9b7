"""What is stated about an artifact, and read back: in-toto Statements v1 (https://in-toto.io/Statement/v1)."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evidence.bundle import read_bundle, verify_bundle
from evidence.errors import ArtifactError, EvidenceError
from evidence.signing import Keys
from evidence.store import Store
from gates.requirements import Check, Outcome

Model = TypeVar("Model", bound=BaseModel)
STATEMENT = "https://in-toto.io/Statement/v1"


class Kind(StrEnum):
    """The predicate types, as they stand in a statement's file name and, after `urn:slipway:`, in the statement."""

    CHECKS = "checks"
    PROMOTION = "promotion"


class Commit(BaseModel):
    """One commit of the history, as the approval page shows it."""

    model_config = ConfigDict(frozen=True)

    hash: str
    author: str
    email: str
    subject: str


class Checked(BaseModel):
    """The predicate of `checks`: what `ci` looked at for this very commit and artifact, and what it saw.

    `pipeline` is the digest of the rules by which it looked (config/pipeline.toml).
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


class Promoted(BaseModel):
    """The predicate of `promotion`: this artifact was promoted in an environment."""

    model_config = ConfigDict(frozen=True)

    environment: str
    version: str
    commit: str
    at: datetime
    release: str


def state(store: Store, keys: Keys, digest: str, app: str, kind: Kind, predicate: BaseModel) -> None:
    """Sign a predicate about an artifact and store it."""
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": app, "digest": {"sha256": digest}}],
        "predicateType": f"urn:slipway:{kind}:v1",
        "predicate": predicate.model_dump(mode="json"),
    }
    store.put_statement(digest, kind, keys.sign(statement))


def _verified(store: Store, keys: Keys, digest: str, kind: Kind) -> list[dict[str, Any]]:
    predicates = []
    for envelope in store.statements(digest, kind):
        statement = keys.verify(envelope)
        subjects: Sequence[dict[str, Any]] = statement.get("subject", [])
        about = [subject.get("digest", {}).get("sha256") for subject in subjects]
        if digest not in about or statement.get("predicateType") != f"urn:slipway:{kind}:v1":
            raise EvidenceError(f"{kind} statement filed under {digest[:12]} is about something else: {about}")
        predicates.append(statement["predicate"])
    return predicates


def read_checks(store: Store, keys: Keys, digest: str) -> Checked | None:
    """Return the newest verified `checks` statement, None when there is none. EvidenceError when one is not genuine."""
    found = [_parse(Checked, predicate, digest) for predicate in _verified(store, keys, digest, Kind.CHECKS)]
    return max(found, key=lambda checked: checked.at, default=None)


def find_checked(store: Store, keys: Keys, commit: str, pipeline: str, isolation: str) -> tuple[str, Checked] | None:
    """Return artifact and evidence of a commit that passed everything before, by the same rules and as well isolated.

    Every byte of the artifact is verified. None when there is no such evidence; damaged evidence is none.
    """
    for digest in reversed(store.artifacts()):
        try:
            if read_bundle(store, digest).commit != commit:
                continue
            checked = read_checks(store, keys, digest)
            same = checked and (checked.commit, checked.pipeline, checked.isolation) == (commit, pipeline, isolation)
            if checked and same and checked.clean and all(one.outcome is Outcome.PASSED for one in checked.checks):
                verify_bundle(store, digest)
                return digest, checked
        except (ArtifactError, EvidenceError):
            continue
    return None


def read_promotions(store: Store, keys: Keys, digest: str) -> list[Promoted]:
    """Return the verified promotions of one artifact, oldest first."""
    found = [_parse(Promoted, predicate, digest) for predicate in _verified(store, keys, digest, Kind.PROMOTION)]
    return sorted(found, key=lambda promoted: promoted.at)


def newest_promotion(store: Store, keys: Keys, environment: str) -> tuple[str, Promoted] | None:
    """Return digest and statement of what an environment promoted last, None when it never did."""
    found = [
        (digest, promoted)
        for digest in store.artifacts()
        for promoted in read_promotions(store, keys, digest)
        if promoted.environment == environment
    ]
    return max(found, key=lambda pair: pair[1].at, default=None)


def _parse(model: type[Model], predicate: dict[str, Any], digest: str) -> Model:
    try:
        return model.model_validate(predicate)
    except ValidationError as error:
        raise EvidenceError(
            f"signed evidence about {digest[:12]} cannot be read: {error.errors()[0]['msg']}"
        ) from error
