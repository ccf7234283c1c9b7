"""The uids of each environment's app and router where we are root: none sees another's processes."""

import json
from typing import Any

from host.errors import ConfigError
from host.files import locked, write_atomically
from host.home import Home

# Below the overflow uid; 64100 and 64101 are those of checks and their services.
FIRST_UID, LAST_UID = 64110, 65499


def environment_uid(home: Home, environment: str) -> int:
    """Return the uid of an environment's app. It is chosen once, written down in `uids.json`, and given to no other.

    Raises ConfigError if the file is not ours any more, or all uids are taken.
    """
    return _uid(home, environment)


def router_uid(home: Home, environment: str) -> int:
    """Return the uid of an environment's router, chosen and kept as its app's is."""
    return _uid(home, f"{environment}/router")  # no environment has such a name


def _uid(home: Home, owner: str) -> int:
    file = home.root / "uids.json"
    with locked(file.with_suffix(".lock")):
        known = _checked(json.loads(file.read_bytes()), str(file)) if file.exists() else {}
        if owner not in known:
            known[owner] = max(known.values(), default=FIRST_UID - 1) + 1
            write_atomically(file, json.dumps(_checked(known, str(file)), indent=1).encode())
        return known[owner]


def _checked(known: Any, file: str) -> dict[str, int]:
    rows = known.items() if isinstance(known, dict) else [("", None)]
    if bad := [name for name, uid in rows if type(uid) is not int or not FIRST_UID <= uid <= LAST_UID]:
        raise ConfigError(f"{file}: {bad[0]}: expected a uid from {FIRST_UID} to {LAST_UID} for each app and router")
    if len(set(known.values())) != len(known):
        raise ConfigError(f"{file}: two of them have the same uid; remove the file, and start the environments")
    return dict(known)
