"""Paths in an app's repository: what configuration may name, and what a tool's report means by one."""

import posixpath
from typing import Annotated

from pydantic import AfterValidator

TOP = "."
LONGEST = 300
# Folders of version control, of this program and of tools: none of them is in a commit.
NO_SOURCE = frozenset((".git", ".hg", ".svn", ".bzr", ".slipway", ".venv", "__pycache__", "node_modules"))


def repository_path(path: str) -> str:
    """Return a path from the top of a repository in its shortest form, "." for the top. Raises ValueError."""
    if path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        raise ValueError("expected a path in the app's repository, without `..`")
    if len(path) > LONGEST:
        raise ValueError(f"expected a path of up to {LONGEST} characters")
    return posixpath.normpath(path)


def source_folder(path: str) -> str:
    """Return a folder of an app's source as `repository_path` does. Raises ValueError for one that no commit can have,
    that a tool makes, or that a program would read as something else than a path.
    """
    folder = repository_path(path)
    for part in folder.split("/"):
        if part.lower() in NO_SOURCE:
            raise ValueError(f"expected a folder of the app's source: {part} is none")
        if part.startswith(("-", "~")):
            raise ValueError(f'expected a folder whose name does not begin with "{part[0]}": programs read more in it')
    return folder


# Where commands run.
Folder = Annotated[str, AfterValidator(repository_path)]
# What configuration may say of it. An artifact is not held to it: an old one runs as it did.
SourceFolder = Annotated[str, AfterValidator(source_folder)]


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
