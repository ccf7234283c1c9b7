"""Slack, both ways: say what waits in the outbox, and take presses of Approve and Reject through Socket Mode, which
needs no open port. Of several hosts each says its own; the one that takes ci's runs takes the presses.
"""

import logging
import signal
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web import WebClient

from control.prefect_api import PrefectApi
from control.secret_references import secret_of
from gates.notify.slack_blocks import escape
from host.errors import ConfigError, SlipwayError
from host.home import Home
from host.wait import back_off_s
from notify.outbox import Outbox
from notify.slack_api import SlackApi, SlackTrouble
from services.logs import configure_logs
from services.notify.slack import SlackTeller
from services.notify.slack_answers import press
from settings.approvers import read_approvers
from settings.hosts import CI, pools
from settings.notify import Notify, read_notify

# Slack sends an envelope again that it believes lost; a press counts once.
REMEMBERED = timedelta(hours=24)

log = structlog.get_logger("slack")


class Listener:
    """Holds the Socket Mode connection and answers presses."""

    def __init__(self, notify: Notify, outbox: Outbox, prefect: PrefectApi, slack: SlackApi, app_token: str) -> None:
        self.notify = notify
        self.outbox = outbox
        self.prefect = prefect
        self.slack = slack
        web = WebClient(base_url=notify.slack.base_url, timeout=max(1, int(notify.slack.timeout_seconds)))
        self.socket = SocketModeClient(app_token, web_client=web, ping_interval=10, concurrency=2)
        self.socket.socket_mode_request_listeners.append(self._take)

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
        """Judge one press, answer the run when it holds, and tell the one who pressed."""
        said = press(payload, self.notify, self.outbox, self.prefect, read_approvers())
        if said is None:
            return
        log.info("press", user=said.user, taken=said.taken, said=said.text)
        try:
            self.slack.whisper(said.channel, said.user, escape(said.text))
        except SlackTrouble as trouble:
            log.warning("the one who pressed could not be told", error=str(trouble))


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    data = getattr(response, "data", None)
    return str(data.get("error", ""))[:100] if isinstance(data, dict) else ""


def main() -> int:
    """Run until SIGTERM. Exits 2 on bad configuration, which is said in one line."""
    configure_logs("slack")
    logging.getLogger("slack_sdk").setLevel(logging.WARNING)
    try:
        home = Home.find()
        notify = read_notify()
        token = secret_of(notify, "slack.token", home)
        app_token = secret_of(notify, "slack.app_token", home)
        if not token or not notify.slack.channel:
            raise ConfigError("config/notify.toml: slack.token and slack.channel must both be set")
        slack = SlackApi(token, notify.slack.base_url, notify.slack.timeout_seconds)
        outbox = Outbox.of(home)
    except SlipwayError as error:
        sys.stderr.write(f"slack: {error}\n")
        return 2
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threads = [threading.Thread(target=SlackTeller(slack, outbox).run, args=(stop,), name="tell")]
    if app_token and CI in pools():  # on one host only: Slack gives each press to any one connection
        listener = Listener(notify, outbox, PrefectApi(), slack, app_token)
        threads.append(threading.Thread(target=listener.run, args=(stop,), name="listen"))
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
