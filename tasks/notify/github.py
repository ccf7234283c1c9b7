"""Tell GitHub what `ci` found: written down here in a millisecond, told by services/notify/github.py.

Functions, not tasks, as in tasks/artifacts.py. They never fail or delay a run; what is wrong is told in its log.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.logging import get_run_logger

from evidence.commits import Commit
from gates.check import GOOD, Check, Outcome
from gates.notify.messages import as_markdown
from gates.notify.release_notes import notes_of
from gates.notify.texts import CiResult, ci_comment
from host.errors import SlipwayError
from host.home import Home
from host.json_logs import veiled_values
from notify.github_api import pack
from notify.outbox import GITHUB, Outbox
from settings.notify import Notify, read_notify

PATIENCE = timedelta(seconds=60)
LARGEST_SARIF_BYTES = 10_000_000  # GitHub's limit is 10 MB after gzip
CONTEXT = "slipway"


def begin_checks(commit: str, url: str) -> None:
    """Set `slipway/ci` to pending."""

    def tell(notify: Notify, outbox: Outbox) -> None:
        if notify.github.statuses:
            _status(outbox, commit, "ci", "pending", "it runs", url)

    _tell(tell)


def tell_checks(result: CiResult) -> None:
    """Set a status for each check and `slipway/ci` for all of them, and the comment of the commit's pull request."""

    def tell(notify: Notify, outbox: Outbox) -> None:
        if notify.github.statuses:
            for check in result.checks:
                _status(outbox, result.commit, check.name, _state(check), check.reason, result.url)
            _status(outbox, result.commit, "ci", "success" if result.good else "failure", result.reason, result.url)
        if notify.github.comments:
            outbox.put(GITHUB, "comment", {"commit": result.commit, "text": as_markdown(ci_comment(result))})

    _tell(tell)


def tell_findings(commit: str, branch: str, sarif: Mapping[str, Any]) -> None:
    """Upload findings to the Security tab, when config/notify.toml says so. What is too large is told and left out."""

    def tell(notify: Notify, outbox: Outbox) -> None:
        if not notify.github.sarif or not branch:
            return
        packed = pack(json.dumps(veiled_values(sarif)).encode())
        if len(packed) > LARGEST_SARIF_BYTES:
            get_run_logger().warning("the findings are too large for GitHub's Security tab: %d bytes", len(packed))
            return
        outbox.put(GITHUB, "sarif", {"commit": commit, "ref": f"refs/heads/{branch}", "packed": packed})

    _tell(tell)


def tell_release_notes(version: str, commit: str, commits: Sequence[Commit], more: int = 0) -> None:
    """Create the version's release on GitHub with notes from its commits, when config/notify.toml wants releases.

    `more` is how many older commits it has beyond them.
    """

    def tell(notify: Notify, outbox: Outbox) -> None:
        if notify.github.releases:
            notes = notes_of([(one.hash, one.author, one.subject) for one in commits], more)
            outbox.put(GITHUB, "release", {"tag": version, "commit": commit, "notes": notes})

    _tell(tell)


def _tell(write: Callable[[Notify, Outbox], None]) -> None:
    log = get_run_logger()
    try:
        notify = read_notify()
        if not notify.github.repository or not notify.github.token:
            return
        outbox = Outbox.of(Home.find())
        write(notify, outbox)
        trouble = outbox.backlog(GITHUB).trouble(datetime.now(UTC), PATIENCE)
    except (SlipwayError, OSError) as error:
        trouble = str(error)
    if trouble:
        log.warning("GitHub is not told everything: %s", trouble)


def _status(outbox: Outbox, commit: str, name: str, state: str, reason: str, url: str) -> None:
    body = {"commit": commit, "context": f"{CONTEXT}/{name}", "state": state, "url": url}
    outbox.put(GITHUB, "status", {**body, "description": " ".join(reason.split())[:140]})


def _state(check: Check) -> str:
    if check.outcome in GOOD:
        return "success"
    return "failure" if check.outcome is Outcome.FAILED else "error"
