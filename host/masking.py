"""Masking of secrets that are known by value."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_KEY|AUTH", re.I)
SHORTEST_SECRET = 6


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """Return the secrets of an environment: values of variables named like one, and passwords in addresses."""
    secrets = set()
    for name, value in environment.items():
        if SECRET_NAME.search(name):
            secrets.add(value)
        password = _password(value)
        secrets |= {password, unquote(password)}
    return sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)


def _password(value: str) -> str:
    try:
        return urlsplit(value).password or "" if "://" in value else ""
    except ValueError:
        return ""


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return text with each secret replaced by ***. The longest must come first."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
