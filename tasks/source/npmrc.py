"""The app's .npmrc: it is npm's configuration, so only settings that are known to be harmless reach npm."""

import re

from host.errors import ToolError

ALLOWED = frozenset(
    "audit audit-level color engine-strict fund include legacy-peer-deps lockfile-version loglevel omit "
    "omit-lockfile-registry-resolved package-lock prefer-dedupe prefer-offline progress save-exact save-prefix "
    "strict-peer-deps update-notifier".split()
)
REGISTRY = re.compile(r"(@[a-z0-9._-]+:)?registry")
ADDRESS = re.compile(r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?")


def refuse_npmrc(content: bytes, name: str) -> None:
    """Raises ToolError, with file and line, if a setting is not known to be harmless."""
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        key, _, value = (part.strip() for part in text.partition("="))
        registry = REGISTRY.fullmatch(key) and ADDRESS.fullmatch(value)
        if "${" in text or not (registry or key in ALLOWED):
            raise ToolError(
                f"{name}, line {number}: {key[:60]!r} is not passed on to npm; take it out, or name a registry "
                "as https://host/path without a password"
            )
