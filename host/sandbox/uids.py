"""The uid of each environment's app where we are root: one for each, so that none sees another's processes."""

import json
from typing import Any

from host.errors import ConfigError
from host.files import locked, write_atomically
from host.home import Home

# Below the overflow uid; 64100 and 64101 are those of checks and their services.
FIRST_UID, LAST_UID = 64110, 65499


def environment_uid(home: Home, environment: str) -> int:
    """Return an environment's uid. It is chosen once, written down in `uids.json`, and never given to another one.

    Raises ConfigError if the file is not ours any more, or all uids are taken.
    """
    file = home.root / "uids.json"
    with locked(file.with_suffix(".lock")):
        known = _checked(json.loads(file.read_bytes()), str(file)) if file.exists() else {}
        if environment not in known:
            known[environment] = max(known.values(), default=FIRST_UID - 1) + 1
            write_atomically(file, json.dumps(_checked(known, str(file)), indent=1).encode())
        return known[environment]


def _checked(known: Any, file: str) -> dict[str, int]:
    rows = known.items() if isinstance(known, dict) else [("", None)]
    if bad := [name for name, uid in rows if type(uid) is not int or not FIRST_UID <= uid <= LAST_UID]:
        raise ConfigError(f"{file}: {bad[0]}: expected a uid from {FIRST_UID} to {LAST_UID} for each environment")
    if len(set(known.values())) != len(known):
        raise ConfigError(f"{file}: two environments have the same uid; remove the file, and start the environments")
    return dict(known)
