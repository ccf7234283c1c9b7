"""The address of a git repository, and what must not stand in it."""

import re
from urllib.parse import urlsplit

SCP_LIKE = re.compile(r"[^/]+:")  # host:path; git's own rule: a colon before the first slash
# A name that long, or with these beginnings, is no person's: forges take a token in the place of the user.
_TOKEN = re.compile(r"(gh[a-z]_|github_pat_|glpat-|glcbt-|gldt-|ATBB|ATATT|hf_).*|[A-Za-z0-9_\-.~+/=%]{20,}")


def holds_password(address: str) -> bool:
    """Say whether an address holds a password or token. Paths and `host:path`, which have no scheme, never do.

    What is no address at all counts as one that does: it cannot be told, and git would print it.
    """
    if "://" not in address:
        return False
    try:
        parts = urlsplit(address.strip())
        user, password = parts.username or "", parts.password
    except ValueError:
        return True
    asks = parts.scheme != "file" and bool(parts.query or parts.fragment)
    return password is not None or bool(_TOKEN.fullmatch(user)) or asks
