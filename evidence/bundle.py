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
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from evidence.store import DIGEST, Store
from gates.databases.form import PLAIN_FORM, DatabaseForm
from gates.documents import first_fault
from gates.migrations.steps import Step
from gates.release.health_rules import PLAIN, HealthRules, UrlPath
from gates.repository_paths import Folder, is_top
from host.errors import ArtifactError

log = logging.getLogger(__name__)
Hex = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Command = Annotated[tuple[str, ...], Field(min_length=1)]
ImageId = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Reference = Annotated[str, Field(pattern="^[^@ -][^@ ]*@sha256:[0-9a-f]{64}$")]


class Process(BaseModel):
    """A further process of the app, such as a worker or a scheduler, for `RUNTIME=process`; with `RUNTIME=compose` the
    compose file has them. It runs as the service does: the same files, settings, user and limits. It has no port.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    command: Command
    """Starts it. It runs until it gets SIGTERM; one that ends is started again."""
    role: Literal["slot", "singleton"]
    """`slot`: every version that runs has its own, started with the service and judged with it. While the old version
    is kept warm its own runs as well, so both take jobs. `singleton`: only the version that serves has it. It is
    stopped before that of another version starts, when the traffic is switched, so two never run.
    """
    stop_seconds: float = Field(30, gt=0)
    """Time between SIGTERM and SIGKILL. Longer than its longest job, else a release ends the job."""


def _further(name: str) -> str:
    if name == "web":
        raise ValueError("web is the service itself, which run.command starts")
    return name


# Part of a program's name, which has 40 characters.
ProcessName = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,24}$"), AfterValidator(_further)]


class Run(BaseModel):
    """How the app runs. In a command `{port}` becomes the slot's port; `python`, and the programs of its packages
    (`gunicorn`), are the artifact's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    command: Command
    """Starts the service."""
    migrate: Command | None = None
    """Brings the database's schema up to date. It may be repeated."""
    health: tuple[UrlPath, ...] = Field(("/health",), min_length=1)
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
    # Of the section [database], likewise.
    database: DatabaseForm = Field(
        PLAIN_FORM, exclude_if=lambda form: form == PLAIN_FORM, json_schema_extra={"hidden": True}
    )
    """How the app is told of its database."""
    # Of the section [app], no key of [run]; not dumped when it is the top, as above.
    directory: Folder = Field(".", exclude_if=is_top, json_schema_extra={"hidden": True})
    """The folder of the source where the commands run."""
    # Not dumped when there are none: such a bundle keeps its digest.
    processes: dict[ProcessName, Process] = Field(default_factory=dict, exclude_if=lambda processes: not processes)
    """Its further processes, by name."""

    def of_role(self, role: str) -> dict[str, Process]:
        """Return the processes of a role, by name."""
        return {name: process for name, process in self.processes.items() if process.role == role}


class Build(BaseModel):
    """What an image is built of, as a compose file says it. Paths lie in the source, "." is all of it; a Dockerfile of
    the release repository is `{release}/...`. `contexts` are further ones by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dockerfile: str
    context: str = "."
    target: str | None = None
    args: dict[str, str] = Field(default_factory=dict)
    contexts: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    platform: str | None = None

    @property
    def key(self) -> str:
        """Return the same text for builds that make the same image."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


