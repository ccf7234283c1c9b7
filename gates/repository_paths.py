"""Paths in an app's repository: what configuration may name, and what a tool's report means by one."""

import posixpath
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

TOP = "."


def repository_path(path: str) -> str:
    """Return a path from the top of a repository in its shortest form, "." for the top. Raises ValueError."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not path.isprintable():
        raise ValueError("expected a path in the app's repository, without `..`")
    return str(pure)


# Where commands run.
Folder = Annotated[str, Field(max_length=300), AfterValidator(repository_path)]


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
