"""How an artifact came about: SLSA v1 provenance (https://slsa.dev/spec/v1.0/provenance) and a bill of materials."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from evidence.bundle import Bundle
from evidence.sbom import components
from evidence.signing import Keys
from evidence.statements import Kind, parse, state, verified
from evidence.store import Store
from gates.check import Check, Outcome, no_verdict
from gates.documents import Foreign
from host.errors import EvidenceError

BUILD_TYPE = "urn:slipway:build:bundle:v1"
BUILDER = "urn:slipway:ci"


class _Part(Foreign, of="SLSA's provenance, whose readers must pass over what they do not know"):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Resource(_Part):
    """Something that went into the build. `digest` maps an algorithm (gitCommit, sha256) to hex."""

    uri: str
    digest: dict[str, str]


class BuildDefinition(_Part):
    build_type: str
    external_parameters: dict[str, str]
    internal_parameters: dict[str, str] = Field(default_factory=dict)
    resolved_dependencies: tuple[Resource, ...]


class Builder(_Part):
    id: str


class Metadata(_Part):
    invocation_id: str
    started_on: datetime
    finished_on: datetime


class RunDetails(_Part):
    builder: Builder
    metadata: Metadata
    byproducts: tuple[Resource, ...] = ()


class Provenance(_Part):
    """The predicate of `https://slsa.dev/provenance/v1`."""

    build_definition: BuildDefinition
    run_details: RunDetails


def make_provenance(
    bundle: Bundle, repository: str, pipeline: str, run: str, began: datetime, ended: datetime, host: str
) -> Provenance:
    """Return what is stated of a bundle. `pipeline` is the digest of the rules; times are aware; `host` built it.

    Credentials in the repository's address are left out.
    """
    address = without_credentials(repository)
    return Provenance(
        build_definition=BuildDefinition(
            build_type=BUILD_TYPE,
            external_parameters={"repository": address, "commit": bundle.commit},
            internal_parameters={
                "pipeline": pipeline,
                "python": bundle.python,
                **_selections(bundle),
                **_builds(bundle),
            },
            resolved_dependencies=(
                Resource(uri=f"git+{address}@{bundle.commit}", digest={"gitCommit": bundle.commit}),
                *_locks(bundle),
                *_origins(bundle),
                *_sources(bundle),
            ),
        ),
        run_details=RunDetails(
            builder=Builder(id=f"{BUILDER}@{host}"),
            metadata=Metadata(invocation_id=run, started_on=began, finished_on=ended),
            byproducts=(*_images(bundle), *_built_wheels(bundle)),
        ),
    )


def without_credentials(address: str) -> str:
    """Return a URL without user and password; a path as it is."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _locks(bundle: Bundle) -> tuple[Resource, ...]:
    found = [Resource(uri="urn:slipway:lock:runtime", digest={"sha256": bundle.lock})]
    if bundle.smoke_lock:
        found.append(Resource(uri="urn:slipway:lock:smoke", digest={"sha256": bundle.smoke_lock}))
    return tuple(found)


def _origins(bundle: Bundle) -> tuple[Resource, ...]:
    """Return the files of the commit that locks were made of."""
    return tuple(
        Resource(uri=f"urn:slipway:lock:{name}:made-of:{quote(origin.file)}", digest={"sha256": origin.sha256})
        for name, origin in bundle.made_of.items()
    )


def _sources(bundle: Bundle) -> tuple[Resource, ...]:
    """Return the source distributions that wheels were built of, and the locks of what built them."""
    sources = {one.source_sha256: f"urn:slipway:sdist:{quote(one.source)}" for one in bundle.built.values()}
    locks = {one.tools_lock: "urn:slipway:lock:build" for one in bundle.built.values()}
    return tuple(Resource(uri=uri, digest={"sha256": digest}) for digest, uri in {**sources, **locks}.items())


def _built_wheels(bundle: Bundle) -> tuple[Resource, ...]:
    """Return the wheels that were built of sources."""
    return tuple(
        Resource(uri=f"urn:slipway:wheel:{quote(name)}", digest={"sha256": digest})
        for name, digest in _shipped(bundle)
        if digest in bundle.built
    )


def _shipped(bundle: Bundle) -> list[tuple[str, str]]:
    return sorted({*bundle.wheels.items(), *bundle.smoke_wheels.items()})


def _builds(bundle: Bundle) -> dict[str, str]:
    """Return how each wheel was built that was made of sources."""
    return {f"built {name}": str(bundle.built[one]) for name, one in _shipped(bundle) if one in bundle.built}


