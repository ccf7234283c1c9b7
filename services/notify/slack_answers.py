"""Approve and Reject in Slack: who pressed is looked up in config/approvers.toml by Slack id, and what they said goes
through the same rules as the form. The run judges it again: this is only the earlier, kinder answer. A question of
another host is not known here: what was pressed is handed to its run, which judges it and asks again if it must.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from control.prefect_api import PrefectApi
from gates.notify.texts import Asked
from gates.release.approval import Answer, Approver, Decision, Question, Ruling, judge_answer
from host.errors import ServerAway
from notify.outbox import Outbox
from settings.notify import Notify

VALUE = re.compile(
    r"([0-9a-f]{12}) ([0-9a-f-]{36}) ([0-9a-f]{4}-[0-9a-f]{4})(?: ([^\n]+))?"
)  # as gates/notify/texts.py has it


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Id(_Part):
    id: str = Field(max_length=40)


class _Action(_Part):
    action_id: Decision
    value: str = Field(max_length=2000)


class _Press(_Part):
    type: str = Field(pattern="^block_actions$")
    user: _Id
    team: _Id | None = None
    channel: _Id | None = None
    actions: tuple[_Action, ...] = Field(min_length=1, max_length=1)


@dataclass(frozen=True)
class Said:
    """What to tell the one who pressed, and where."""

    channel: str
    user: str
    text: str
    taken: bool = False


def press(
    payload: Mapping[str, Any], notify: Notify, outbox: Outbox, api: PrefectApi, approvers: Sequence[Approver]
) -> Said | None:
    """Take one press of a button; None when it is none of ours. Raises OutboxError."""
    try:
        seen = _Press.model_validate(payload)
    except ValidationError:
        return None
    decision, value = seen.actions[0].action_id, VALUE.fullmatch(seen.actions[0].value)
    channel = seen.channel.id if seen.channel else notify.slack.channel
    if value is None:
        return Said(channel, seen.user.id, "This button is not one of Slipway's.")
    if notify.slack.team and (seen.team is None or seen.team.id != notify.slack.team):
        return Said(channel, seen.user.id, "Only members of our own Slack team may answer.")
    known = outbox.recall(f"asked:{value[1]}")
    asked = Asked.model_validate(known) if known else None
    if asked and (asked.run != value[2] or not hmac.compare_digest(asked.code, value[3])):
        return Said(channel, seen.user.id, "This button belongs to another question.")
    person = next((one for one in approvers if one.slack == seen.user.id), None)
    if person is None:
        said = f"You ({seen.user.id}) are not named in config/approvers.toml: nothing was done."
        return Said(channel, seen.user.id, said)
    # Where there is no way back the button says so, and asks for that by itself.
    no_way_back = (value[4] or "") if decision is Decision.APPROVE else ""
    answer = Answer(decision, person.name, value[3], datetime.now(UTC), f"in Slack, as {seen.user.id}", no_way_back)
    if asked and (wrong := _refusal(asked, answer, approvers)):
        return Said(channel, seen.user.id, wrong)
    if trouble := _give(value[2], answer, api):
        return Said(channel, seen.user.id, trouble)
    what = f"{asked.version} to {asked.environment}." if asked else "the run judges it, and asks again if it must."
    return Said(channel, seen.user.id, f"Taken: {decision} by {person.name}, {what}", True)


def _refusal(asked: Asked, answer: Answer, approvers: Sequence[Approver]) -> str:
    """Return why an answer does not count, "" when it does."""
    question = Question(
        run=asked.run,
        environment=asked.environment,
        digest=asked.digest,
        policy=asked.policy,
        expires=asked.expires,
        authors=asked.authors,
        author_may_approve=asked.author_may_approve,
        contracts=asked.contracts,
    )
    ruling, reason = judge_answer(question, answer, approvers)
    return "" if ruling in (Ruling.ACCEPTED, Ruling.REJECTED) else f"Nothing was done: {reason}."


def _give(run: str, answer: Answer, api: PrefectApi) -> str:
    """Answer the run; return why that did not work, "" when it did."""
    given = {"decision": str(answer.decision), "approver": answer.approver, "code": answer.code}
    given |= {"comment": answer.comment} | ({"no_way_back": answer.no_way_back} if answer.no_way_back else {})
    try:
        answered = api.call("POST", f"/flow_runs/{run}/resume", {"run_input": given})
    except ServerAway as error:
        return f"Your answer could not be given, try again: {error}"
    if answered is None or answered.get("status") != "ACCEPT":
        return "Nothing was done: the run does not wait for an answer any more."
    return ""
