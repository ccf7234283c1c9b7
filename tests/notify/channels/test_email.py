"""Mails to a real server: encrypted, in threads, and what its refusals do to them."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gates.notify.messages import Message, Picture, Reply, Role
from host.errors import ConfigError
from notify.channel import ChannelTrouble
from notify.channels import configured
from settings.notify import Notify
from tests.notify.sending import PROMOTED, Sending
from tests.smtp_server import PASSWORD, USER, SmtpServer, smtp_server

TABLE = {"host": "localhost", "sender": "slipway@example.com", "to": ["team@example.com", "ops@example.com"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpServer]:
    with smtp_server(tmp_path_factory.mktemp("smtp")) as made:
        yield made


@pytest.fixture
def mail(server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> SmtpServer:
    """Return the server without mails, which is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.root))
    server.mails.clear()
    server.recipients.clear()
    server.logins.clear()
    server.refusals.clear()
    server.offers_starttls = True
    return server


def sending(directory: Path, mail: SmtpServer, password: str = PASSWORD, **more: Any) -> Sending:
    (directory / "password").write_text(password)
    login = {"user": USER, "password": f"file:{directory}/password"}
    return Sending(directory, {"email": {**TABLE, **login, "port": mail.port, **more}})


def test_a_message_is_a_mail_of_text_and_html_after_an_encrypted_login(tmp_path: Path, mail: SmtpServer) -> None:
    world = sending(tmp_path, mail)
    world.post("release:1", PROMOTED)
    assert world.work("email") == 0 and world.waiting("email") == 0
    (got,) = mail.mails
    assert mail.logins == [(USER, True)] and mail.recipients == [["team@example.com", "ops@example.com"]]
    assert got["Subject"] == "✓ assistant v2 serves production" and got["Auto-Submitted"] == "auto-generated"
    assert got["Bcc"] is None
    text, html = (got.get_body((kind,)) for kind in ("plain", "html"))
    assert text and "took: 61.2 s" in text.get_content() and "run: http://ui/run" in text.get_content()
    assert html and "<script>" not in html.get_content() and '<a href="http://ui/run">run</a>' in html.get_content()


def test_changes_notes_and_pictures_answer_the_first_mail_and_steps_are_left_out(
    tmp_path: Path, mail: SmtpServer
) -> None:
    world = sending(tmp_path, mail)
    for content in (
        Message(headline="release of v2"),
        Reply(text="switch: 0.04 s", role=Role.STEP),
        Message(headline="v2 serves production"),
        Reply(text="it is over", role=Role.REPEAT),
        Reply(text="What v2 brings:\nless"),
        Picture(title="the week", png=base64.b64encode(b"\x89PNG").decode()),
    ):
        world.post("release:1", content)
        assert world.work("email") == 0
    subjects = [got["Subject"] for got in mail.mails]
    assert subjects == ["• release of v2", "• v2 serves production", "What v2 brings:", "the week"]
    first, *later = mail.mails
    assert first["In-Reply-To"] is None
    assert {got["In-Reply-To"] for got in later} == {got["References"] for got in later} == {first["Message-ID"]}
    assert len({got["Message-ID"] for got in mail.mails}) == 4
    (picture,) = later[-1].iter_attachments()
    assert picture.get_content() == b"\x89PNG"


def test_an_author_gets_the_mail_where_that_is_wanted_and_the_address_is_one(tmp_path: Path, mail: SmtpServer) -> None:
    for number, authors in enumerate((True, False)):
        (tmp_path / str(number)).mkdir()
        world = sending(tmp_path / str(number), mail, authors=authors)
        world.post("a", Message(headline="yours"), email="ann@example.com")
        world.post("b", Message(headline="yours"), email="ann@example.com, all@example.com")
        world.work("email")
    team = ["team@example.com", "ops@example.com"]
    assert mail.recipients == [["ann@example.com"], team, team, team]


