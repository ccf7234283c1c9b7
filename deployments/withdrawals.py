"""The signed withdrawal of a version that an environment condemned: the environments after it take it no more."""

from datetime import UTC, datetime

from control.signing_keys import signing_keys
from deployments.place import Place
from evidence.signing import Keys
from evidence.statements import Kind, Promoted, Withdrawn, last_word, state
from host.errors import SlipwayError

LATER = "the next release, rollback or repair here signs it"


def withdraw(place: Place, digest: str, reason: str, signer: Keys | None = None) -> str:
    """Sign that this environment condemned an artifact. Return "", or why it could not be signed.

    It never raises for that: a rollback must work without the key, and the journal has the condemnation already.
    """
    withdrawn = Withdrawn(environment=place.name, at=datetime.now(UTC), reason=reason)
    try:
        state(place.store, signer or signing_keys(place.home), digest, place.app, Kind.WITHDRAWAL, withdrawn)
    except (SlipwayError, OSError) as error:
        return f"the withdrawal of {digest[:12]} could not be signed ({error}); {LATER}"
    return ""


def withdraw_condemned(place: Place) -> str:
    """Sign the withdrawals that are missing: of what was condemned when no key was there, or by a version before.

    Return what was signed and what could not be, "" when nothing was to do. Safe to repeat.
    """
    said = []
    for digest, reason in place.ledger().condemned.items():
        try:
            stands = isinstance(last_word(place.store, place.keys, digest, place.name), Promoted)
        except (SlipwayError, OSError):
            continue  # what cannot be read promotes nothing
        if stands:
            said.append(withdraw(place, digest, reason) or f"signed the withdrawal of {digest[:12]}")
    return "; ".join(said)
