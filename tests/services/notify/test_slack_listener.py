"""Presses of Approve and Reject, over a real Socket Mode connection: whose count, and whose do not."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.socket_mode.request import SocketModeRequest

import host.wait
from gates.notify.slack_blocks import blocks
from gates.notify.texts import question_message
from gates.release.approval import Approver, Question
from notify.channels.slack import SlackSettings
from notify.outbox import Outbox
from notify.slack_api import SlackApi
from services.notify import slack_listener
from services.notify.slack_listener import Listener
from tests.prefect_server import PrefectServer, a_home, prefect_server
from tests.serving import serving
from tests.slack_server import APP_TOKEN, CHANNEL, TOKEN, SlackServer, html, refusal
from tests.waiting import wait_for

ROBIN = Approver("Robin", ("robin@example.com",), ("staging", "production"), slack="U0ROBIN")
SASHA = Approver("Sasha", ("sasha@example.com",), ("staging",), slack="U0SASHA")
ANN = Approver("Ann", ("ann@example.com",), ("production",), slack="U0ANN")


class World:
    """A listener that is connected to Slack and to Prefect, and one open question in production."""

    def __init__(self, directory: Path, slack: SlackServer, prefect: PrefectServer, api: Any) -> None:
        config = {"token": "env:X", "channel": CHANNEL, "team": "T1", "base_url": f"{slack.url}/api/"}
        self.slack = slack
        self.prefect = prefect
        self.outbox = Outbox(directory / "outbox.sqlite")
        settings = SlackSettings.model_validate(config)
        speaker = SlackApi(TOKEN, settings.base_url, 2)
        self.listener = Listener(settings, self.outbox, api, speaker, APP_TOKEN)
        self.run = str(prefect.add_run("a" * 40, "PAUSED")["id"])
        self.asked = self.ask()

    def ask(self, expires_s: float = 600, contracts: tuple[str, ...] = (), here: bool = True) -> Question:
        question = Question(
            id=uuid.uuid4().hex[:12],
            run=self.run,
            environment="production",
            digest="d" * 64,
            policy="p" * 64,
            expires=datetime.now(UTC) + timedelta(seconds=expires_s),
            authors=("ann@example.com",),
            contracts=contracts,
            version="v2",
            live="v1",
            verdict="6 required checks passed",
            commits=("aaaa fix (Ann)",),
            url="http://localhost/run",
        )
        if here:
            self.outbox.remember(f"asked:{question.id}", question.model_dump(mode="json"))
        return question

    def press(self, user: str, action: str = "approve", value: str | None = None, **more: Any) -> dict[str, Any]:
        """Return the payload of a press, as Slack sends it, with the button that was shown."""
        shown = next(block for block in blocks(question_message(self.asked)) if block["type"] == "actions")
        button = next(one for one in shown["elements"] if one["action_id"] == action)
        pressed = {"type": "button", "action_id": action, "value": button["value"] if value is None else value}
        who = {"user": {"id": user, "name": "x"}, "team": {"id": "T1"}, "channel": {"id": CHANNEL}}
        return {"type": "block_actions", **who, "actions": [pressed], **more}

    def send(self, payload: dict[str, Any], envelope: str | None = None) -> str:
        """Send a press through Socket Mode; return what the one who pressed was told."""
        before = len(self.slack.whispers)
        self.slack.send(envelope or str(uuid.uuid4()), payload)
        wait_for(lambda: len(self.slack.whispers) > before, "an answer to the press")
        return str(self.slack.whispers[-1]["text"].replace("\u200b", ""))


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Connect once: to close a connection takes slack_sdk some seconds."""
    directory = tmp_path_factory.mktemp("slack")
    server = SlackServer()
    stop = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slack_listener, "read_approvers", lambda: [ROBIN, SASHA, ANN])
        with serving(server.app) as server.url, prefect_server(a_home(directory), patch) as (prefect, api):
            made = World(directory, server, prefect, api)
            thread = threading.Thread(target=made.listener.run, args=(stop,), daemon=True)
            thread.start()
            wait_for(lambda: bool(server.sockets), "the Socket Mode connection")
            yield made
            stop.set()
            thread.join(15)


@pytest.fixture
def world(connected: World) -> World:
    """Return the connected world with a new question and nothing answered yet."""
    connected.prefect.resumed.clear()
    connected.prefect.away, connected.prefect.resume_status = False, "ACCEPT"
    connected.slack.acknowledged.clear()
    connected.asked = connected.ask()
    return connected


def test_the_right_person_approves(world: World) -> None:
    assert world.send(world.press("U0ROBIN")) == "Taken: approve by Robin, v2 to production."
    ((run, given),) = world.prefect.resumed
    assert run == world.run
    assert given == {
        "decision": "approve",
        "approver": "Robin",
        "code": world.asked.code,
        "comment": "in Slack, as U0ROBIN",
    }


def test_a_button_that_gives_up_the_way_back_says_so_and_the_answer_names_it(world: World) -> None:
    world.asked = world.ask(contracts=("0007", "0009"))
    shown = str(blocks(question_message(world.asked)))
    assert "Approve, no way back" in shown and "give up the way back? migration 0007, 0009 takes away" in shown
    assert world.send(world.press("U0ROBIN")).startswith("Taken: approve by Robin")
    assert world.prefect.resumed[0][1]["no_way_back"] == "0007, 0009"
    world.prefect.resumed.clear()
    assert world.send(world.press("U0ROBIN", "reject")).startswith("Taken: reject")
    assert "no_way_back" not in world.prefect.resumed[0][1]


