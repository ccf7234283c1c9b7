"""A message in Slack's Block Kit, within its limits (Slack, "Reference: Blocks" and "Block elements")."""

import re
from typing import Any

from gates.notify.messages import ZERO_WIDTH, Button, Message, cut

# `*_~` format at the borders of words only, a colon before `name:` makes an emoji.
FORMATTING = re.compile(r"[`@]|(?<!\w)[*_~]|[*_~](?!\w)|:(?=[\w+'-]+:)")
HEADLINE = 150
SECTION = 3000
FIELD = 2000
FIELDS = 10
BUTTON_VALUE = 2000
CONFIRM = 300
FALLBACK = 3000


def escape(text: str) -> str:
    """Return outside text for Slack's mrkdwn: no link, mention, command or format can come out of it.

    Slack asks for `&`, `<` and `>`; the zero-width space where others would format keeps text as it was written.
    """
    for sign, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, instead)
    return FORMATTING.sub(rf"\g<0>{ZERO_WIDTH}", text)


def fallback(message: Message) -> str:
    """Return the text of notifications, and of clients that show no blocks."""
    first = [f"{name}: {value}" for name, value in message.facts[:4]] + list(message.lines[:3])
    return cut(escape(" | ".join([f"{message.tone.sign} {message.headline}", *first])), FALLBACK)


def blocks(message: Message) -> list[dict[str, Any]]:
    """Return the blocks. Outside text goes into plain text where a block has it, else escaped and verbatim."""
    made: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(f"{message.tone.sign} {message.headline}", HEADLINE)}
    ]
    if message.facts:
        fields = [_mrkdwn(f"*{escape(name)}*\n", value, FIELD) for name, value in message.facts[:FIELDS]]
        made.append({"type": "section", "fields": fields})
    made += [{"type": "section", "text": _plain(part, SECTION)} for part in _parts(message.lines)]
    if message.buttons:
        made.append({"type": "actions", "elements": [_button(one) for one in message.buttons]})
    small = [f"<{link.url}|{escape(link.text)}>" for link in message.links]
    if message.footer:
        small.append(escape(message.footer))
    if small:
        text = {"type": "mrkdwn", "text": cut(" · ".join(small), SECTION), "verbatim": True}
        made.append({"type": "context", "elements": [text]})
    return made


def _parts(lines: tuple[str, ...]) -> list[str]:
    """Return the lines in sections: at most three, the rest is what the link is for."""
    parts = [""]
    for line in lines:
        line = f"• {cut(' '.join(line.split()), 600)}"
        if len(parts[-1]) + len(line) + 1 > SECTION:
            parts.append("")
        parts[-1] = f"{parts[-1]}\n{line}".strip()
    return [part for part in parts if part][:3]


def _plain(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, longest), "emoji": False}


def _mrkdwn(label: str, text: str, longest: int) -> dict[str, Any]:
    room = longest - len(label)
    shown = escape(cut(text, room))
    while len(shown) > room:  # escaping makes it longer: cut the text, never an entity
        text = cut(text, min(len(text) - 1, room - (len(shown) - len(text))) if len(shown) < 2 * room else room // 6)
        shown = escape(text)
    return {"type": "mrkdwn", "text": label + (shown or "–"), "verbatim": True}


def _button(button: Button) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "button",
        "action_id": button.name,
        "text": _plain(button.text, 75),
        "value": button.value[:BUTTON_VALUE],
        "style": "danger" if button.danger else "primary",
        "confirm": {
            "title": _plain("Are you sure?", 100),
            "text": _plain(button.confirm, CONFIRM),
            "confirm": _plain(button.text, 30),
            "deny": _plain("Cancel", 30),
        },
    }
    return made
