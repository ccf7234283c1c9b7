"""Say in Slack what waits in the outbox: in order, until it worked or a day is over."""

import base64
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from notify.outbox import SLACK, Outbox
from notify.slack_api import SlackApi, SlackTrouble
from services.notify.queue_loop import work_off

EVERY_S = 0.5
GIVE_UP = timedelta(hours=24)

log = structlog.get_logger("slack")


class SlackTeller:
    """The loop over the outbox's queue for Slack."""

    def __init__(self, api: SlackApi, outbox: Outbox) -> None:
        self.api = api
        self.outbox = outbox
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "message": self._message,
            "reply": self._reply,
            "picture": self._picture,
        }

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        work_off(self.work, SLACK, stop, EVERY_S)

    def work(self) -> float:
        """Say what is due; return the seconds that Slack wants to be left alone. Raises OutboxError."""
        items = self.outbox.due(SLACK)
        newest = {item.body["key"]: item.id for item in items if item.kind == "message"}
        for item in items:
            key = item.body["key"]
            if item.kind == "message" and newest[key] != item.id and self._thread(key):
                self.outbox.done(item)  # what replaces it is said in this same pass
                continue
            try:
                self._kinds[item.kind](dict(item.body))
                self.outbox.settle(item)
            except SlackTrouble as trouble:
                if trouble.wait_s is not None and datetime.now(UTC) - item.created < GIVE_UP:
                    log.warning(item.kind, error=str(trouble), again_in_s=trouble.wait_s)
                    self.outbox.postpone(item, trouble.wait_s, str(trouble))
                    return trouble.wait_s
                log.error(item.kind, error=str(trouble), said="given up")
                self.outbox.give_up(item, str(trouble))
        return 0.0

    def _thread(self, key: str) -> tuple[str, str] | None:
        known = self.outbox.recall(f"slack:thread:{key}")
        return (str(known[0]), str(known[1])) if known else None

    def _message(self, body: dict[str, Any]) -> None:
        known = self._thread(body["key"])
        if known:
            try:
                self._formed(lambda blocks: self.api.update(*known, body["text"], blocks), body)
                return
            except SlackTrouble as trouble:
                if trouble.error not in ("message_not_found", "cant_update_message", "edit_window_closed"):
                    raise
        channel = (self.api.person(body["email"]) if body["email"] else None) or body["channel"]
        self._formed(lambda blocks: self._post(body["key"], channel, body["text"], blocks), body)

    def _post(self, key: str, channel: str, text: str, blocks: list[Any] | None) -> None:
        self.outbox.remember(f"slack:thread:{key}", [channel, self.api.post(channel, text, blocks)])

    def _formed(self, send: Callable[[list[Any] | None], None], body: dict[str, Any]) -> None:
        """Send with blocks; what Slack refuses as blocks goes out as plain text rather than not at all."""
        try:
            send(body["blocks"])
        except SlackTrouble as trouble:
            if trouble.error not in ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"):
                raise
            log.error("blocks", error=trouble.error, said="sent as plain text")
            send(None)

    def _reply(self, body: dict[str, Any]) -> None:
        channel, thread = self._thread(body["key"]) or (body["channel"], "")
        self.api.post(channel, body["text"], thread=thread, loud=bool(body["loud"] and thread))

    def _picture(self, body: dict[str, Any]) -> None:
        channel, thread = self._thread(body["key"]) or (body["channel"], "")
        self.api.picture(channel, thread, body["title"], base64.b64decode(body["png"]))
