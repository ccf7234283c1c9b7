"""What a package-lock.json pins: each package once, and whether it is shipped or only helps to build."""

from pydantic import ConfigDict, Field, ValidationError

from gates.documents import Foreign, first_fault
from gates.scans.licences import Package
from gates.scans.outcome import ReportError
from gates.strict_json import JsonError, parse

LONGEST_LICENCE = 2_000
RENEW = "npm install --package-lock-only --lockfile-version 3"


class _Locked(Foreign, of="npm's package-lock.json; gates/npm_manifests.py refuses what npm ci must not be given"):
    model_config = ConfigDict(frozen=True)

    name: str = ""
    version: str = ""
    dev: bool = False
    link: bool = False
    license: object = ""
    integrity: str = ""


class NpmLock(Foreign, of="npm's package-lock.json; gates/npm_manifests.py refuses what npm ci must not be given"):
    """npm's package-lock.json, versions 2 and 3."""

    model_config = ConfigDict(frozen=True)

    lockfileVersion: int = Field(ge=2, le=3)
    packages: dict[str, _Locked]


def read_npm_lock(content: bytes) -> NpmLock:
    """Return what a package-lock.json holds. Raises ReportError if it is none of version 2 or 3."""
    try:
        return NpmLock.model_validate(parse(content))
    except JsonError as error:
        raise ReportError(f"{error}; run: {RENEW}") from None
    except ValidationError as error:
        raise ReportError(f"it is no package-lock.json of version 2 or 3: {first_fault(error)}; run: {RENEW}") from None


def locked_packages(lock: NpmLock) -> list[tuple[Package, str]]:
    """Return each package once, with the hash of its archive as npm writes it; shipped when one of its places is."""
    found: dict[tuple[str, str], tuple[Package, str]] = {}
    for path, one in lock.packages.items():
        if one.link or "node_modules/" not in path:
            continue
        name = one.name or path.rpartition("node_modules/")[2]  # under an alias stands the real name, too
        package = Package(name, one.version, "npm", not one.dev, expression=_licence(one.license))
        if (name, one.version) not in found or package.shipped:
            found[(name, one.version)] = (package, one.integrity)
    return list(found.values())


def _licence(said: object) -> str:
    """Return the field's text; an old form is {"type": "MIT"}, or a list of those to choose from."""
    if isinstance(said, list):
        return " OR ".join(filter(None, map(_licence, said)))
    if isinstance(said, dict):
        said = said.get("type", "")
    text = said.strip() if isinstance(said, str) else ""
    return text if len(text) <= LONGEST_LICENCE else f"a licence of {len(text)} characters"
