"""Read the body of a request: never more than is allowed, never for longer."""

import asyncio

from starlette.requests import ClientDisconnect, Request

BODY_S = 10.0


class Answered(Exception):
    """Ends the handling of a request with a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read_body(request: Request, largest: int) -> bytes:
    """Return the body of at most `largest` bytes. Raises Answered: 400, 408 or 413."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > largest:
        raise Answered(413, f"larger than {largest} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > largest:
                    raise Answered(413, f"larger than {largest} bytes")
    except TimeoutError as error:
        raise Answered(408, f"the body did not arrive within {BODY_S:g} s") from error
    except ClientDisconnect as error:
        raise Answered(400, "the sender went away") from error
    return bytes(body)
