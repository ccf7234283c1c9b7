"""Base of the channels: what each of them gives, and what it gets."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar

import httpx

from control.secret_references import resolve
from gates.notify.messages import Post
from gates.notify.retries import wait_of
from host.errors import SlipwayError
from host.home import Home
from notify.outbox import Outbox
from settings.notify import Section

# How long to wait for what is mended by itself, and for what a person must mend (a password, a right).
TEMPORARY_S = 15.0
CONFIGURATION_S = 300.0


class ChannelTrouble(SlipwayError):
    """A channel did not take a post. `wait_s` says when to try again, None: trying again will not help."""

    def __init__(self, message: str, wait_s: float | None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class ChannelSettings(Section):
    """The channel's table in config/notify.toml. Secrets are of type `Reference`."""

    @property
    def on(self) -> bool:
        """Return whether the channel is used. A table that is empty or absent is off without being asked."""
        return True


S = TypeVar("S", bound=ChannelSettings)


class Channel(ABC, Generic[S]):
    """A way to people. A file of notify/channels/ is one: it names its class `CHANNEL`, and its table is of its name.

    Opening it reads its secrets: ConfigError, ServerAway.
    """

    settings_type: ClassVar[type[ChannelSettings]]

    def __init__(self, name: str, settings: S, home: Home, outbox: Outbox) -> None:
        self.name = name
        self.settings = settings
        self.home = home
        self._outbox = outbox

    @abstractmethod
    def send(self, post: Post) -> None:
        """Send a post, or leave out what this channel does not show. Raises ChannelTrouble, OutboxError."""

    @abstractmethod
    def check(self) -> str:
        """Return in a few words what answers, without sending anything. Raises ChannelTrouble."""

    def secret(self, key: str) -> str:
        """Return the secret that a key refers to, "" without a reference. ConfigError, ServerAway."""
        reference = str(getattr(self.settings, key))
        return resolve(reference, self.home, f"config/notify.toml: {self.name}.{key}") if reference else ""

    def recall_thread(self, key: str) -> Any:
        """Return what the channel remembered for a key, None when nothing."""
        return self._outbox.recall(f"{self.name}:thread:{key}")

    def remember_thread(self, key: str, value: Any) -> None:
        """Keep a small JSON value with which later posts of the same key find the first."""
        self._outbox.remember(f"{self.name}:thread:{key}", value)


def http_request(
    name: str, method: str, url: str, timeout_s: float, content: bytes = b"", headers: Mapping[str, str] | None = None
) -> int:
    """Return the status of an HTTP answer below 300; its body is not read. The address may be a secret: never shown.

    Raises ChannelTrouble: with a time to wait for 429, 5xx and no answer, without one for any other refusal.
    """
    try:
        with httpx.stream(method, url, content=content, headers=headers, timeout=timeout_s) as answer:
            status, headers = answer.status_code, answer.headers
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ChannelTrouble(f"{name}: does not answer ({type(error).__name__})", TEMPORARY_S) from None
    if status < 300:
        return status
    wait_s = wait_of(status, headers, datetime.now(UTC))
    if status >= 500:
        wait_s = max(wait_s or 0.0, TEMPORARY_S)
    raise ChannelTrouble(f"{name}: answered {status}", wait_s)
