"""A Python package, as the METADATA of its wheel describes it."""

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name

from gates.scans.licences import Package


def read_metadata(metadata: bytes, shipped: bool) -> Package:
    """Return the package that a METADATA file describes. Raises ValueError if it names no package and version."""
    fields, _ = parse_email(metadata)
    if not fields.get("name") or not fields.get("version"):
        raise ValueError("it names no package and version")
    return Package(
        name=canonicalize_name(fields["name"]),
        version=fields["version"],
        ecosystem="python",
        shipped=shipped,
        expression=fields.get("license_expression", "").strip(),
        classifiers=tuple(fields.get("classifiers", ())),
        text=fields.get("license", "").strip(),
    )
