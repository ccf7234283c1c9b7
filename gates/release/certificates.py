"""May a certificate be served? Facts read from two files in, the reason why not out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

SOON = timedelta(days=14)


@dataclass(frozen=True)
class CertificateFacts:
    """A chain and a key: its first certificate's term (aware UTC) and names, whether the key belongs to it, and whether
    each certificate was issued by the next one.
    """

    begins: datetime
    ends: datetime
    names: tuple[str, ...]
    key_matches: bool
    in_order: bool


def refusal(facts: CertificateFacts, now: datetime) -> str:
    """Return why it must not be served, "" when it may. An expired one would turn every client away."""
    whose = ", ".join(facts.names[:5]) or "nobody"
    if not facts.key_matches:
        return f"the key does not belong to the certificate for {whose}"
    if now >= facts.ends:
        return f"the certificate for {whose} expired at {facts.ends:%Y-%m-%d %H:%M} UTC"
    if now < facts.begins:
        return f"the certificate for {whose} is not valid before {facts.begins:%Y-%m-%d %H:%M} UTC"
    if not facts.in_order:
        return "the chain is out of order: expected the server's certificate first, then who issued it, and so on"
    return ""


def ends_soon(ends: datetime, now: datetime) -> str:
    """Return what to say of a certificate in service that ends within 14 days; "" of any other."""
    if ends - now > SOON:
        return ""
    if now >= ends:
        return f"the router's certificate expired at {ends:%Y-%m-%d %H:%M} UTC: clients turn away"
    return f"the router's certificate ends at {ends:%Y-%m-%d %H:%M} UTC, in {(ends - now).days} days"
