"""Channels as config/notify.toml configures them, with their queues."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gates.notify.messages import Link, Message, Picture, Post, Reply, Tone
from host.home import Home
from notify.announce import announce
from notify.channels import configured
from notify.outbox import Outbox
from services.notify.sender import Sender
from settings.notify import Notify

HOSTILE = "<script> [a](http://evil) *b* @all \x1b[31m\r\nBcc: x@y.z"
PROMOTED = Message(
    headline="assistant v2 serves production",
    tone=Tone.GOOD,
    facts=(("commit", HOSTILE), ("took", "61.2 s")),
    lines=("switch 0.04 s", HOSTILE),
    links=(Link(text="run", url="http://ui/run"),),
    footer="artifact dddd",
)


class Sending:
    """The channels of some tables."""

    def __init__(self, directory: Path, tables: Mapping[str, Any]) -> None:
        self.notify = Notify.model_validate(dict(tables))
        self.home = Home(directory)
        self.outbox = Outbox(directory / "outbox.sqlite")
        self.senders = {one.name: Sender(one, self.home, self.outbox) for one in configured(self.notify)}

    def post(self, key: str, content: Message | Reply | Picture, email: str = "") -> None:
        assert announce(self.notify, self.outbox, Post(key=key, content=content, email=email))

    def work(self, name: str) -> float:
        """Let time pass until everything is due, and send it; return how long the channel wants to be left alone."""
        with self.outbox._transaction() as connection:
            connection.exec_driver_sql("UPDATE items SET due = 0")
        return self.senders[name].work()

    def waiting(self, name: str) -> int:
        return self.outbox.backlog(name).waiting

    def trouble(self, name: str) -> str:
        return self.outbox.backlog(name).trouble(datetime.now(UTC), timedelta(minutes=1))


class HttpSink:
    """An HTTP server that keeps what is posted to it. `answers` come first, one a request; then 202."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self.answers: list[Response] = []
        self.app = Starlette(routes=[Route("/hook", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        if self.answers:
            return self.answers.pop(0)
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        return Response(status_code=202)
