"""Sign what `ci` and the scans saw, for exactly this commit and artifact, and how it was built."""

import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from prefect.logging import get_run_logger

from control.signing_keys import signing_keys
from evidence.bundle import read_bundle, verify_bundle
from evidence.provenance import make_provenance
from evidence.provenance import sign_origin as state_origin
from evidence.sbom import make_bom
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Scanned, forget_scans, read_scans, state
from evidence.store import Store
from gates.check import Check
from host.errors import ArtifactError, EvidenceError
from host.home import Home
from host.sandbox.run import described
from settings.pipeline import Pipeline
from tasks.retries import repeatable
from tasks.source.git import Source

Images = tuple[tuple[str, str], ...]  # name and id of each, the first one's name is ""
SCANS_KEPT = 90  # of one artifact: a season of nights


def checked(pipeline: Pipeline, source: Source, run: str, checks: Sequence[Check]) -> Checked:
    """Return what is stated of the checks of one run."""
    return Checked(
        commit=source.commit,
        version=source.version,
        branch=source.branch,
        clean=source.signable,
        isolation=described(),
        pipeline=pipeline.digest,
        at=datetime.now(UTC),
        run=run,
        checks=tuple(checks),
        history=source.history,
        older=source.older,
    )


@repeatable("sign")
def sign_checks(digest: str, app: str, checked: Checked) -> None:
    """Sign the checks, failed ones included, and store them beside the artifact. The newest statement counts."""
    home = Home.find()
    state(Store(home.store), signing_keys(home), digest, app, Kind.CHECKS, checked)
    get_run_logger().info("signed evidence of %d checks for %s", len(checked.checks), digest[:12])


@repeatable("sign scans")
def sign_scans(digest: str, app: str, scanned: Scanned) -> None:
    """Sign what the security scans saw, failures included, and store it beside the artifact. The newest counts, and
    SCANS_KEPT are kept.
    """
    home = Home.find()
    log, store, keys = get_run_logger(), Store(home.store), signing_keys(home)
    state(store, keys, digest, app, Kind.SCANS, scanned)
    log.info("signed evidence of %d scans for %s", len(scanned.checks), digest[:12])
    try:
        forget_scans(store, keys, digest, SCANS_KEPT)
    except (EvidenceError, OSError) as error:
        log.warning("old scans of %s are not tidied up: %s", digest[:12], error)


@repeatable("sign origin")
def sign_origin(digest: str, repository: str, pipeline: str, run: str, began: datetime) -> None:
    """Sign how an artifact was built (SLSA provenance) and what it is made of (CycloneDX). The newest counts.

    `pipeline` is the digest of the rules, `began` (aware) when the build's run started. Raises ArtifactError if the
    artifact is not what it was.
    """
    home = Home.find()
    store = Store(home.store)
    bundle = verify_bundle(store, digest)
    provenance = make_provenance(bundle, repository, pipeline, run, began, datetime.now(UTC), host=socket.gethostname())
    bom = make_bom(store, digest, bundle)
    state_origin(store, signing_keys(home), digest, bundle, provenance, bom)
    get_run_logger().info("signed provenance and a bill of %d materials for %s", len(bom["components"]), digest[:12])


def artifacts_of(app: str, commit: str, live: Iterable[str]) -> dict[str, Images]:
    """Return the artifacts of a commit that a scan of it speaks for: those that are live and the newest that was built.

    Each with the container images that it names.
    """
    store = Store(Home.find().store)
    images: dict[str, Images] = dict.fromkeys(live, ())
    newest = ""
    for digest in reversed(store.artifacts()):
        try:
            bundle = read_bundle(store, digest)
        except ArtifactError:
            continue
        if (bundle.app, bundle.commit) == (app, commit):
            newest = newest or digest
        if digest in (newest, *images):
            images[digest] = tuple(bundle.image.ids.items()) if bundle.image else ()
    return images


def known_findings(digest: str) -> frozenset[str]:
    """Return the fingerprint of everything that any signed scan of an artifact found. Raises EvidenceError if one is
    not genuine.
    """
    home = Home.find()
    scans = read_scans(Store(home.store), Keys(home.keys), digest)
    return frozenset().union(*(one.fingerprints for one in scans))
