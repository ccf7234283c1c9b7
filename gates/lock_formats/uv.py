"""uv.lock: what is to be known of one before uv itself exports it as a pylock.toml."""

from collections.abc import Mapping
from typing import Any

from gates.lock_formats.assemble import name_of
from gates.lock_formats.selection import LockError, shown
from gates.lock_formats.tables import list_of, table_of, text_of, texts_of
from gates.strict_toml import TomlError, parse

FORMAT = 1
LOCAL = ("editable", "virtual", "directory")


def own_packages(text: str) -> dict[str, str]:
    """Return the project and the members of its workspace, each with its folder: they are no packages to install.

    Raises LockError for what is no uv.lock, or one of another format.
    """
    raw = _parsed(text)
    members = set(texts_of(table_of(raw, "manifest"), "members"))
    found = {text_of(package, "name"): _folder(package) for package in list_of(raw, "package")}
    return {name: folder for name, folder in found.items() if folder == "." or (folder and name in members)}


def package_names(text: str) -> set[str]:
    """Return the canonical names of all packages, of every group and system. Raises LockError like `own_packages`."""
    return {name_of(package.get("name"), "package") for package in list_of(_parsed(text), "package")}


def _parsed(text: str) -> dict[str, Any]:
    try:
        raw = parse(text)
    except TomlError as error:
        raise LockError(str(error)) from None
    if raw.get("version") != FORMAT or isinstance(raw.get("version"), bool):
        raise LockError(f"format version {shown(raw.get('version'))}, expected {FORMAT}: make it anew: uv lock")
    return raw


def _folder(package: Mapping[str, Any]) -> str:
    source = table_of(package, "source")
    return next((text_of(source, kind) for kind in LOCAL if kind in source), "")
