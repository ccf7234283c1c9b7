"""Names and values of environment variables that look like secrets."""

import re

_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)", re.IGNORECASE
)
# Names that say where a secret is, how long it lives, or that hold none.
_ABOUT = re.compile(r"_(FILE|PATH|DIR|URL|NAME|TTL|SECONDS|MINUTES|LENGTH|HEADER|ENABLED)$", re.IGNORECASE)
# The scheme's last letter is enough: a search for the whole of it would begin anew at each letter of a long word.
_URL = re.compile(r"[a-z0-9+.-]://[^/\s:@]*:[^/\s@$]+@", re.IGNORECASE)


def looks_secret(name: str, value: str) -> bool:
    """Return whether a variable seems to hold a secret: by its name, or by a password inside of a URL."""
    if not value:
        return False
    return bool(_URL.search(value)) or bool(_NAME.search(name) and not _ABOUT.search(name))
