"""What the traffic does once before it begins: find the target, make its users, keep what the answers give."""

import asyncio
import secrets
import time
from urllib.parse import urlsplit

import httpx

from host.errors import HealthError
from traffic.profile import NONCE, Profile, Setup, fill_entry

REACH_S = 10.0
ANSWER_TIMEOUT_S = 120.0


async def set_up(client: httpx.AsyncClient, profile: Profile, target: str) -> dict[str, str]:
    """Run the profile's `[[setup]]` in order and return placeholder -> value, the nonce included.

    Raises HealthError if the target does not listen for 10 s, or answers anything but 2xx.
    """
    values = {NONCE: secrets.token_hex(6)}
    await _reach(target)
    for entry in profile.setup:
        values |= await _one(client, fill_entry(entry, values))
    return values


async def _reach(target: str) -> None:
    parts = urlsplit(target)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    until = time.monotonic() + REACH_S
    while True:
        try:
            async with asyncio.timeout(2):
                _, writer = await asyncio.open_connection(parts.hostname, port)
            writer.close()
            return
        except (OSError, TimeoutError) as error:
            if time.monotonic() > until:
                why = str(error) or "time-out"
                raise HealthError(f"traffic: {target} did not answer for {REACH_S:g} s ({why}); is it up?") from error
        await asyncio.sleep(0.2)


async def _one(client: httpx.AsyncClient, entry: Setup) -> dict[str, str]:
    what = f"traffic: set-up {entry.method} {entry.path}"
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            answer = await client.request(entry.method, entry.path, headers=entry.headers, json=entry.body)
    except (httpx.HTTPError, TimeoutError) as error:
        raise HealthError(f"{what}: no complete answer ({type(error).__name__} {error})") from error
    if not answer.is_success:
        raise HealthError(f"{what}: got {answer.status_code} {answer.text[:200]!r}, expected 2xx")
    try:
        found = answer.json() if entry.capture else {}
        return {name: str(found[key]) for name, key in entry.capture.items()}
    except (ValueError, KeyError, TypeError) as error:
        keys = ", ".join(entry.capture.values())
        raise HealthError(f"{what}: got {answer.text[:200]!r}, expected JSON with the keys {keys}") from error
