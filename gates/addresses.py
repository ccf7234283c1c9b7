"""What of a text may be told when an address can stand in it: a login, a path and a query can be a password."""

import itertools
import re

HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")


def without_passwords(text: str) -> str:
    """Return a text up to its first address, of which only scheme and host are told, or up to a login before it."""
    before, slashes, rest = text.partition("//")
    words = before.split(" ")
    sound = list(itertools.takewhile(lambda word: "@" not in word.partition(":")[2], words))
    if len(sound) < len(words):
        return " ".join([*sound, "..."])
    if not slashes:
        return text
    authority = rest.split("/")[0].split(" ")[0]
    host = authority.rpartition("@")[2]
    known = HOST.fullmatch(host) and "@" not in rest[len(authority) :]
    return f"{before}//{host if known else ''}..."
