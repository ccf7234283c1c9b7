"""Plain lines in a file: every message and reply, for a person at a terminal or for what reads logs."""

import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from gates.notify.messages import Message, Post, Reply, as_text
from notify.channel import TEMPORARY_S, Channel, ChannelSettings, ChannelTrouble


class LogSettings(ChannelSettings):
    """Messages as lines of a file. It is opened for each message: any program may move it away."""

    file: str = Field(min_length=1)
    """Path of the file. A relative one starts at the state directory."""


class LogChannel(Channel[LogSettings]):
    settings_type = LogSettings

    @property
    def file(self) -> Path:
        return self.home.root / self.settings.file.replace("{home}", str(self.home.root))

    def check(self) -> str:
        self._append("")
        return str(self.file)

    def send(self, post: Post) -> None:
        match post.content:
            case Message() as message:
                text = as_text(message)
            case Reply(text=text):
                pass
            case _:
                return
        time = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._append("".join(f"{time} {post.key} {_printable(line)}\n" for line in text.splitlines()))

    def _append(self, text: str) -> None:
        """Write lines in one go. Raises ChannelTrouble."""
        try:
            with open(os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as stream:
                stream.write(text.encode(errors="replace"))
        except OSError as error:
            raise ChannelTrouble(f"Log: {self.file}: {error.strerror}", TEMPORARY_S) from error


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in line)


CHANNEL = LogChannel
