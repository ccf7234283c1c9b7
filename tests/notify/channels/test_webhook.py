"""Signed posts to a real HTTP server."""

import json
from pathlib import Path

import pytest
from starlette.responses import Response

from gates.notify.messages import Message, Reply
from gates.notify.webhooks import is_genuine
from host.errors import ConfigError
from notify.channels import configured
from notify.channels.webhook import SIGNATURE
from settings.notify import Notify
from tests.notify.sending import PROMOTED, HttpSink, Sending
from tests.serving import serving


def test_every_post_is_signed_json_and_the_same_at_every_try(tmp_path: Path) -> None:
    sink = HttpSink()
    (tmp_path / "secret").write_text("our secret")
    with serving(sink.app) as url:
        world = Sending(tmp_path, {"webhook": {"url": f"{url}/hook", "secret": f"file:{tmp_path}/secret"}})
        world.post("release:1", PROMOTED, email="ann@example.com")
        world.post("release:1", Reply(text="What v2 brings"))
        sink.answers = [Response(status_code=500)]
        assert world.work("webhook") == 15
        assert world.work("webhook") == 0 and world.waiting("webhook") == 0
        world.post("release:2", Message(headline="x"))
        sink.answers = [Response(status_code=410)]
        assert world.work("webhook") == 0 and "answered 410" in world.trouble("webhook")
    message, reply = map(json.loads, sink.bodies)
    assert (message["version"], message["key"]) == (1, "release:1") and "email" not in message
    assert Message.model_validate(message["content"]) == PROMOTED
    assert reply["content"] == {"kind": "reply", "text": "What v2 brings", "role": "note"}
    for body, headers in zip(sink.bodies, sink.headers, strict=True):
        assert is_genuine("our secret", body, headers[SIGNATURE])
        assert not is_genuine("our secret", body + b" ", headers[SIGNATURE])
        assert headers["x-slipway-delivery"] == json.loads(body)["id"]


@pytest.mark.parametrize("table", [{"url": "https://x"}, {"url": "https://u:p@x", "secret": "env:X"}])
def test_a_secret_is_needed_and_stands_in_no_address(table: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="webhook"):
        configured(Notify.model_validate({"webhook": table}))