@pytest.mark.parametrize(
    ("verb", "refusal", "wait_s", "waiting"),
    [
        ("RCPT", "550 5.1.1 nobody of that name", 0, 0),
        ("DATA", "554 5.7.1 not from you", 0, 0),
        ("DATA", "451 4.3.0 try again", 15, 1),
        ("MAIL", "421 closing", 15, 1),
        ("AUTH", "535 5.7.8 no", 300, 1),
        ("QUIT", "451 no", 0, 0),
    ],
)
def test_for_now_is_tried_again_and_for_good_is_given_up(
    tmp_path: Path, mail: SmtpServer, verb: str, refusal: str, wait_s: float, waiting: int
) -> None:
    world = sending(tmp_path, mail)
    world.post("a", Message(headline="first"))
    mail.refusals = {verb: [refusal] * (2 if verb == "RCPT" else 1)}
    assert (world.work("email"), world.waiting("email")) == (wait_s, waiting)
    if verb != "QUIT":
        assert refusal in world.trouble("email")
    assert world.work("email") == 0 and len(mail.mails) == (1 if waiting or verb == "QUIT" else 0)


def test_a_mail_that_is_sent_twice_is_known_as_one(tmp_path: Path, mail: SmtpServer) -> None:
    world = sending(tmp_path, mail)
    world.post("a", Message(headline="first"))
    (item,) = world.outbox.due("email")
    for _ in range(2):  # as if the process had died between the two
        world.work("email")
        world.outbox.put("email", item.kind, item.body)
        world.outbox.remember("email:sent:a", None)
    assert len(mail.mails) == 2 and len({got["Message-ID"] for got in mail.mails}) == 1


def test_a_wrong_password_is_said_without_it(tmp_path: Path, mail: SmtpServer) -> None:
    world = sending(tmp_path, mail, "the wrong secret")
    world.post("a", Message(headline="first"))
    assert world.work("email") == 300
    assert "535 5.7.8 not you" in world.trouble("email") and "wrong secret" not in world.trouble("email")


def test_nothing_is_sent_over_a_connection_that_is_not_encrypted(tmp_path: Path, mail: SmtpServer) -> None:
    mail.offers_starttls = False
    world = sending(tmp_path, mail)
    world.post("a", Message(headline="first"))
    assert world.work("email") == 300 and "STARTTLS" in world.trouble("email") and mail.logins == []


def test_a_server_that_nobody_vouches_for_gets_no_password(
    tmp_path: Path, mail: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    world = sending(tmp_path, mail)
    world.post("a", Message(headline="first"))
    assert world.work("email") == 300 and "certificate" in world.trouble("email") and mail.logins == []


def test_tls_from_the_start_and_a_relay_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with smtp_server(tmp_path, tls=True) as mail:
        monkeypatch.setenv("SSL_CERT_FILE", str(mail.root))
        world = sending(tmp_path, mail, security="tls")
        slot = world.senders["email"].configured.open(world.home, world.outbox)
        assert slot.check() == f"localhost:{mail.port} takes mail from us" and mail.logins == [(USER, True)]
    with smtp_server(tmp_path, offers_starttls=False) as mail:
        world = Sending(tmp_path, {"email": {**TABLE, "port": mail.port, "security": "none"}})
        world.post("b", Message(headline="first"))
        assert world.work("email") == 0 and len(mail.mails) == 1
    world.post("c", Message(headline="second"))
    assert world.work("email") == 15 and "does not answer" in world.trouble("email")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"password": "hunter2-itself", "user": "x"}, "email.password"),
        ({"user": "x"}, "both be set"),
        ({"user": "x", "password": "env:X", "security": "none"}, "unencrypted"),
        ({"to": []}, "email.to"),
        ({"to": ["a@b.c\nBcc: d@e.f"]}, "email.to.0"),
        ({"security": "ssl"}, "email.security"),
        ({"subject": "x"}, "email.subject"),
    ],
)
def test_bad_keys_are_named_and_secrets_are_not_shown(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(Notify.model_validate({"email": {**TABLE, **more}}))
    assert said in str(refused.value) and "itself" not in str(refused.value)


def test_a_check_says_what_is_wrong(tmp_path: Path, mail: SmtpServer) -> None:
    world = sending(tmp_path, mail, "wrong")
    with pytest.raises(ChannelTrouble, match="535"):
        world.senders["email"].configured.open(world.home, world.outbox).check()
