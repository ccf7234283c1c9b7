"""Tell GitHub what waits in the outbox: statuses, comments, deployments, SARIF, releases. In order, and until it worked
or a day is over: what a commit's status says must never be older than what was said before.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from control.secret_references import secret_of
from host.home import Home
from notify.github_api import GitHubApi, GitHubTrouble
from notify.outbox import GITHUB, Item, Outbox
from services.notify.queue_loop import run_queue
from settings.notify import Notify
from settings.targets import Target, names

EVERY_S = 1.0
GIVE_UP = timedelta(hours=24)
# What an answer of the wrong shape raises when it is read.
MISREAD = (KeyError, TypeError, ValueError, AttributeError)

log = structlog.get_logger("github")


class GitHubTeller:
    """The loop over the outbox's queue for GitHub."""

    def __init__(self, api: GitHubApi, outbox: Outbox) -> None:
        self.api = api
        self.outbox = outbox
        self._kinds: dict[str, Callable[[Item], None]] = {
            "status": self._status,
            "comment": self._comment,
            "deployment": self._deployment,
            "sarif": self._sarif,
            "release": self._release,
        }

    @classmethod
    def of(cls, notify: Notify, home: Home, outbox: Outbox) -> "GitHubTeller | None":
        """Return the teller, None when there is no token or repository. ConfigError, ServerAway."""
        token = secret_of(notify, "github.token", home)
        if not token or not notify.github.repository:
            return None
        return cls(GitHubApi(notify.github.api_url, notify.github.repository, token), outbox)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        run_queue(self.work, GITHUB, stop, EVERY_S)

    def work(self) -> float:
        """Tell what is due; return the seconds that GitHub wants to be left alone. Raises OutboxError."""
        for item in self.outbox.due(GITHUB):
            try:
                self._kinds[item.kind](item)
                self.outbox.settle(item)
            except GitHubTrouble as trouble:
                if trouble.wait_s is not None and datetime.now(UTC) - item.created < GIVE_UP:
                    log.warning(item.kind, error=str(trouble), again_in_s=trouble.wait_s)
                    self.outbox.postpone(item, trouble.wait_s, str(trouble))
                    return trouble.wait_s  # the others wait too: their order counts
                self._drop(item, str(trouble))
            except MISREAD as error:
                self._drop(item, f"its answer cannot be read: {type(error).__name__}: {error}")
        return 0.0

    def _drop(self, item: Item, error: str) -> None:
        log.error(item.kind, error=error, said="given up")
        self.outbox.give_up(item, error)

    def _status(self, item: Item) -> None:
        body = item.body
        self.api.status(body["commit"], body["context"], body["state"], body["description"], body["url"])

    def _comment(self, item: Item) -> None:
        for pull in self.api.pulls_of(item.body["commit"]):
            known = self.outbox.recall(f"github:comment:{pull}")
            self.outbox.remember(f"github:comment:{pull}", self.api.comment(pull, item.body["text"], known))

    def _deployment(self, item: Item) -> None:
        body = item.body
        name = f"github:deployment:{body['key']}"
        known = self.outbox.recall(name)
        if known is None:
            environment = body["environment"]
            production = environment in names() and Target(environment).is_production
            known = self.api.create_deployment(body["commit"], environment, body["description"], production)
            self.outbox.remember(name, known)
        self.api.deployment_status(known, body["state"], body["description"], body["log_url"], body["url"])

    def _sarif(self, item: Item) -> None:
        self.api.upload_sarif(item.body["commit"], item.body["ref"], item.body["packed"])

    def _release(self, item: Item) -> None:
        self.api.release(item.body["tag"], item.body["commit"], item.body["notes"])