def test_a_question_of_another_host_is_handed_to_its_run(world: World) -> None:
    world.asked = world.ask(contracts=("0007", "0009"), here=False)
    assert "are not named" in world.send(world.press("U0NOBODY"))
    assert world.prefect.resumed == []
    assert (
        world.send(world.press("U0ROBIN")) == "Taken: approve by Robin, the run judges it, and asks again if it must."
    )
    ((run, given),) = world.prefect.resumed
    assert run == world.run
    assert (given["approver"], given["code"], given["no_way_back"]) == ("Robin", world.asked.code, "0007, 0009")


def test_the_right_person_rejects(world: World) -> None:
    assert world.send(world.press("U0ROBIN", "reject")).startswith("Taken: reject")
    assert world.prefect.resumed[0][1]["decision"] == "reject"


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("U0NOBODY", "not named in config/approvers.toml"),
        ("U0SASHA", "Sasha may not decide about production"),
        ("U0ANN", "Ann wrote a commit of this release"),
        ("", "not named"),
    ],
)
def test_the_wrong_person_changes_nothing(world: World, user: str, said: str) -> None:
    assert said in world.send(world.press(user))
    assert world.prefect.resumed == []


def test_an_author_may_reject(world: World) -> None:
    assert world.send(world.press("U0ANN", "reject")).startswith("Taken")


@pytest.mark.parametrize("value", ["", "x", "approve everything", "0" * 12 + " " + "0" * 36 + " 0000-0000"])
def test_a_forged_button_changes_nothing(world: World, value: str) -> None:
    world.send(world.press("U0ROBIN", value=value))
    assert world.prefect.resumed == []


def test_a_button_with_another_questions_code_changes_nothing(world: World) -> None:
    other = world.ask(300)
    said = world.send(world.press("U0ROBIN", value=f"{world.asked.id} {world.run} {other.code}"))
    assert "another question" in said
    assert world.prefect.resumed == []


def test_a_question_that_a_version_before_had_asked_is_answered(world: World) -> None:
    known = world.outbox.recall(f"asked:{world.asked.id}")
    former = {**known, "mark": known.pop("id"), "code": world.asked.code, "trouble": ""}
    world.outbox.remember(f"asked:{world.asked.id}", former)
    assert "Ann wrote a commit" in world.send(world.press("U0ANN"))
    assert world.send(world.press("U0ROBIN")) == "Taken: approve by Robin, v2 to production."


def test_another_team_changes_nothing(world: World) -> None:
    assert "team" in world.send(world.press("U0ROBIN", team={"id": "T2"}))
    assert world.prefect.resumed == []


def test_too_late_changes_nothing(world: World) -> None:
    world.asked = world.ask(-1)
    assert "the question ended" in world.send(world.press("U0ROBIN"))
    assert world.prefect.resumed == []


def test_an_envelope_that_comes_twice_counts_once(world: World) -> None:
    world.send(world.press("U0ROBIN"), envelope="the-same")
    world.slack.send("the-same", world.press("U0ROBIN"))
    wait_for(lambda: world.slack.acknowledged.count("the-same") == 2, "both are acknowledged")
    world.send(world.press("U0NOBODY"))
    assert len(world.prefect.resumed) == 1


def test_a_run_that_does_not_wait_any_more_is_told(world: World) -> None:
    world.prefect.resume_status = "ABORT"
    assert "does not wait" in world.send(world.press("U0ROBIN"))


def test_prefect_away_asks_to_try_again(world: World) -> None:
    world.prefect.away = True
    assert "try again" in world.send(world.press("U0ROBIN"))


def test_what_is_no_press_is_acknowledged_and_left_alone(world: World) -> None:
    world.slack.send("e-1", {"type": "view_submission", "user": {"id": "U0ROBIN"}})
    world.slack.send("2", {"type": "block_actions", "user": "U0ROBIN", "actions": 5})
    world.slack.send("3", world.press("U0ROBIN", "approve") | {"actions": []})
    world.slack.send("4", {"text": "hi"}, kind="events_api")
    wait_for(lambda: len(world.slack.acknowledged) == 4, "all are acknowledged")
    world.send(world.press("U0NOBODY"))
    assert world.prefect.resumed == []


def test_a_slack_that_does_not_let_us_in_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.wait, "BACK_OFF_S", (0.01,))
    server = SlackServer()
    server.failures = [refusal("invalid_auth"), html(500), html(200)]
    stop = threading.Event()
    with serving(server.app) as server.url, prefect_server(a_home(tmp_path), monkeypatch) as (prefect, api):
        made = World(tmp_path, server, prefect, api)
        thread = threading.Thread(target=made.listener.run, args=(stop,), daemon=True)
        thread.start()
        wait_for(lambda: bool(server.sockets), "the Socket Mode connection")
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def test_the_connection_comes_back_when_slack_hangs_up(world: World) -> None:
    world.slack.hang_up()
    wait_for(lambda: bool(world.slack.sockets), "another connection")
    assert world.send(world.press("U0ROBIN")).startswith("Taken")


def test_a_malformed_payload_is_survived(world: World) -> None:
    world.listener._take(world.listener.socket, SocketModeRequest("interactive", "id-1", payload={}))
    assert world.prefect.resumed == []
