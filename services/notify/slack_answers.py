"""Answers by the buttons Approve and Reject in Slack. The person is looked up in config/approvers.toml by Slack id, and
the answer is judged by the same rules as the form. The run judges it again: this is only the earlier, kinder reply. A
question of another host is not known here: its run is handed the answer, judges it and asks again if it must.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import Field, ValidationError

from control.prefect_api import PrefectApi
from gates.documents import Foreign
from gates.release.approval import Answer, Approver, Decision, Question, Ruling, judge_answer, read_button
from host.errors import ServerAway
from notify.channels.slack import SlackSettings
from notify.outbox import Outbox

UNKNOWN_HERE = "the run judges it, and asks again if it must."


class _Part(Foreign, of="Slack's interactivity"):
    pass


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
class ButtonReply:
    """What to tell the person who pressed, and where. `taken`: the run was given the answer."""

    channel: str
    user: str
    text: str
    taken: bool = False


def handle_button(
    payload: Mapping[str, Any], settings: SlackSettings, outbox: Outbox, api: PrefectApi, approvers: Sequence[Approver]
) -> ButtonReply | None:
    """Take one press of a button; None when it is none of ours. Raises OutboxError."""
    try:
        press = _Press.model_validate(payload)
    except ValidationError:
        return None
    text, taken = _answer(press, settings, outbox, api, approvers)
    return ButtonReply(press.channel.id if press.channel else settings.channel, press.user.id, text, taken)


def _answer(
    press: _Press, settings: SlackSettings, outbox: Outbox, api: PrefectApi, approvers: Sequence[Approver]
) -> tuple[str, bool]:
    """Return what to reply, and whether the run was given the answer."""
    decision, value = press.actions[0].action_id, read_button(press.actions[0].value)
    if value is None:
        return "This button is not one of Slipway's.", False
    if settings.team and (press.team is None or press.team.id != settings.team):
        return "Only members of our own Slack team may answer.", False
    known = outbox.recall(f"asked:{value.id}")
    question = Question.model_validate(known) if known else None
    if question and not value.belongs_to(question):
        return "This button belongs to another question.", False
    person = next((approver for approver in approvers if approver.slack == press.user.id), None)
    if person is None:
        return f"You ({press.user.id}) are not named in config/approvers.toml: nothing was done.", False
    # Where there is no way back the button says so, and asks for that by itself.
    no_way_back = value.no_way_back if decision is Decision.APPROVE else ""
    comment = f"in Slack, as {press.user.id}"
    answer = Answer(decision, person.name, value.code, datetime.now(UTC), comment, no_way_back)
    if question:
        ruling, reason = judge_answer(question, answer, approvers)
        if ruling not in (Ruling.ACCEPTED, Ruling.REJECTED):
            return f"Nothing was done: {reason}.", False
    if trouble := _give(value.run, answer, api):
        return trouble, False
    what = f"{question.version} to {question.environment}." if question else UNKNOWN_HERE
    return f"Taken: {decision} by {person.name}, {what}", True


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
