"""HTTP answers of others, bounded in size and time."""

import time
from pathlib import Path

import httpx

from host import tls


class TooLarge(Exception):
    """An answer is larger than its limit."""


class TooSlow(Exception):
    """An answer is not whole when its time is over."""


def local_client(timeout_s: float, through: Path | None = None) -> httpx.Client:
    """Return a client for what listens on this host: no proxy of the environment has business in between.

    `through` is a unix socket that takes all its connections.
    """
    transport = httpx.HTTPTransport(uds=str(through), verify=tls.context()) if through else None
    return httpx.Client(verify=tls.context(), timeout=timeout_s, trust_env=False, transport=transport)


def read_at_most(answer: httpx.Response, most_bytes: int, most_s: float | None = None) -> bytes:
    """Return the body of a streamed answer, decompressed. Raises TooLarge or TooSlow, and httpx.HTTPError.

    `most_s` seconds from now are the most that the whole body may take: httpx's own limit is for each piece of it.
    """
    until = None if most_s is None else time.monotonic() + most_s
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > most_bytes:
            raise TooLarge(f"larger than {most_bytes} bytes")
        if until is not None and time.monotonic() > until:
            raise TooSlow(f"not whole after {most_s:g} s")
    return bytes(body)
