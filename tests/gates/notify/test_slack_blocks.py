"""Messages in Slack's blocks: within every limit, and outside text stays text."""

import pytest

from gates.notify.messages import Button, Link, Message, Tone, as_markdown, cut, plain_markdown
from gates.notify.slack_blocks import blocks, escape, fallback
from tests.slack_server import bad_blocks

HOSTILE = "<!channel> <@U1> <https://evil|here> & *bold* `code` :smile: @here"


def test_outside_text_stays_text() -> None:
    shown = escape(HOSTILE)
    assert "<" not in shown and ">" not in shown
    assert shown.startswith("&lt;!channel&gt;")
    assert "*b" not in shown and "d*" not in shown.replace("d*\u200b", "") and "@h" not in shown and ":s" not in shown
    assert escape("tests/test_a.py::test_b at 12:30") == "tests/test_a.py::test_b at 12:30"


@pytest.mark.parametrize("length", [1, 149, 150, 151, 2000, 2999, 3000, 3001, 20_000])
@pytest.mark.parametrize("sign", ["x", "&", "<", "*", "é", "ab "])
def test_every_limit_is_kept(length: int, sign: str) -> None:
    text = (sign * length)[:length]
    message = Message(
        headline=text,
        tone=Tone.BAD,
        facts=tuple((f"fact {number}", text) for number in range(12)),
        lines=(text,) * 30,
        links=(Link(text="run", url="http://localhost/run"),),
        buttons=(Button(name="approve", text=text, value=text, confirm=text),),
        footer=text[:500],
    )
    assert bad_blocks(blocks(message)) == ""
    assert len(fallback(message)) <= 3000


def test_an_entity_is_never_cut() -> None:
    message = Message(headline="x", facts=(("reason", "&" * 1990),))
    field = blocks(message)[1]["fields"][0]["text"]
    assert field.removesuffix("…").endswith("&amp;")
    assert len(field) <= 2000


def test_a_message_without_anything_is_one_headline() -> None:
    assert [block["type"] for block in blocks(Message(headline="x"))] == ["header"]
    assert bad_blocks(blocks(Message(headline="x", facts=(("empty", ""),)))) == ""


@pytest.mark.parametrize(
    ("text", "longest", "wanted"),
    [
        ("12345", 5, "12345"),
        ("123456", 5, "1234…"),
        ("one two three", 12, "one two…"),
        ("one twothreefour", 12, "one twothre…"),
        ("", 5, ""),
    ],
)
def test_cut(text: str, longest: int, wanted: str) -> None:
    assert cut(text, longest) == wanted
    assert len(cut(text, longest)) <= longest


def test_markdown_cannot_be_broken_out_of() -> None:
    hostile = "a|b\n# head @team #12 [x](http://evil) <script> `c` **d**"
    page = as_markdown(Message(headline=hostile, facts=(("by", hostile),), lines=(hostile,)))
    for line in page.splitlines():
        assert "<script>" not in line and "](http" not in line
        assert "@team" not in line and "#12" not in line
    assert plain_markdown("a|b") == "a\\|b"
    assert len([line for line in page.splitlines() if line.startswith("#")]) == 1
