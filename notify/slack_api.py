"""Slack's Web API, as far as messages need it. Every call is bounded in time."""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from gates.notify.retries import wait_of
from notify.channel import CONFIGURATION_S, TEMPORARY_S, ChannelTrouble

# What a person must mend first (Slack, "chat.postMessage", errors): tried again, but rarely.
CONFIGURATION = (
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
    "not_in_channel",
    "channel_not_found",
    "is_archived",
    "restricted_action",
    "ekm_access_denied",
    "team_access_not_granted",
)
TEMPORARY = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org")
ERROR = re.compile("[a-z0-9_]{1,60}")
# What slack_sdk raises on an answer that is JSON of another shape.
MISREAD = (ValueError, AttributeError, TypeError, KeyError)


class SlackTrouble(ChannelTrouble):
    """Slack did not do what was asked; `error` is its own word for the reason."""

    def __init__(self, error: str, wait_s: float | None) -> None:
        super().__init__(f"Slack: {error}", wait_s)
        self.error = error


class SlackApi:
    """Posts and changes messages. Methods raise SlackTrouble."""

    def __init__(self, token: str, base_url: str, timeout_s: float) -> None:
        quiet = logging.getLogger("slack")  # its debug lines hold whole requests
        quiet.setLevel(logging.WARNING)
        self.client = WebClient(
            token, base_url=base_url, timeout=max(1, int(timeout_s)), logger=quiet, retry_handlers=[]
        )

    def post(
        self, channel: str, text: str, blocks: list[Any] | None = None, thread: str = "", loud: bool = False
    ) -> str:
        """Post a message, `loud` replies also to the channel; return its time stamp. Not repeatable."""
        answer = _ask(
            lambda: self.client.chat_postMessage(
                channel=channel,
                text=text,
                blocks=blocks,
                thread_ts=thread or None,
                reply_broadcast=loud or None,
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        return str(answer["ts"])

    def update(self, channel: str, ts: str, text: str, blocks: list[Any] | None) -> None:
        """Change a message. Repeatable."""
        _ask(lambda: self.client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks, parse="none"))

    def whisper(self, channel: str, user: str, text: str) -> None:
        """Tell one person something in a channel; nobody else sees it."""
        _ask(lambda: self.client.chat_postEphemeral(channel=channel, user=user, text=text, parse="none"))

    def team(self) -> str:
        """Return the name of the team that the token belongs to."""
        return str(_ask(self.client.auth_test)["team"])

    def person(self, email: str) -> str | None:
        """Return the Slack id of whom an e-mail address belongs to, None when Slack knows nobody."""
        try:
            return str(_ask(lambda: self.client.users_lookupByEmail(email=email))["user"]["id"])
        except SlackTrouble as trouble:
            if trouble.error in ("users_not_found", "missing_scope", "invalid_arguments"):
                return None
            raise

    def picture(self, channel: str, thread: str, title: str, content: bytes) -> None:
        """Put a PNG into a thread."""
        _ask(
            lambda: self.client.files_upload_v2(
                channel=channel, thread_ts=thread, title=title, filename="plot.png", content=content
            )
        )


def _ask(call: Callable[[], SlackResponse]) -> SlackResponse:
    """Call Slack. Raises SlackTrouble for whatever it does instead of answering well."""
    try:
        return call()
    except SlackApiError as error:
        raise _trouble(error.response) from error
    except (SlackClientError, OSError, HTTPException, *MISREAD) as error:
        raise SlackTrouble(f"does not answer ({type(error).__name__})", TEMPORARY_S) from error


def _trouble(answer: Any) -> SlackTrouble:
    if not isinstance(answer, SlackResponse):
        return SlackTrouble("an answer that cannot be read", TEMPORARY_S)
    data = answer.data if isinstance(answer.data, dict) else {}
    error = str(data.get("error") or f"HTTP {answer.status_code}")[:100]
    headers = {name: value if isinstance(value, str) else str(value[0]) for name, value in answer.headers.items()}
    wait_s = wait_of(answer.status_code, headers, datetime.now(UTC))
    if error == "ratelimited" or answer.status_code == 429:
        return SlackTrouble("ratelimited", wait_s if wait_s is not None else 60)
    if answer.status_code >= 500 or error in TEMPORARY or not ERROR.fullmatch(error):
        return SlackTrouble(error[:60], max(wait_s or 0, TEMPORARY_S))
    return SlackTrouble(error, CONFIGURATION_S if error in CONFIGURATION else None)
