"""Passwords, session tokens and webhook signatures, with the standard library only."""

import base64
import hashlib
import hmac
import json
import secrets


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _scrypt(password: str, salt: bytes, log2_n: int) -> bytes:
    n, r = 2**log2_n, 8
    # It needs 128 * n * r bytes; OpenSSL wants the limit a little above.
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=1, maxmem=256 * n * r, dklen=32)


def hash_password(password: str, log2_n: int) -> str:
    """A salted scrypt hash that carries its own cost, so that the cost can change later."""
    salt = secrets.token_bytes(16)
    return f"scrypt${log2_n}${_b64(salt)}${_b64(_scrypt(password, salt, log2_n))}"


def verify_password(password: str, stored: str) -> bool:
    _, log2_n, salt, digest = stored.split("$")
    return hmac.compare_digest(_scrypt(password, _unb64(salt), int(log2_n)), _unb64(digest))


def _mac(secret: str, message: bytes) -> bytes:
    return hmac.digest(secret.encode(), message, "sha256")


def sign_token(secret: str, purpose: str, subject: int, expires_at: float) -> str:
    """A bearer token. `purpose` keeps a token made for one use from working for another."""
    body = _b64(json.dumps([purpose, subject, int(expires_at)]).encode())
    return f"{body}.{_b64(_mac(secret, body.encode()))}"


def read_token(secret: str, purpose: str, token: str, now: float) -> int | None:
    """The subject of a genuine, unexpired token of this purpose; `now` is a Unix time."""
    body, _, signature = token.partition(".")
    try:
        genuine = hmac.compare_digest(_mac(secret, body.encode()), _unb64(signature))
    except ValueError:  # not base64
        return None
    if not genuine:
        return None
    found_purpose, subject, expires_at = json.loads(_unb64(body))
    return int(subject) if found_purpose == purpose and now < expires_at else None


def sign_webhook(secret: str, timestamp: str, body: bytes) -> str:
    return "sha256=" + _mac(secret, timestamp.encode() + b"." + body).hex()


def webhook_problem(
    secret: str, timestamp: str, signature: str, body: bytes, now: float, tolerance_s: float = 300
) -> str | None:
    """Why a webhook must be rejected, or None. Old ones are rejected: they may be replays."""
    expected = sign_webhook(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return "bad signature" if signature else "unsigned"
    try:
        fresh = abs(now - float(timestamp)) <= tolerance_s
    except ValueError:
        return "bad timestamp"
    return None if fresh else "timestamp too far from now"
