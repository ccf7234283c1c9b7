"""Channels: a file for each. Its name is the name of its table in config/notify.toml and of its queue in the outbox."""

import difflib
import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from host.errors import ConfigError
from host.home import Home
from notify.channel import Channel, ChannelSettings
from notify.outbox import Outbox
from settings.notify import Notify, first_mistake
from settings.toml_files import near_key


@dataclass(frozen=True)
class Configured:
    """A channel that is on. Opening it reads its secrets."""

    name: str
    kind: type[Channel[Any]]
    settings: ChannelSettings

    def open(self, home: Home, outbox: Outbox) -> Channel[Any]:
        """Return the channel, ready to send. ConfigError, ServerAway."""
        return self.kind(self.name, self.settings, home, outbox)


def configured(notify: Notify) -> list[Configured]:
    """Return the channels that are on. Raises ConfigError for a table without a channel, empty or not, and for a bad
    key.
    """
    for name in notify.channels:
        channel_kind(name)  # an empty table is off; one of an unknown name is a mistake
    channels = [_configured(name, table) for name, table in notify.channels.items() if table]
    return [channel for channel in channels if channel.settings.on]


def channel_names() -> list[str]:
    """Return the names of all channels."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def channel_kind(name: str) -> type[Channel[Any]]:
    """Return the class of a channel. Raises ConfigError for an unknown name."""
    if name not in channel_names():
        known = [*channel_names(), *(field for field in Notify.model_fields if field != "channels")]
        near = difflib.get_close_matches(name, known, 1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        there = ", ".join(channel_names())
        raise ConfigError(f"config/notify.toml: {name[:60]}: no such channel; there are: {there}{hint}")
    kind: type[Channel[Any]] = importlib.import_module(f"{__name__}.{name}").CHANNEL
    return kind


def _configured(name: str, table: Any) -> Configured:
    kind = channel_kind(name)
    try:
        return Configured(name, kind, kind.settings_type.model_validate(table))
    except ValidationError as error:
        near = near_key(kind.settings_type, error)
        raise ConfigError(f"config/notify.toml: {first_mistake(error, name)}{near}") from error
