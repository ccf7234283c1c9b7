"""HTTP answers of others, bounded in size and time."""

import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpcore
import httpx

from host import tls


class TooLarge(Exception):
    """An answer is larger than its limit."""


class TooSlow(Exception):
    """An answer is not whole when its time is over."""


class _Stream(httpcore.NetworkStream):
    """A connection whose peer has `whole_s` seconds for an answer, from the last byte of the question on.

    The limits of httpx are for each piece: headers that drip would hold the caller for days.
    """

    def __init__(self, stream: httpcore.NetworkStream, whole_s: float) -> None:
        self._stream, self._whole_s = stream, whole_s
        self._until = time.monotonic() + whole_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout(f"the answer is not whole after {self._whole_s:g} s")
        return self._stream.read(max_bytes, left_s if timeout is None else min(left_s, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)
        self._until = time.monotonic() + self._whole_s

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._whole_s)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    """Connections of `_Stream`."""

    def __init__(self, whole_s: float) -> None:
        self._sync, self._whole_s = httpcore.SyncBackend(), whole_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._sync.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._whole_s)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._sync.connect_unix_socket(path, timeout, socket_options), self._whole_s)


def local_client(
    timeout_s: float,
    through: Path | None = None,
    whole_s: float | None = None,
    verify: ssl.SSLContext | None = None,
    base_url: str = "",
) -> httpx.Client:
    """Return a client for what listens on this host: no proxy of the environment has business in between.

    A piece of an answer is waited for `timeout_s`, headers and body together `whole_s` (`timeout_s` when None); after
    that httpx.ReadTimeout is raised. `through` is a unix socket that takes all its connections.
    """
    trust = verify or tls.context()
    transport = httpx.HTTPTransport(verify=trust)
    # httpx has no argument for httpcore's network backend, which is where a deadline can be kept.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=trust,
        uds=str(through) if through else None,
        network_backend=_Network(timeout_s if whole_s is None else whole_s),
    )
    # Unpacked, an answer could be larger than any bound before it is seen.
    plain = {"accept-encoding": "identity"}
    return httpx.Client(base_url=base_url, headers=plain, timeout=timeout_s, trust_env=False, transport=transport)


def refuse_packed(answer: httpx.Response) -> None:
    """Raise TooLarge for an answer that is packed more than once, or by a method without a bound.

    What gzip and deflate make of a piece is at most a thousand times as much; twice, it is a million times.
    """
    packed = answer.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity", "gzip", "deflate"):
        raise TooLarge(f"packed as {packed[:60]}, expected identity, gzip or deflate")


def read_at_most(answer: httpx.Response, most_bytes: int, most_s: float | None = None) -> bytes:
    """Return the body of a streamed answer, decompressed. Raises TooLarge or TooSlow, and httpx.HTTPError.

    `most_s` seconds from now are the most that the whole body may take: httpx's own limit is for each piece of it.
    """
    refuse_packed(answer)
    until = None if most_s is None else time.monotonic() + most_s
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > most_bytes:
            raise TooLarge(f"larger than {most_bytes} bytes")
        if until is not None and time.monotonic() > until:
            raise TooSlow(f"not whole after {most_s:g} s")
    return bytes(body)
