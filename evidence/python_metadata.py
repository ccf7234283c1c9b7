"""A Python package, as the METADATA of its wheel describes it."""

import re
import zipfile
from typing import IO

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name

from gates.scans.licences import Package

LARGEST_METADATA_BYTES = 5_000_000
METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


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


def read_wheel(content: IO[bytes], shipped: bool) -> Package:
    """Return the package that a wheel's METADATA describes. Raises ValueError, OSError, RuntimeError or BadZipFile if
    it has none that can be read.
    """
    with zipfile.ZipFile(content) as wheel:
        inside = next((file for file in wheel.infolist() if METADATA.fullmatch(file.filename)), None)
        if inside is None or inside.file_size > LARGEST_METADATA_BYTES:
            raise ValueError(f"its METADATA has {inside.file_size} bytes" if inside else "it has no METADATA")
        return read_metadata(wheel.read(inside), shipped)
