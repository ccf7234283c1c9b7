"""What a package-lock.json pins: each package once, and whether it is shipped or only helps to build."""

from pydantic import BaseModel, ConfigDict, Field

from gates.scans.licences import Package


class _Locked(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: str = ""
    dev: bool = False
    link: bool = False
    license: object = ""
    integrity: str = ""


class NpmLock(BaseModel):
    """npm's package-lock.json, versions 2 and 3."""

    model_config = ConfigDict(frozen=True)

    lockfileVersion: int = Field(ge=2, le=3)
    packages: dict[str, _Locked]


def locked_packages(lock: NpmLock) -> list[tuple[Package, str]]:
    """Return each package once, with the hash of its archive as npm writes it; shipped when one of its places is."""
    found: dict[tuple[str, str], tuple[Package, str]] = {}
    for path, one in lock.packages.items():
        if one.link or "node_modules/" not in path:
            continue
        name = path.rpartition("node_modules/")[2]
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
    return said.strip()[:300] if isinstance(said, str) else ""
