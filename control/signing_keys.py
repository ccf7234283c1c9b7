"""The key that signs evidence and promotions: this installation's own, a file that is named, or a Prefect Secret."""

import os

from evidence.signing import Keys
from host.errors import EvidenceError, SlipwayError
from host.home import Home

BLOCK = "SLIPWAY_SIGNING_KEY_SECRET"


def signing_keys(home: Home) -> Keys:
    """Return the keys to sign with. `SLIPWAY_SIGNING_KEY_SECRET` names a Prefect Secret block that holds the PEM key.

    Raises EvidenceError if the block cannot be read: nothing else signs in its place.
    """
    name = os.environ.get(BLOCK)
    if not name:
        return Keys(home.keys)
    from control.prefect_api import PrefectApi  # the whole control plane comes with them
    from control.secret_references import from_block

    try:
        value = from_block(f"secret/{name}", PrefectApi.of_run(home), BLOCK)
    except SlipwayError as error:
        raise EvidenceError(f"{BLOCK}: the Prefect Secret {name!r} cannot be read: {error}") from error
    return Keys(home.keys, value.encode())
