"""Secrets out of what is shown: those that we know by value."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_KEY|AUTH", re.I)
SHORTEST_SECRET = 6


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """Return what must not be shown of an environment: values named like a secret, and passwords in addresses."""
    found = set()
    for name, value in environment.items():
        if SECRET_NAME.search(name):
            found.add(value)
        password = _password(value)
        found |= {password, unquote(password)}
    return sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=len, reverse=True)


def _password(value: str) -> str:
    try:
        return urlsplit(value).password or "" if "://" in value else ""
    except ValueError:
        return ""


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return text with each secret replaced by ***; give the longest first."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