class OtherImage(BaseModel):
    """An image of the artifact beside the first; `id` and `reference` as there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: ImageId
    reference: Reference | None = None
    build: Build


class Image(BaseModel):
    """The container images that were built from the same files, for the `compose` runtime.

    `id` is the digest of its configuration, which names its layers: an engine's name for exactly these bytes.
    `reference` (name@sha256:...) is where a registry has it; without one only the engine that built it has the image.
    `compose` maps an environment to its compose file, a path inside the bundle's source.

    `others` are the images of the services that are built otherwise, by name. `services` maps an environment and each
    of its services that has a build to the name of what that runs, "" for the first image; None in an artifact that
    was made when there was only one image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: ImageId
    reference: Reference | None = None
    compose: dict[str, str] = Field(default_factory=dict)
    build: Build | None = None
    others: dict[Annotated[str, Field(pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]{0,90}$")], OtherImage] = Field(
        default_factory=dict
    )
    services: dict[str, dict[str, str]] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {name for runs in (self.services or {}).values() for name in runs.values()}
        if unknown := named - {"", *self.others}:
            raise ValueError(f"services run {', '.join(sorted(unknown))}, of which there is no image")
        return self

    @property
    def every(self) -> dict[str, tuple[str, str | None]]:
        """Return id and reference of each image by its name; the first one's is ""."""
        others = {name: (one.id, one.reference) for name, one in self.others.items()}
        return {"": (self.id, self.reference), **others}

    @property
    def ids(self) -> dict[str, str]:
        """Return the id of each image by its name; the first one's is ""."""
        return {name: found for name, (found, _) in self.every.items()}


class Metrics(BaseModel):
    """Where the app tells its figures: a page in Prometheus' text format, and its histogram of query seconds there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: UrlPath
    query: str = Field(min_length=1)


class LockOrigin(BaseModel):
    """What a lock of the artifact was made of: a file of the commit with that SHA-256, and the chosen part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: Hex
    selection: str = ""


class SourceBuild(BaseModel):
    """How a wheel of the artifact was built of a source distribution. `backend` is the build backend's name, `tools`
    are the packages that it was given ("setuptools 80.10.2"), of the lock with the SHA-256 `tools_lock`; `unlike` those
    that the sources wanted at another version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(min_length=1, max_length=250)]
    source_sha256: Hex
    backend: str
    tools: tuple[str, ...]
    unlike: tuple[str, ...] = ()
    tools_lock: Hex
    isolation: str

    def __str__(self) -> str:
        unlike = f"; it wanted {', '.join(self.unlike)}" if self.unlike else ""
        made = (
            f"of {self.source} (SHA-256 {self.source_sha256}) by {self.backend}, with {', '.join(self.tools)}{unlike}"
        )
        return f"{made}; isolation {self.isolation}"


class Bundle(BaseModel):
    """A bundle's manifest. Blobs are named by hex SHA-256; `wheels` and `smoke_wheels` map file names to blobs.

    `migrations` are the app's, oldest first, as `ci` judged them; None when nobody could. `made_of` tells of the locks
    that the commit has in another tool's form, `built` of the wheels that were made of sources, by blob.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    app: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    version: str
    python: Annotated[str, Field(pattern=r"^3\.[0-9]+$")]
    source: Hex
    lock: Hex
    wheels: dict[str, Hex]
    smoke_lock: Hex | None = None
    smoke_wheels: dict[str, Hex] = Field(default_factory=dict)
    run: Run
    image: Image | None = None
    migrations: tuple[Step, ...] | None = None
    metrics: Metrics | None = None
    # Not dumped when empty: such a bundle keeps its digest.
    made_of: dict[Literal["runtime", "smoke"], LockOrigin] = Field(
        default_factory=dict, exclude_if=lambda locks: not locks
    )
    built: dict[Hex, SourceBuild] = Field(default_factory=dict, exclude_if=lambda wheels: not wheels)

    @model_validator(mode="after")
    def _has_what_was_built(self) -> Self:
        if unknown := set(self.built) - {*self.wheels.values(), *self.smoke_wheels.values()}:
            raise ValueError(f"{min(unknown)[:12]} was built, and is no wheel of it")
        return self


def put_bundle(store: Store, bundle: Bundle) -> str:
    """Store the manifest (its blobs are there already); return the artifact's digest."""
    # A bundle without them keeps the digest that it had before there were such.
    named = bundle.model_dump(mode="json")
    later = [(named, ("image", "migrations", "metrics")), (named["run"], ("seed",))]
    later += [(named["image"], ("build", "others", "services"))] if named["image"] else []
    for part, names in later:
        for name in names:
            if part[name] is None or (name == "others" and not part[name]):
                del part[name]
    return store.put_manifest(json.dumps(named, sort_keys=True, separators=(",", ":")).encode())


def read_bundle(store: Store, digest: str) -> Bundle:
    """Return an artifact's manifest. Raises ArtifactError if it is missing, changed or unreadable."""
    try:
        return Bundle.model_validate_json(store.manifest(digest))
    except ValidationError as error:
        file = store.manifest_file(digest)
        reason = f"unreadable manifest: {first_fault(error)}"
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
