"""CycloneDX 1.6 bill of materials of an artifact: the wheels that it ships, the npm packages of its frontend, and the
container images that were built of them.

Wheels are read themselves; npm packages come from the package-lock.json files of the source.
"""

import base64
import binascii
import posixpath
import tarfile
import uuid
import zipfile
from typing import IO, Any
from urllib.parse import quote

from evidence.bundle import Bundle
from evidence.python_metadata import read_wheel
from evidence.store import Store
from gates.locks import LARGEST_LOCK_BYTES
from gates.other_locks import NPM_LOCK, unread_node_lock
from gates.scans.licences import Package
from gates.scans.npm_lock import locked_packages, read_npm_lock
from gates.scans.outcome import ReportError
from host.errors import ArtifactError, EvidenceError

# By Subresource Integrity's name: CycloneDX's, and the bytes of a digest.
ALGORITHMS = {"sha1": ("SHA-1", 20), "sha256": ("SHA-256", 32), "sha384": ("SHA-384", 48), "sha512": ("SHA-512", 64)}
NAMESPACE = uuid.UUID("6f6c1b0e-6a4e-4d0e-9c5e-0a6f7e2b9d11")


def make_bom(store: Store, digest: str, bundle: Bundle) -> dict[str, Any]:
    """Return the document of an artifact. The same artifact always has the same document.

    Names, versions and licences come from each wheel's METADATA, hashes from its bytes. npm packages that are only for
    development are left out. Raises ArtifactError if a wheel or a lock cannot be read.
    """
    wheels = {**bundle.wheels, **bundle.smoke_wheels}
    parts = [_component(name, blob, _package(store, name, blob)) for name, blob in sorted(wheels.items())]
    packages, unread = _npm_packages(store, bundle)
    parts += [_npm_component(package, integrity) for package, integrity in packages]
    parts += [_image_component(bundle, name, id) for name, id in (bundle.image.ids if bundle.image else {}).items()]
    # What is incomplete says so: "unknown" is what CycloneDX calls it when nothing is said.
    incomplete = [{"aggregate": "incomplete", "assemblies": ["app"]}] if unread else []
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "app",
                "name": bundle.app,
                "version": bundle.version,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
            "properties": [
                {"name": "slipway:commit", "value": bundle.commit},
                *({"name": "slipway:not-read", "value": lock} for lock in unread),
            ],
        },
        "components": parts,
        "dependencies": [{"ref": "app", "dependsOn": sorted({part["bom-ref"] for part in parts})}],
        **({"compositions": incomplete} if incomplete else {}),
    }


def components(bom: Any) -> set[str]:
    """Return the SHA-256 of every component. Raises EvidenceError if `bom` is not a CycloneDX document."""
    try:
        if bom["bomFormat"] != "CycloneDX":
            raise EvidenceError("the bill of materials is not a CycloneDX document")
        hashes = [entry for part in bom["components"] for entry in part.get("hashes", ())]
        return {str(entry["content"]) for entry in hashes if entry["alg"] == "SHA-256"}
    except (KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"the bill of materials cannot be read ({type(error).__name__}: {error})") from error


def _image_component(bundle: Bundle, name: str, id: str) -> dict[str, Any]:
    return {
        "type": "container",
        "bom-ref": f"image:{name or bundle.app}",
        "name": name or bundle.app,
        "version": bundle.version,
        "hashes": [{"alg": "SHA-256", "content": id.removeprefix("sha256:")}],
    }


def _npm_packages(store: Store, bundle: Bundle) -> tuple[list[tuple[Package, str]], list[str]]:
    """Return the shipped packages of every package-lock.json in the source, each once, with npm's hash; and the locks
    that are not read.
    """
    packages: dict[tuple[str, str], tuple[Package, str]] = {}
    unread = []
    try:
        with store.open_blob(bundle.source) as archive, tarfile.open(fileobj=archive) as source:
            for member in source:
                if "node_modules/" in member.name:
                    continue
                if unread_node_lock(member.name):
                    unread.append(member.name)
                if posixpath.basename(member.name) != NPM_LOCK:
                    continue
                if member.isreg() and (opened := source.extractfile(member)):
                    packages |= {
                        (package.name, package.version): (package, mark) for package, mark in _shipped(member, opened)
                    }
    except (tarfile.TarError, OSError) as error:
        raise ArtifactError(f"the source of {bundle.version} cannot be read ({type(error).__name__})") from error
    return [packages[key] for key in sorted(packages)], sorted(unread)


def _shipped(member: tarfile.TarInfo, content: IO[bytes]) -> list[tuple[Package, str]]:
    if member.size > LARGEST_LOCK_BYTES:
        raise ArtifactError(f"{member.name}: it has {member.size} bytes")
    try:
        lock = read_npm_lock(content.read())
    except ReportError as error:
        raise ArtifactError(f"{member.name}: {error}") from error
    return [(package, mark) for package, mark in locked_packages(lock) if package.shipped]


def _npm_component(package: Package, integrity: str) -> dict[str, Any]:
    group, _, name = package.name.rpartition("/")
    part: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"npm:{package.name}@{package.version}",
        "name": name,
        "version": package.version,
        "purl": f"pkg:npm/{quote(package.name, safe='/')}@{quote(package.version, safe='')}",
    }
    if group:
        part["group"] = group
    if package.expression:
        part["licenses"] = [{"license": {"name": package.expression}}]
    if hashes := _hashes(integrity):
        part["hashes"] = hashes
    return part


def _hashes(integrity: str) -> list[dict[str, str]]:
    """Return npm's `integrity` (Subresource Integrity, "sha512-BASE64 ...") in CycloneDX's form."""
    hashes = []
    for entry in integrity.split():
        algorithm, _, value = entry.partition("-")
        try:
            digest = base64.b64decode(value.partition("?")[0], validate=True)
        except binascii.Error:
            continue
        if ALGORITHMS.get(algorithm, ("", 0))[1] == len(digest):
            hashes.append({"alg": ALGORITHMS[algorithm][0], "content": digest.hex()})
    return hashes


def _package(store: Store, name: str, blob: str) -> Package:
    """Return the package that a wheel's METADATA describes."""
    try:
        with store.open_blob(blob) as content:
            return read_wheel(content, shipped=True)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise ArtifactError(f"{name}: its METADATA cannot be read ({type(error).__name__})") from error


def _component(wheel: str, blob: str, package: Package) -> dict[str, Any]:
    part: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{package.name}=={package.version}/{blob[:12]}",
        "name": package.name,
        "version": package.version,
        "purl": f"pkg:pypi/{package.name}@{package.version}",
        "hashes": [{"alg": "SHA-256", "content": blob}],
        "properties": [{"name": "slipway:wheel", "value": wheel}],
    }
    if licences := _licences(package):
        part["licenses"] = licences
    return part


def _licences(package: Package) -> list[dict[str, Any]]:
    """Return the licence: the expression (PEP 639) if there is one, else the classifiers' and the free text's names."""
    if package.expression:
        return [{"expression": package.expression}]
    names = [name.rpartition(" :: ")[2] for name in package.classifiers if name.startswith("License :: ")]
    names = names or [line[:200] for line in package.text.splitlines()[:1]]
    return [{"license": {"name": name}} for name in dict.fromkeys(names)]
