"""Tell how releases and rollbacks go by following the environments' journals: also those that no flow could tell of,
because it was killed, the Prefect server was away, or a person typed `make rollback`.
"""

import threading
from collections.abc import Iterator, Sequence

import structlog

from deployments.environment import Environment
from deployments.journal import entries
from deployments.journal.entries import EventKind
from deployments.journal.ledger import Change, Ledger
from deployments.past_releases import read_past
from gates.notify.messages import Post, Reply, Role
from gates.notify.texts import ReleaseProgress, answered_message, progress_message, took
from gates.release.approval import Question
from gates.release.operation import Operation, Outcome, succeeded
from host.errors import SlipwayError
from notify.announce import Entry
from notify.announce import entries as queue_entries
from notify.outbox import GITHUB, Outbox
from settings.notify import Notify

EVERY_S = 1.0

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
        ledger, name = Ledger(), f"journal:{place.name}"
        last = self.outbox.recall(name)
        journal = place.journal.entries()
        news = [change for entry in journal if (change := ledger.add(entry)) and entry.seq > int(last or 0)]
        told = [] if last is None else list(self._tell(place, news))
        self.outbox.write(told, {name: ledger.entries})
        self._sizes[place.name] = size
        if any(isinstance(change.event, entries.OperationEnded) for change in news):
            read_past(place)  # it is remembered: the next report reads only what came since

    def _tell(self, place: Environment, changes: Sequence[Change]) -> Iterator[Entry]:
        touched: dict[str, tuple[Operation, bool]] = {}  # each operation, and whether it began or ended meanwhile
        replies: list[Post] = []
        for change in changes:
            if isinstance(change.event, entries.QuestionAnswered):
                yield from self._answer(change.event)
            elif isinstance(operation := change.subject, Operation):
                if change.entry.kind in (EventKind.BEGIN, EventKind.STEP, EventKind.END):
                    turned = change.entry.kind != EventKind.STEP or touched.get(operation.id, (operation, False))[1]
                    touched[operation.id] = operation, turned
                if line := _line(change.event):
                    loud = isinstance(change.event, entries.OperationEnded) and change.event.outcome != Outcome.PROMOTED
                    reply = Reply(text=line, role=Role.REPEAT if loud else Role.STEP)
                    replies.append(Post(key=_key(operation), content=reply))
        for operation, turned in touched.values():
            yield from self._operation(place, operation, turned)
        yield from queue_entries(self.notify, *replies)

    def _answer(self, answer: entries.QuestionAnswered) -> Iterator[Entry]:
        known = self.outbox.recall(f"asked:{answer.id}")
        if known:
            question = Question.model_validate(known)
            key = f"release:{question.run}"
            message = answered_message(question, answer.ruling, answer.reason)
            reply = Reply(text=f"{answer.ruling}: {answer.reason}", role=Role.STEP)
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
            steps=tuple((step.name, step.seconds) for step in operation.steps),
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


def _line(event: entries.Event) -> str:
    match event:
        case entries.StepEnded():
            return f"{event.name}: {took(event.seconds)}"
        case entries.VersionJudged():
            return f"judged: {event.action}: {event.reason}"
        case entries.VersionCondemned():
            return f"condemned: {event.digest[:12]}: {event.reason}"
        case entries.OperationEnded():
            return f"{event.outcome}: {event.reason}"
    return ""


def _deployment(progress: ReleaseProgress, operation: Operation) -> dict[str, str]:
    if succeeded(progress.kind, progress.outcome):
        state = "success"
    elif not progress.outcome:
        state = "in_progress"
    else:
        state = "failure" if progress.outcome == Outcome.ROLLED_BACK else "error"
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
