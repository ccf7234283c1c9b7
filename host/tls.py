"""The TLS context of our own HTTP clients: made once, since it takes longer than most requests."""

import os
import ssl
from functools import cache

import httpx


def context() -> ssl.SSLContext:
    """Return the context that trusts the usual authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    return _made(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _made(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()  # it reads the two itself
