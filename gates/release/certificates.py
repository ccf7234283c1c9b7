"""May a certificate be served? Facts read from two files in, the reason why not out."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

SOON = timedelta(days=14)
# How certbot tells what the authority said of each name.
SAID = re.compile(r"^\s*(Domain|Identifier|Type|Detail): *(.*)$")
LAST_LINES, LONGEST_REASON = 3, 600
# Of certbot's closing words, what tells nothing.
IDLE = (
    "Ask for help",
    "Saving debug log",
    "See the logfile",
    "Requesting a certificate",
    "Simulating",
    "Account registered",
)


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


def acme_reason(output: str) -> str:
    """Return in one line why certbot got no certificate: what the authority said of each name, else its last words."""
    lines = ["".join(char for char in line if char.isprintable()).strip() for line in output.splitlines()]
    told = [
        match[2] if match[1] not in ("Domain", "Identifier") else f"{match[2]}:"
        for line in lines
        if (match := SAID.match(line))
    ]
    if told:
        return _cut(" ".join(told))
    spoken = [line for line in lines if line and not line.startswith(IDLE) and set(line) != {"-"}]
    return _cut(" ".join(spoken[-LAST_LINES:]) or "certbot said nothing")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."
