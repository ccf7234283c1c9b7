"""Listener for Approve and Reject in Slack, through Socket Mode, which needs no open port. It runs on the host that
takes ci's runs: Slack gives each press to any one connection.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web import WebClient

from control.prefect_api import PrefectApi
from gates.notify.slack_blocks import escape
from host.errors import SlipwayError
from host.wait import back_off_s
from notify.channels.slack import SlackChannel, SlackSettings
from notify.outbox import Outbox
from notify.slack_api import SlackApi, SlackTrouble
from services.notify.slack_answers import handle_button
from settings.approvers import read_approvers

# Slack sends an envelope again that it believes lost; a press counts once.
REMEMBERED = timedelta(hours=24)

log = structlog.get_logger("slack")


class Listener:
    """Holds the Socket Mode connection and answers presses."""

    def __init__(
        self, settings: SlackSettings, outbox: Outbox, prefect: PrefectApi, slack: SlackApi, app_token: str
    ) -> None:
        logging.getLogger("slack_sdk").setLevel(logging.WARNING)
        self.settings = settings
        self.outbox = outbox
        self.prefect = prefect
        self.slack = slack
        web = WebClient(base_url=settings.base_url, timeout=max(1, int(settings.timeout_seconds)))
        self.socket = SocketModeClient(app_token, web_client=web, ping_interval=10, concurrency=2)
        self.socket.socket_mode_request_listeners.append(self._take)

    @classmethod
    def of(cls, channel: SlackChannel, outbox: Outbox) -> "Listener":
        """Return the listener of a channel. ConfigError, ServerAway: its token cannot be read."""
        return cls(channel.settings, outbox, PrefectApi(), channel.api, channel.secret("app_token"))

    def run(self, stop: threading.Event) -> None:
        """Connect, again after every failure, until `stop` is set; once connected the client reconnects by itself."""
        tries = 0
        while not stop.is_set():
            try:
                self.socket.connect()
                log.info("connected")
                break
            except (SlackClientError, OSError, ValueError) as error:
                tries += 1
                wait_s = back_off_s(tries)
                log.error("socket mode", error=type(error).__name__, said=_reason(error), again_in_s=wait_s)
                stop.wait(wait_s)
        stop.wait()
        self.socket.close()

    def _take(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        if request.type != "interactive" or not isinstance(request.payload, Mapping):
            return
        try:
            if self.outbox.first([f"envelope:{request.envelope_id}"[:200]], datetime.now(UTC) + REMEMBERED):
                self.answer(request.payload)
        except (SlipwayError, OSError) as error:
            log.error("press", error=str(error))

    def answer(self, payload: Mapping[str, Any]) -> None:
        """Judge one press, answer the run when it holds, and reply to the person who pressed."""
        reply = handle_button(payload, self.settings, self.outbox, self.prefect, read_approvers())
        if reply is None:
            log.info("ignored", kind=str(payload.get("type"))[:40])
            return
        log.info("press", user=reply.user, taken=reply.taken, said=reply.text)
        try:
            self.slack.whisper(reply.channel, reply.user, escape(reply.text))
        except SlackTrouble as trouble:
            log.warning("no reply to the person who pressed", error=str(trouble))


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    data = getattr(response, "data", None)
    return str(data.get("error", ""))[:100] if isinstance(data, dict) else ""
