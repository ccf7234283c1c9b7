"""Adaptive Cards to a real HTTP server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import RedirectResponse, Response

from gates.notify.messages import Link, Message, Picture, Reply, Role
from host.errors import ConfigError
from notify.channels import configured
from notify.channels.teams import message_card
from settings.notify import Notify
from tests.notify.sending import HOSTILE, PROMOTED, HttpSink, Sending
from tests.serving import serving


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[HttpSink, str]]:
    sink = HttpSink()
    with serving(sink.app) as url:
        yield sink, f"{url}/hook?sig=the-secret-itself"


@pytest.fixture
def teams(tmp_path: Path, server: tuple[HttpSink, str]) -> tuple[Sending, HttpSink]:
    sink, url = server
    sink.bodies.clear()
    sink.answers.clear()
    (tmp_path / "url").write_text(url)
    return Sending(tmp_path, {"teams": {"url": f"file:{tmp_path}/url"}}), sink


def texts(body: Any) -> list[str]:
    blocks = body["attachments"][0]["content"]["body"]
    return ["".join(run["text"] for run in block["inlines"]) for block in blocks]


def test_a_message_is_a_card_that_shows_outside_text_as_it_is(teams: tuple[Sending, HttpSink]) -> None:
    world, sink = teams
    world.post("release:1", PROMOTED)
    assert world.work("teams") == 0
    (body,) = map(json.loads, sink.bodies)
    card = body["attachments"][0]["content"]
    assert (card["type"], card["version"], body["type"]) == ("AdaptiveCard", "1.4", "message")
    assert texts(body)[:2] == ["✓ assistant v2 serves production", f"commit: {HOSTILE}"]
    # only these two read no Markdown
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "run", "url": "http://ui/run"}]


def test_notes_are_cards_and_steps_repeats_and_pictures_are_left_out(teams: tuple[Sending, HttpSink]) -> None:
    world, sink = teams
    for content in (Reply(text="a", role=Role.STEP), Reply(text="b", role=Role.REPEAT), Reply(text="What v2 brings")):
        world.post("release:1", content)
    world.post("release:1", Picture(title="x", png=""))
    assert world.work("teams") == 0 and world.waiting("teams") == 0
    assert [texts(json.loads(body)) for body in sink.bodies] == [["What v2 brings"]]


def test_a_card_stays_below_its_28_kb() -> None:
    long = "é€" * 20_000
    link = Link(text="run", url="http://ui")
    facts = tuple((f"fact {number}", long) for number in range(10))
    body = message_card(Message(headline=long, facts=facts, lines=(long,) * 20, links=(link,), footer="x"))
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 28_000


@pytest.mark.parametrize(
    ("answer", "wait_s", "waiting"),
    [
        (Response(status_code=429, headers={"retry-after": "7"}), 7, 1),
        (Response(status_code=503), 15, 1),
        (Response(status_code=400), 0, 0),
        (Response(status_code=404), 0, 0),
        (RedirectResponse("http://127.0.0.1:9/"), 0, 0),
    ],
)
def test_what_answers_do(teams: tuple[Sending, HttpSink], answer: Response, wait_s: float, waiting: int) -> None:
    world, sink = teams
    world.post("a", Message(headline="first"))
    sink.answers = [answer]
    assert (world.work("teams"), world.waiting("teams")) == (wait_s, waiting)
    assert f"Teams: answered {answer.status_code}" in world.trouble("teams") and "itself" not in world.trouble("teams")


def test_the_address_is_a_secret_and_https(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(Notify.model_validate({"teams": {"url": "https://x/the-secret-itself"}}))
    assert "teams.url" in str(refused.value) and "itself" not in str(refused.value)
    (tmp_path / "url").write_text("http://elsewhere/the-secret-itself")
    world = Sending(tmp_path, {"teams": {"url": f"file:{tmp_path}/url"}})
    with pytest.raises(ConfigError, match="not an https:// address") as refused:
        world.senders["teams"].configured.open(world.home, world.outbox)
    assert "itself" not in str(refused.value)
    world.post("a", Message(headline="first"))
    assert world.work("teams") == 15 and world.waiting("teams") == 1
