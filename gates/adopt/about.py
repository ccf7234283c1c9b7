"""What git knows of a repository, and what it may be called here."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """`place` is its address or path; `author` and `email` are those of the newest commit, "" when nobody knows.
    `head` is that commit, "" without one. `is_origin`: the address is that of its origin. `folder`: the app is looked
    for in there alone, "" for everywhere.
    """

    name: str
    place: str
    branch: str = ""
    author: str = ""
    email: str = ""
    is_git: bool = False
    head: str = ""
    is_origin: bool = False
    folder: str = ""


def app_name(name: str) -> str:
    """Return a name as [app] name must be: lower-case letters, digits and `_`, at most 31 characters."""
    plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
    return re.sub("^[^a-z]+", "", plain)[:31].strip("_") or "app"
