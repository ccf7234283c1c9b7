"""Packages of which a lock names a source distribution and no wheel: [locks] build_from_source."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from gates.adopt.draft import Draft
from gates.adopt.packages import Packages
from gates.adopt.tree import Table, Tree, subtable
from gates.locks import NAME

SOURCES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")
SHOWN = 5


def propose_source_builds(tree: Tree, packages: Packages, draft: Draft) -> None:
    """Propose the packages that a lock of uv, Poetry or PDM, or a pylock.toml, has only as a source distribution. Of a
    list of requirements and a Pipfile.lock only the index knows.
    """
    lock = packages.sources[0] if packages.sources else ""
    if not lock.endswith(("uv.lock", "poetry.lock", "pdm.lock", ".toml")) or not tree.has(lock):
        return
    found = sorted({name for name, files in _files(tree.table(lock)) if _only_sources(files)})
    if found:
        places = [packages.where(name) or lock for name in found]
        because = f"no wheel of it at {', '.join(places[:SHOWN])}" + ", ..." * (len(places) > SHOWN)
        draft.put("locks", "build_from_source", tuple(found), because)


def _files(lock: Table) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each package of an index, and the names of its files."""
    older = subtable(lock, "metadata", "files")  # Poetry before 1.3
    for key in ("package", "packages"):
        listed = lock.get(key)
        for one in listed if isinstance(listed, list) else []:
            name = one.get("name") if isinstance(one, Mapping) else None
            if isinstance(name, str) and re.fullmatch(NAME, name):
                own = [one.get("sdist"), *_list(one.get("wheels")), *_list(one.get("files")), *_list(older.get(name))]
                yield str(canonicalize_name(name)), [file for file in map(_file_name, own) if file]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _file_name(file: Any) -> str:
    """Return the name of a file as one of these locks writes it, "" for what is none."""
    if not isinstance(file, Mapping):
        return ""
    named = next((file[key] for key in ("name", "file", "url", "path") if isinstance(file.get(key), str)), "")
    try:
        return posixpath.basename(unquote(urlsplit(named).path) if "://" in named else named)
    except ValueError:
        return ""


def _only_sources(files: list[str]) -> bool:
    return bool(files) and all(file.endswith(SOURCES) for file in files)
