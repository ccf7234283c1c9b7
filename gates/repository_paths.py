"""Paths in an app's repository: what configuration may name, and what a tool's report means by one."""

import posixpath
from typing import Annotated

from pydantic import AfterValidator

TOP = "."
LONGEST = 300


def repository_path(path: str) -> str:
    """Return a path from the top of a repository in its shortest form, "." for the top. Raises ValueError."""
    if path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        raise ValueError("expected a path in the app's repository, without `..`")
    if len(path) > LONGEST:
        raise ValueError(f"expected a path of up to {LONGEST} characters")
    return posixpath.normpath(path)


# Where commands run.
Folder = Annotated[str, AfterValidator(repository_path)]


def is_top(folder: str) -> bool:
    """Return whether a folder is the repository itself."""
    return folder == TOP


def below(folder: str, path: str) -> bool:
    """Return whether a path of the repository lies in a folder of it."""
    return is_top(folder) or path.startswith(f"{folder}/")


def from_top(path: str, directory: str, source: str = "/source") -> str:
    """Return a path that a program printed, which ran in `directory` of a repository laid out at `source`, as one from
    the top of the repository; only the file's name for one outside of it.
    """
    full = posixpath.normpath(posixpath.join(source, directory, path))
    inside = posixpath.relpath(full, source)
    return posixpath.basename(full) if inside.startswith("../") else inside
