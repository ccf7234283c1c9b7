"""What of an installation runs on this host: which work pools, and with them environments, and where the server is.

One host runs everything unless its settings say otherwise. Hosts of one installation have the checkout at the same
path, share a store (SLIPWAY_STORE), and trust each other's signing keys.
"""

import os
from urllib.parse import urlsplit

from host.errors import ConfigError
from settings.targets import Target

CI = "ci"
LOCAL = ("127.0.0.1", "localhost", "::1")


def all_pools() -> tuple[str, ...]:
    """Return the work pools of the installation: that of checks, and one for each environment."""
    return (CI, *(target.short for target in Target.all()))


def pools() -> tuple[str, ...]:
    """Return the work pools whose runs this host takes: SLIPWAY_POOLS, names apart by commas, default all.

    ConfigError: none, or one that there is not.
    """
    known = all_pools()
    raw = os.environ.get("SLIPWAY_POOLS", "")
    if not raw.strip():
        return known
    found = [name.strip() for name in raw.split(",")]
    if unknown := [name for name in found if name not in known]:
        raise ConfigError(f'SLIPWAY_POOLS: got "{unknown[0]}", expected names among: {", ".join(known)}')
    return tuple(name for name in known if name in found)


def targets() -> tuple[Target, ...]:
    """Return the environments of this host: those whose pool it serves."""
    here = pools()
    return tuple(target for target in Target.all() if target.short in here)


def server_url() -> str:
    """Return where the Prefect server of another host is reached, without "/api"; "" when it is on this host.

    SLIPWAY_PREFECT_URL. ConfigError: no address, or plain HTTP beyond this host, which would show the login to others.
    """
    raw = os.environ.get("SLIPWAY_PREFECT_URL", "").rstrip("/").removesuffix("/api")
    if not raw:
        return ""
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(f'SLIPWAY_PREFECT_URL: got "{raw}", expected https://HOST:PORT, or http:// to a tunnel')
    if parts.scheme == "http" and parts.hostname not in LOCAL:
        raise ConfigError(
            f'SLIPWAY_PREFECT_URL: got "{raw}": plain HTTP would show the login to the network; use https '
            "(docker/docker-compose.server-tls.yml), or a tunnel: ssh -N -L 4200:127.0.0.1:4200 server"
        )
    return raw
