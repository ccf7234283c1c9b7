"""What Slack sends is a press of one of our buttons, or nothing of ours; whatever it holds."""

from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.prefect_api import PrefectApi
from gates.release.approval import Approver
from notify.channels.slack import SlackSettings
from notify.outbox import Outbox
from services.notify.slack_answers import handle_button

SETTINGS = SlackSettings.model_validate({"token": "env:T", "app_token": "env:A", "channel": "C1", "team": "T1"})
PRESS: dict[str, Any] = {
    "type": "block_actions",
    "user": {"id": "U1"},
    "team": {"id": "T1"},
    "channel": {"id": "C1"},
    "actions": [{"action_id": "approve", "value": "slipway"}],
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | st.sampled_from(["approve", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["id", "action_id", "value", "type", ""]), inner, max_size=3),
    max_leaves=6,
)


class Nobody:
    """Stands for Prefect's API, which a press without a question never reaches."""

    def call(self, method: str, path: str, body: object = None) -> None:
        raise AssertionError(f"{method} {path}")


@pytest.fixture(scope="module")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Outbox:
    return Outbox(Path(tmp_path_factory.mktemp("outbox")) / "outbox.sqlite")


def handle(payload: Any, outbox: Outbox) -> Any:
    approvers: list[Approver] = []
    return handle_button(payload, SETTINGS, outbox, cast(PrefectApi, Nobody()), approvers)


@pytest.mark.fuzz
@given(changes=st.dictionaries(st.sampled_from([*PRESS]), VALUES | st.lists(VALUES, max_size=2), max_size=3))
def test_any_payload_is_a_press_or_none_of_ours(outbox: Outbox, changes: dict[str, Any]) -> None:
    reply = handle({**PRESS, **changes}, outbox)
    assert reply is None or not reply.taken


@pytest.mark.fuzz
@given(value=st.text(max_size=80))
def test_any_value_of_a_button_is_answered(outbox: Outbox, value: str) -> None:
    reply = handle({**PRESS, "actions": [{"action_id": "approve", "value": value}]}, outbox)
    assert reply and reply.text == "This button is not one of Slipway's."


@pytest.mark.parametrize(
    "payload", [{}, {"type": "view_submission"}, {**PRESS, "actions": []}, {**PRESS, "user": None}]
)
def test_what_is_no_press_is_none_of_ours(outbox: Outbox, payload: Any) -> None:
    assert handle(payload, outbox) is None
