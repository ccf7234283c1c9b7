"""Secrets by reference: `file:PATH`, `env:NAME` or `block:TYPE/NAME` (a Prefect block). Never the secret itself."""

import os
import secrets
from pathlib import Path

from control.plane import Control
from control.prefect_api import PrefectApi
from host.errors import ConfigError
from host.files import read_or_create
from host.home import CHECKOUT, Home
from settings.notify import Notify

LARGEST_BYTES = 100_000
# The field that holds the secret, by the type of the block: prefect-github's, prefect-slack's, and Prefect's own.
BLOCK_FIELDS = ("token", "value", "url")


def create_webhook_secrets(home: Home) -> None:
    """Make the secret that GitHub's webhooks are signed with, and the token that Alertmanager shows. Existing ones are
    kept.
    """
    for file in (home.keys / "github-webhook", alerts_token_file(home)):
        read_or_create(file, lambda: secrets.token_urlsafe(32).encode())


def alerts_token_file(home: Home) -> Path:
    """Return the file of the bearer token for `POST /alerts`."""
    return home.keys / "alertmanager"


def alerts_token(home: Home) -> str:
    """Return the token. ConfigError before `make setup` made it."""
    return _from_file(str(alerts_token_file(home)), home, "the token of POST /alerts").strip()


def secret_of(notify: Notify, key: str, home: Home) -> str | None:
    """Return the secret that `key` ("slack.token", ...) refers to, None when it is not set. ConfigError, ServerAway."""
    section, _, name = key.partition(".")
    reference = getattr(getattr(notify, section), name)
    return resolve(reference, home, f"config/notify.toml: {key}") if reference else None


def resolve(reference: str, home: Home, where: str) -> str:
    """Return the secret. `{home}` in a path is the state directory; a relative path starts at the checkout.

    Raises ConfigError, which names `where` (file and key) and never the value; ServerAway if a block cannot be asked
    for.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        secret = os.environ.get(name, "")
    elif kind == "file":
        secret = _from_file(name, home, where)
    else:
        secret = from_block(name, PrefectApi(Control(home)), where)
    if not secret.strip():
        raise ConfigError(f"{where}: {reference} is empty or not set")
    return secret.strip()


def _from_file(name: str, home: Home, where: str) -> str:
    file = CHECKOUT / name.replace("{home}", str(home.root))
    try:
        with open(file, encoding="utf-8") as stream:
            return stream.read(LARGEST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {Path(name).name}: cannot be read ({type(error).__name__})") from error


def from_block(name: str, api: PrefectApi, where: str) -> str:
    """Return the secret of a Prefect block, named TYPE/NAME. Raises ConfigError, which names `where`; ServerAway."""
    slug, _, document = name.partition("/")
    path = f"/block_types/slug/{slug}/block_documents/name/{document}?include_secrets=true"
    found = api.call("GET", path)
    if found is None:
        raise ConfigError(f"{where}: there is no Prefect block {name}; create it in the UI under Blocks")
    data = found.get("data", {})
    for field in BLOCK_FIELDS:
        if isinstance(data.get(field), str):
            return str(data[field])
    raise ConfigError(f"{where}: the Prefect block {name} has none of the fields {', '.join(BLOCK_FIELDS)}")
