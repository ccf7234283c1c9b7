from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from host.http import TooLarge, TooSlow, read_at_most
from tests.serving import serving


async def answer(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x"

    return StreamingResponse(pieces()) if request.url.path == "/long" else Response(b"0123456789")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/{path:path}", answer)])) as address:
        yield address


def read(url: str, most_bytes: int, most_s: float | None = None) -> bytes:
    with httpx.stream("GET", url, timeout=600, trust_env=False) as opened:
        return read_at_most(opened, most_bytes, most_s)


def test_an_answer_of_the_limit_is_read_whole(url: str) -> None:
    assert read(url, 10) == b"0123456789"
    assert read(url, 10, most_s=60) == b"0123456789"


def test_an_answer_beyond_the_limit_is_not_read(url: str) -> None:
    with pytest.raises(TooLarge, match="larger than 9 bytes"):
        read(url, 9)
    with pytest.raises(TooLarge):
        read(f"{url}/long", 100)


def test_an_answer_that_drips_ends_with_its_time(url: str) -> None:
    with pytest.raises(TooSlow, match="not whole after 0 s"):
        read(f"{url}/long", 10**9, most_s=0)
