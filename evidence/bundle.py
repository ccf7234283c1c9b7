"""The artifact: a bundle, built once from a commit and addressed by its digest; it may name a container image.

The digest is the SHA-256 of the manifest, which names every byte that runs: source archive, locks, wheels, Python
version, and
how the app is started, migrated, probed and smoke-tested. So a rollback starts an old version the way that version
wants.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.store import DIGEST, Store
from gates.release.health_rules import PLAIN, HealthRules
from gates.release.migrations import Step
from host.errors import ArtifactError

log = logging.getLogger(__name__)
Hex = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Command = Annotated[tuple[str, ...], Field(min_length=1)]


class Run(BaseModel):
    """How the app runs. In a command `{port}` becomes the slot's port, and `python` is the artifact's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    command: Command
    """Starts the service."""
    migrate: Command | None = None
    """Brings the database's schema up to date. It may be repeated."""
    health: tuple[Annotated[str, Field(pattern="^/")], ...] = Field(("/health",), min_length=1)
    """Paths that must answer 2xx, and whose JSON body must not say that the app is ill. `[health]` has the same as
    `paths`, beside how they are asked and read.
    """
    smoke: Command | None = None
    """Tests of a running version."""
    seed: Command | None = None
    """Fills an environment's database after its migration, where `SEED` says so. `{seed}` in it, and the variable
    `SEED`, are the kind of data. It may be repeated after an interruption.
    """
    stop_seconds: float = Field(30, gt=0)
    """Time between SIGTERM and SIGKILL."""
    # Of the section [health], no key of [run]. Not dumped when it says nothing: such a bundle keeps its digest.
    rules: HealthRules = Field(PLAIN, exclude_if=lambda rules: rules == PLAIN, json_schema_extra={"hidden": True})
    """How the health paths are asked, and what is read in their answers."""


class Image(BaseModel):
    """The container image that was built from the same files, for the `compose` runtime.

    `id` is the digest of its configuration, which names its layers: an engine's name for exactly these bytes.
    `reference` (name@sha256:...) is where a registry has it; without one only the engine that built it has the image.
    `compose` maps an environment to its compose file, a path inside the bundle's source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
    reference: Annotated[str, Field(pattern="^[^@ ]+@sha256:[0-9a-f]{64}$")] | None = None
    compose: dict[str, str] = Field(default_factory=dict)


class Metrics(BaseModel):
    """Where the app tells its figures: a page in Prometheus' text format, and its histogram of query seconds there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, Field(pattern="^/")]
    query: str = Field(min_length=1)


class Bundle(BaseModel):
    """A bundle's manifest. Blobs are named by hex SHA-256; `wheels` and `smoke_wheels` map file names to blobs.

    `migrations` are the app's, oldest first, as `ci` judged them; None when nobody could.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    app: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    version: str
    python: Annotated[str, Field(pattern=r"^3\.\d+$")]
    source: Hex
    lock: Hex
    wheels: dict[str, Hex]
    smoke_lock: Hex | None = None
    smoke_wheels: dict[str, Hex] = Field(default_factory=dict)
    run: Run
    image: Image | None = None
    migrations: tuple[Step, ...] | None = None
    metrics: Metrics | None = None


def put_bundle(store: Store, bundle: Bundle) -> str:
    """Store the manifest (its blobs are there already); return the artifact's digest."""
    # A bundle without them keeps the digest that it had before there were such.
    named = bundle.model_dump(mode="json")
    for part, names in ((named, ("image", "migrations", "metrics")), (named["run"], ("seed",))):
        for name in names:
            if part[name] is None:
                del part[name]
    return store.put_manifest(json.dumps(named, sort_keys=True, separators=(",", ":")).encode())


def read_bundle(store: Store, digest: str) -> Bundle:
    """Return an artifact's manifest. Raises ArtifactError if it is missing, changed or unreadable."""
    try:
        return Bundle.model_validate_json(store.manifest(digest))
    except ValidationError as error:
        file = store.manifest_file(digest)
        reason = f"unreadable manifest: {error.errors()[0]['msg']}"
        raise ArtifactError(f"{file}: artifact {digest[:12]}: {reason}") from error


def verify_bundle(store: Store, digest: str) -> Bundle:
    """Hash the manifest and every blob that it names. Raises ArtifactError, which names the first that is missing or
    changed.
    """
    bundle = read_bundle(store, digest)
    verify_blobs(store, bundle)
    return bundle


def verify_blobs(store: Store, bundle: Bundle) -> None:
    """Hash every blob that a manifest names. Raises ArtifactError for the first that is missing or changed."""
    for blob in blobs(bundle):
        store.verify_blob(blob)


def blobs(bundle: Bundle) -> list[str]:
    """Return every blob that the bundle needs."""
    locks = [bundle.lock] + ([bundle.smoke_lock] if bundle.smoke_lock else [])
    return [bundle.source, *locks, *bundle.wheels.values(), *bundle.smoke_wheels.values()]


def find_digest(store: Store, wanted: str, say: Callable[[str], None] = log.warning) -> str:
    """Return the artifact that `wanted` names: its digest, 8+ hex characters of it, its commit (7+) or its version.

    A whole digest means that artifact and nothing else. `say` is told of the manifests that cannot be read: a search
    passes over them. Raises ArtifactError if nothing has the name, or when several artifacts have it.
    """
    prefix = wanted.lower().removeprefix("sha256:")
    digests = store.artifacts()
    if DIGEST.fullmatch(prefix):
        if prefix not in digests:
            raise ArtifactError(f"no artifact {prefix[:12]} in {store.root}; build it: prefect deployment run ci/push")
        return prefix
    named = {digest: ["digest"] for digest in digests if len(prefix) >= 8 and digest.startswith(prefix)}
    if not wanted.lower().startswith("sha256:"):
        for digest in digests:
            if kinds := _names(store, digest, wanted, say):
                named[digest] = [*named.get(digest, ()), *kinds]
    if not named:
        raise ArtifactError(f'no artifact for "{wanted}"; build it: prefect deployment run ci/push -p commit={wanted}')
    if len(named) > 1:
        listed = "; ".join(f"{digest} (by its {' and '.join(kinds)})" for digest, kinds in named.items())
        raise ArtifactError(f'"{wanted}" fits several artifacts, name one of them by its whole digest: {listed}')
    return next(iter(named))


def _names(store: Store, digest: str, wanted: str, say: Callable[[str], None]) -> list[str]:
    """Return as what of an artifact's manifest `wanted` names it."""
    try:
        bundle = read_bundle(store, digest)
    except (ArtifactError, OSError) as error:
        say(f"passed over: {error}")
        return []
    by_commit = len(wanted) >= 7 and bundle.commit.startswith(wanted.lower())
    return ["commit"] * by_commit + ["version"] * (bundle.version == wanted)


def copy_blobs(store: Store, files: dict[str, str], directory: Path) -> None:
    """Lay blobs out under their file names, each as the copy that was hashed."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, digest in files.items():
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ArtifactError(f"bundle names a file outside its folder: {name!r}")
        store.copy_blob(digest, directory / name)
