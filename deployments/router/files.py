"""Envoy's dynamic files on disk: written durably, replaced by rename (Envoy notices nothing else), put back."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.router import routes as envoy
from deployments.router.challenges import answers_in
from host.errors import RouterError
from host.files import write_atomically


def by_name(pair: envoy.Pair) -> dict[str, envoy.Document]:
    """Return file name -> document."""
    return {"cds.json": pair.cds, "rds.json": pair.rds}


def write(path: Path, document: envoy.Document, group: int) -> None:
    """Write a file durably and by rename. Beside us a group may read it. RouterError leaves the old file."""
    try:
        write_atomically(path, json.dumps(document).encode(), 0o640, group)
    except OSError as error:
        raise RouterError(f"router: cannot write {path}: {error.strerror}") from error


def write_pair(directory: Path, pair: envoy.Pair, group: int) -> None:
    """Write both files of a pair unless they are there already."""
    if read_pair(directory) != pair:
        for name, document in by_name(pair).items():
            write(directory / name, document, group)


def read_pair(directory: Path) -> envoy.Pair | None:
    """Return the pair of documents there, or None if one is absent or not what we write."""
    try:
        cds, rds = (json.loads((directory / name).read_bytes()) for name in ("cds.json", "rds.json"))
        pair = envoy.Pair(cds, rds)
        understood = isinstance(pair.backends, dict) and "resources" in rds
        return pair if understood else None
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def version_of(path: Path) -> str:
    """Return the version of one document, "" when there is none that we wrote."""
    try:
        return str(json.loads(path.read_bytes())["version_info"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def chain_of(path: Path) -> str:
    """Return the certificate chain that a document holds, "" when there is none that we wrote."""
    try:
        (secret,) = json.loads(path.read_bytes())["resources"]
        return str(secret["tls_certificate"]["certificate_chain"]["inline_string"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def answers_of(path: Path) -> dict[str, str]:
    """Return what a document of answers to an ACME authority holds, nothing when there is none that we wrote."""
    try:
        return answers_in(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        return {}


@contextmanager
def replaced(path: Path, document: envoy.Document, group: int) -> Iterator[None]:
    """Replace a file for good if the block succeeds; if it raises, the old one is back by a mere rename."""
    back = path.with_suffix(".back")
    link(path, back)
    write(path, document, group)
    try:
        yield
    except BaseException:
        os.replace(back, path)
        raise
    back.unlink()


def link(source: Path, path: Path) -> None:
    """Make `path` the same file as `source`, by rename: needs no room on the disk for its content."""
    temporary = path.with_suffix(".link")
    temporary.unlink(missing_ok=True)
    os.link(source, temporary)
    os.replace(temporary, path)
    # Left over when `path` was the same file already: rename does nothing then.
    temporary.unlink(missing_ok=True)
