"""Tell how releases and rollbacks go by following the environments' journals: also those that no flow could tell of,
because it was killed, the Prefect server was away, or a person typed `make rollback`.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from deployments.environment import Environment
from deployments.journal.journal import Entry as JournalEntry
from deployments.journal.ledger import Operation, read_ledger
from deployments.past_releases import read_past
from gates.notify.messages import Post, Reply, Role
from gates.notify.texts import ReleaseProgress, answered_message, progress_message, took
from gates.release.approval import Question
from host.errors import SlipwayError
from notify.announce import Entry
from notify.announce import entries as queue_entries
from notify.outbox import GITHUB, Outbox
from settings.notify import Notify

EVERY_S = 1.0
GITHUB_STATES = {"": "in_progress", "promoted": "success", "rolled back": "failure", "restored": "error"}

log = structlog.get_logger("journals")


class Follower:
    """Reads what was appended since the last look, and writes it into the outbox: each entry once."""

    def __init__(self, notify: Notify, outbox: Outbox, places: Sequence[Environment], ui_url: str) -> None:
        self.notify = notify
        self.outbox = outbox
        self.places = places
        self.ui_url = ui_url
        self._sizes: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.wait(EVERY_S):
            for place in self.places:
                try:
                    self.look(place)
                except (SlipwayError, OSError) as error:
                    log.error("journal", environment=place.name, error=str(error))

    def look(self, place: Environment) -> None:
        """Tell what is new in one environment. At the very first look nothing is: history is not news.

        Raises JournalError, OutboxError.
        """
        file = place.journal.file
        size = file.stat().st_size if file.exists() else 0
        if self._sizes.get(place.name) == size:
            return
        entries = place.journal.entries()
        name = f"journal:{place.name}"
        last = self.outbox.recall(name)
        seq = entries[-1].seq if entries else 0
        told = [] if last is None else list(self._tell(place, entries, int(last)))
        self.outbox.write(told, {name: seq})
        self._sizes[place.name] = size
        if any(entry.kind == "end" for entry in entries[last or 0 :]):
            read_past(place)  # it is remembered: the next report reads only what came since

    def _tell(self, place: Environment, entries: list[JournalEntry], last: int) -> Iterator[Entry]:
        operations = {one.id: one for one in read_ledger(entries).operations}
        current = next((one.data["id"] for one in reversed(entries[:last]) if one.kind == "begin"), "")
        touched: dict[str, bool] = {}  # whether it began or ended meanwhile
        replies: list[Post] = []
        for entry in entries[last:]:
            if entry.kind == "begin":
                current = entry.data["id"]
            if entry.kind in ("begin", "step", "end") and current in operations:
                touched[current] = touched.get(current, False) or entry.kind != "step"
            if entry.kind == "answer":
                yield from self._answer(entry.data)
            elif current in operations and (line := _line(entry)):
                ended = operations[current]
                loud = entry.kind == "end" and ended.outcome != "promoted"
                reply = Reply(text=line, role=Role.REPEAT if loud else Role.STEP)
                replies.append(Post(key=_key(ended), content=reply))
        for one, turned in touched.items():
            yield from self._operation(place, operations[one], turned)
        yield from queue_entries(self.notify, *replies)

    def _answer(self, data: Any) -> Iterator[Entry]:
        known = self.outbox.recall(f"asked:{data['id']}")
        if known:
            question = Question.model_validate(known)
            key = f"release:{question.run}"
            message = answered_message(question, data["ruling"], data["reason"])
            reply = Reply(text=f"{data['ruling']}: {data['reason']}", role=Role.STEP)
            yield from queue_entries(self.notify, Post(key=key, content=message), Post(key=key, content=reply))

    def _operation(self, place: Environment, operation: Operation, turned: bool) -> Iterator[Entry]:
        progress = ReleaseProgress(
            kind=operation.kind,
            app=place.app,
            environment=place.name,
            version=operation.version.version,
            commit=operation.version.commit,
            before=operation.before.version.version if operation.before else "",
            outcome=operation.outcome or "",
            reason=operation.reason,
            steps=tuple(operation.steps),
            url=f"{self.ui_url}/runs/flow-run/{operation.run}" if operation.run else "",
            public_url=place.public_url,
            runbook_url=self.notify.runbook_url or "",
        )
        yield from queue_entries(self.notify, Post(key=_key(operation), content=progress_message(progress)))
        github = self.notify.github
        if turned and github.repository and github.token and github.deployments:
            yield GITHUB, "deployment", _deployment(progress, operation)


def _key(operation: Operation) -> str:
    return f"release:{operation.run or operation.id}"


def _line(entry: JournalEntry) -> str:
    data = entry.data
    match entry.kind:
        case "step":
            return f"{data['name']}: {took(data['seconds'])}"
        case "judged":
            return f"judged: {data['action']}: {data['reason']}"
        case "condemned":
            return f"condemned: {data['digest'][:12]}: {data['reason']}"
        case "end":
            return f"{data['outcome']}: {data['reason']}"
    return ""


def _deployment(progress: ReleaseProgress, operation: Operation) -> dict[str, str]:
    state = GITHUB_STATES.get(progress.outcome, "error")
    if progress.kind == "rollback" and progress.outcome == "rolled back":
        state = "success"
    return {
        "key": operation.id,
        "commit": progress.commit,
        "environment": progress.environment,
        "state": state,
        "description": f"{progress.kind} {progress.version}: {progress.outcome or 'in progress'} {progress.reason}"[
            :140
        ],
        "log_url": progress.url,
        "url": progress.public_url,
    }
