"""Small locks of other tools for the tests, and what is read of them."""

from packaging.tags import Tag

from gates.lock_formats.assemble import Converted
from gates.lock_formats.selection import Target

TAGS = frozenset({Tag("py3", "none", "any"), Tag("cp311", "cp311", "linux_x86_64")})
TARGET = Target("3.11", "x86_64", TAGS)


def digest(name: str) -> str:
    """Return a digest that is another one for each first letter."""
    return f"{ord(name[0]):064x}"


def pins(converted: Converted) -> list[str]:
    """Return what is installed, each with its marker."""
    packages = converted.lock.packages
    return [f"{one.name}=={one.version}" + (f" ; {one.marker}" if one.marker else "") for one in packages]
