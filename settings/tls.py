"""How an environment's router comes to its certificate: from files, or from an ACME authority (RFC 8555)."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# A name in the DNS (RFC 1035): labels of 63 characters, 253 in all. `*.` alone may stand before it.
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?:\*\.)?(?:{LABEL}\.)+{LABEL}")
LONGEST_DOMAIN = 253
# What public authorities put into one certificate at most.
MOST_DOMAINS = 100
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


def listed_domains(text: str) -> tuple[str, ...]:
    """Return the names in a list separated by commas, each once, in order."""
    return tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))


def _domains(text: str) -> str:
    names = listed_domains(text)
    if text.strip() and not names:
        raise ValueError("expected host names, separated by commas")
    for name in names:
        if not DOMAIN.fullmatch(name) or len(name) > LONGEST_DOMAIN or name.rpartition(".")[2].isdecimal():
            raise ValueError(f'"{name}": expected a host name such as shop.example.com, without port and path')
    if len(names) > MOST_DOMAINS:
        raise ValueError(f"{len(names)} names: expected {MOST_DOMAINS} at most")
    return text


class Tls(BaseModel):
    """The keys of config/<environment>.env that are about TLS."""

    # No figure ever exceeds "inf": as a limit it would let everything pass.
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=str.upper, allow_inf_nan=False)

    port: int = Field(ge=1, le=65535)
    """Public port of the router."""
    tls_certificate: Annotated[str, Field(pattern="^(|/.+)$")] = ""
    """Absolute path of the PEM file with the certificate and its chain. `PORT` then speaks TLS. A changed pair is
    served within seconds. A pair that is expired, unreadable or does not match blocks releases, and the router keeps
    the old pair. Empty, and no `TLS_DOMAINS`: plain HTTP.
    """
    tls_key: Annotated[str, Field(pattern="^(|/.+)$")] = ""
    """Absolute path of the PEM file with the certificate's key."""
    tls_domains: Annotated[str, AfterValidator(_domains)] = ""
    """Names for which `watch` gets a certificate from an ACME authority and renews it, separated by commas
    ([how](operations.md#a-certificate-by-acme)). In place of `TLS_CERTIFICATE` and `TLS_KEY`.
    """
    acme_terms: Annotated[str, Field(pattern="^(|agreed)$")] = ""
    """`agreed`: you agree to the terms of service of the authority. Needed with `TLS_DOMAINS`."""
    acme_email: Annotated[str, Field(pattern=r"^(|[^@\s,]+@[^@\s,]+)$")] = ""
    """Address that the authority writes to. Empty: none."""
    acme_directory: Annotated[str, Field(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$")] = LETS_ENCRYPT
    """Where the authority is: the URL of its ACME directory."""
    acme_authorities: Annotated[str, Field(pattern="^(|/.+)$")] = ""
    """Absolute path of a PEM file with the roots by which `ACME_DIRECTORY` itself is believed, for an authority of your
    own. Empty: those that every program here believes.
    """
    acme_dns_hook: Annotated[str, Field(pattern="^(|/.+)$")] = ""
    """Absolute path of a program of yours that sets and removes DNS records (DNS-01): the way for names with `*.`, and
    for hosts that nobody reaches on port 80. Empty: HTTP-01 through `REDIRECT_PORT`.
    """
    redirect_port: int = Field(0, ge=0, le=65535)
    """With TLS: a port of plain HTTP that redirects to `PORT`, such as 80. 0: no such port."""

    @model_validator(mode="after")
    def _names_a_certificate(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("TLS_CERTIFICATE and TLS_KEY must both be set, or neither")
        if self.tls_domains and self.tls_certificate:
            raise ValueError("TLS_DOMAINS and TLS_CERTIFICATE are two ways to a certificate: set one of them")
        if self.redirect_port and (not self.tls or self.redirect_port == self.port):
            raise ValueError(
                "REDIRECT_PORT leads to TLS: it needs TLS_CERTIFICATE or TLS_DOMAINS, and another port than PORT"
            )
        return self

    @model_validator(mode="after")
    def _can_be_asked_for(self) -> Self:
        if not self.tls_domains:
            given = {"ACME_TERMS": self.acme_terms, "ACME_EMAIL": self.acme_email, "ACME_DNS_HOOK": self.acme_dns_hook}
            if alone := next((key for key, value in given.items() if value), ""):
                raise ValueError(f"{alone} is for TLS_DOMAINS, which is not set")
            return self
        if not self.acme_terms:
            raise ValueError(f"TLS_DOMAINS: read the terms of {self.acme_directory}, then set ACME_TERMS=agreed")
        if not self.acme_dns_hook and not self.redirect_port:
            raise ValueError(
                "TLS_DOMAINS: the authority asks on port 80: set REDIRECT_PORT=80 (or where your 80 leads to), "
                "or ACME_DNS_HOOK"
            )
        if not self.acme_dns_hook and any(name.startswith("*.") for name in self.domains):
            raise ValueError("TLS_DOMAINS: a name with *. is proved by DNS alone: set ACME_DNS_HOOK")
        return self

    @property
    def tls(self) -> bool:
        """Return whether the router speaks TLS."""
        return bool(self.tls_certificate or self.tls_domains)

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the names for which a certificate is to be had from an ACME authority."""
        return listed_domains(self.tls_domains)
