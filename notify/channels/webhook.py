"""Signed JSON to any HTTP server: every post as it is, for programs that do with it what they like."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

from pydantic import Field

from gates.notify.messages import Post, Rendered
from host.home import Home
from notify.channel import Channel, ChannelSettings, http_request
from notify.outbox import Outbox
from settings.notify import Reference, Url

SIGNATURE = "x-slipway-signature-256"


class WebhookSettings(ChannelSettings):
    """Messages as signed JSON, to a server of your own."""

    url: Url
    """Address that posts are sent to."""
    secret: Reference = Field(min_length=1)
    """Reference of the secret that signs each body."""
    timeout_seconds: float = Field(10, ge=0.5, le=60)
    """How long one step may take."""


class WebhookChannel(Channel[WebhookSettings]):
    settings_type = WebhookSettings

    def __init__(self, name: str, settings: WebhookSettings, home: Home, outbox: Outbox) -> None:
        super().__init__(name, settings, home, outbox)
        self._secret = self.secret("secret")

    def check(self) -> str:
        return "its secret can be read; whether the server takes posts shows only with one"

    def send(self, post: Post) -> None:
        if isinstance(post.content, Rendered):
            return
        body = {"version": 1, "sent": datetime.now(UTC).isoformat(), **post.model_dump(mode="json", exclude={"email"})}
        content = json.dumps(body).encode()
        headers = {
            "content-type": "application/json",
            "x-slipway-delivery": post.id,
            SIGNATURE: signature(self._secret, content),
        }
        http_request("Webhook", "POST", self.settings.url, self.settings.timeout_seconds, content, headers)


def signature(secret: str, content: bytes) -> str:
    """Return HMAC-SHA256 over the raw body, as GitHub writes it: the receiver computes the same and compares."""
    return "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


CHANNEL = WebhookChannel