def _selections(bundle: Bundle) -> dict[str, str]:
    """Return which part of which file each lock was made of, where it is another tool's."""
    return {
        f"lock {name}": f"{origin.file} ({origin.selection})" if origin.selection else origin.file
        for name, origin in bundle.made_of.items()
    }


def _images(bundle: Bundle) -> tuple[Resource, ...]:
    ids = bundle.image.ids if bundle.image else {}
    return tuple(
        Resource(uri=f"urn:slipway:image:{name or bundle.app}", digest={"sha256": id.removeprefix("sha256:")})
        for name, id in ids.items()
    )


def _stated_images(bundle: Bundle) -> set[str]:
    """Return the images that statements must name: those made before did not, when there was one image at most."""
    named = bundle.image is not None and bundle.image.services is not None
    return {one.digest["sha256"] for one in _images(bundle)} if named else set()


def sign_origin(
    store: Store, keys: Keys, digest: str, bundle: Bundle, provenance: Provenance, bom: Mapping[str, Any]
) -> None:
    """Sign provenance and bill of materials of an artifact and store both. Raises EvidenceError if there is no key."""
    state(store, keys, digest, bundle.app, Kind.PROVENANCE, provenance)
    state(store, keys, digest, bundle.app, Kind.SBOM, bom)


def origin_checks(store: Store, keys: Keys, digest: str, bundle: Bundle) -> tuple[Check, Check]:
    """Return the checks `provenance` and `sbom` of an artifact whose bytes were verified; what is absent was skipped.

    A statement that contradicts the artifact fails. Raises EvidenceError if one is not genuine.
    """
    return _provenance_check(store, keys, digest, bundle), _sbom_check(store, keys, digest, bundle)


def read_provenance(store: Store, keys: Keys, digest: str) -> tuple[Provenance, str] | None:
    """Return the newest genuine provenance and its key's id, None when there is none."""
    found = verified(store, keys, digest, Kind.PROVENANCE)
    return (parse(Provenance, found[-1], digest), found[-1].key) if found else None


def _provenance_check(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Check:
    found = read_provenance(store, keys, digest)
    if found is None:
        return Check(name="provenance", outcome=Outcome.SKIPPED, reason="nobody stated how it was built")
    provenance, key = found
    built = {
        (kind, value) for one in provenance.build_definition.resolved_dependencies for kind, value in one.digest.items()
    }
    named = (*_locks(bundle), *_origins(bundle), *_sources(bundle), *_built_wheels(bundle))
    wanted = {("gitCommit", bundle.commit), *(("sha256", one.digest["sha256"]) for one in named)}
    metadata = provenance.run_details.metadata
    images = _stated_images(bundle)
    built |= {("sha256", one.digest.get("sha256", "")) for one in provenance.run_details.byproducts}
    wanted |= {("sha256", one) for one in images}
    if provenance.build_definition.build_type != BUILD_TYPE or not wanted <= built:
        missing = ", ".join(sorted(f"{kind} {value[:12]}" for kind, value in wanted - built)) or "another kind of build"
        return Check(name="provenance", outcome=Outcome.FAILED, reason=f"it does not say how this was built: {missing}")
    return Check(
        name="provenance",
        outcome=Outcome.PASSED,
        reason=f"built by {provenance.run_details.builder.id} in run {metadata.invocation_id}",
        examined=f"commit {bundle.commit[:12]}, {len(_locks(bundle))} locks"
        + f", {len(images)} images" * bool(images)
        + f", {len(bundle.built)} wheels built from source" * bool(bundle.built),
        tool=f"key {key}",
        seconds=max(0.0, (metadata.finished_on - metadata.started_on).total_seconds()),
    )


def _sbom_check(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Check:
    found = verified(store, keys, digest, Kind.SBOM)
    if not found:
        return Check(name="sbom", outcome=Outcome.SKIPPED, reason="there is no bill of materials")
    try:
        hashes = components(found[-1].predicate)
    except EvidenceError as error:
        return no_verdict("sbom", str(error))
    shipped, images = set(bundle.wheels.values()), _stated_images(bundle)
    if unnamed := shipped - hashes:
        reason = f"it leaves out {len(unnamed)} of {len(shipped)} shipped wheels"
        return Check(name="sbom", outcome=Outcome.FAILED, reason=reason)
    if unnamed := images - hashes:
        reason = f"it leaves out {len(unnamed)} of {len(images)} images"
        return Check(name="sbom", outcome=Outcome.FAILED, reason=reason)
    return Check(
        name="sbom",
        outcome=Outcome.PASSED,
        reason=f"names all {len(shipped)} shipped wheels" + f" and {len(images)} images" * bool(images),
        examined=f"{len(hashes)} components",
        tool=f"key {found[-1].key}",
    )
