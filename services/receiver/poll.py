"""Ask GitHub for new commits, for those whom its webhooks cannot reach. Conditional requests: an unchanged answer costs
nothing of the rate limit (GitHub, "Best practices for using the REST API").
"""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import structlog

from control.secret_references import secret_of
from gates.notify.webhooks import Change, Refused, read_event
from host.errors import ConfigError, OutboxError, ToolError
from host.home import Home
from notify.github_api import GitHubApi, GitHubTrouble
from notify.outbox import Outbox
from services.receiver.intake import Intake, is_known
from settings.notify import Notify

TIMEOUT_S = 15.0

log = structlog.get_logger("poll")


class Poller:
    """Looks at each configured branch and the open pull requests that target it."""

    def __init__(self, notify: Notify, token: str | None, intake: Intake) -> None:
        self.github = notify.github
        self.intake = intake
        self.outbox: Outbox = intake.outbox
        self.api = GitHubApi(self.github.api_url, self.github.repository, token, TIMEOUT_S)

    @classmethod
    def of(cls, notify: Notify, home: Home, intake: Intake) -> "Poller | None":
        """Return the poller, None when polling is off. Raises ConfigError if it is on and no repository is named."""
        if not notify.github.poll_seconds:
            return None
        if not notify.github.repository:
            raise ConfigError("config/notify.toml: github.poll_seconds is set, github.repository is not")
        return cls(notify, secret_of(notify, "github.token", home), intake)

    def run(self, stop: threading.Event) -> None:
        """Ask until `stop` is set; never more often than GitHub wishes."""
        wait_s = 0.0
        while not stop.wait(wait_s):
            wait_s = self.github.poll_seconds
            try:
                wait_s = max(wait_s, self.look())
            except (ToolError, OutboxError) as error:
                log.warning("poll", error=str(error), again_in_s=wait_s)

    def look(self) -> float:
        """Look once at everything; return the seconds that GitHub asks us to wait, 0 when it does not.

        Raises ToolError on an answer that cannot be used: then nothing was concluded from it.
        """
        here = f"/repos/{self.github.repository}"
        wish_s = 0.0
        for branch in self.github.branches:
            name = quote(branch, safe="")
            pulls = f"{here}/pulls?state=open&per_page=100&base={name}"
            for path, read in ((f"{here}/branches/{name}", self._branch), (pulls, self._pulls)):
                try:
                    wish_s = max(wish_s, self._look(path, branch, read))
                except GitHubTrouble as trouble:
                    if trouble.limited:
                        log.warning("rate limit", status=trouble.status, wait_s=trouble.wait_s)
                        return trouble.wait_s or 0.0
                    if trouble.status != 404 or "/branches/" not in path:
                        raise ToolError(str(trouble)) from trouble
        return wish_s

    def _look(self, path: str, branch: str, read: Callable[[str, Any], None]) -> float:
        """Read what is new at a path; return the seconds that GitHub wants between questions."""
        answer = self.api.look(path, self.outbox.recall(f"etag:{path}") or "")
        if answer.body is not None:
            try:
                read(branch, answer.body)
            except (ValueError, KeyError, TypeError, AttributeError, Refused) as error:
                reason = f"{type(error).__name__}: {error}"[:200]
                raise ToolError(f"GitHub's answer to {path} cannot be read: {reason}") from error
            if answer.etag:  # only now: what could not be read is asked for again
                self.outbox.remember(f"etag:{path}", answer.etag[:200])
        return answer.every_s

    def _branch(self, branch: str, found: Mapping[str, Any]) -> None:
        commit = str(found["commit"]["sha"])
        newest = self.intake.newest(f"branch/{branch}")
        if newest and newest["commit"] == commit:
            return
        push = {
            "ref": f"refs/heads/{branch}",
            "before": newest["commit"] if newest else "0" * 40,
            "after": commit,
            "repository": {"full_name": self.github.repository},
        }
        self._take("push", push)

    def _pulls(self, branch: str, found: list[Mapping[str, Any]]) -> None:
        for one in found:
            newest = self.intake.newest(f"pull/{one['number']}")
            if not (newest and is_known(newest, one["head"]["sha"], branch)):
                event = {
                    "action": "synchronize",
                    "pull_request": one,
                    "repository": {"full_name": self.github.repository},
                }
                self._take("pull_request", event)

    def _take(self, event: str, body: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        raw = json.dumps({**body, "found": now.isoformat()}).encode()
        change = read_event(event, raw, now)
        if isinstance(change, Change):
            status, said = self.intake.take(change, f"poll-{uuid.uuid4()}", raw)
            log.info("found", status=status, said=said, branch=change.branch, commit=change.commit)
