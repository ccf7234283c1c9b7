"""Plain lines in a file."""

from pathlib import Path

from gates.notify.messages import Picture, Reply
from tests.notify.sending import PROMOTED, Sending


def test_messages_and_replies_are_lines_that_outside_text_cannot_forge(tmp_path: Path) -> None:
    world = Sending(tmp_path, {"log": {"file": "{home}/messages.log"}})
    world.post("release:1", PROMOTED)
    world.post("release:1", Reply(text="switch: 0.04 s"))
    world.post("release:1", Picture(title="x", png=""))
    assert world.work("log") == 0 and world.waiting("log") == 0
    file = tmp_path / "messages.log"
    lines = file.read_text().splitlines()
    assert all(line[10] == "T" and line[20:].startswith(" release:1 ") for line in lines)
    assert lines[0].endswith("✓ assistant v2 serves production") and lines[-1].endswith("switch: 0.04 s")
    assert "\x1b" not in file.read_text() and file.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    world = Sending(tmp_path, {"log": {"file": "absent/messages.log"}})
    world.post("release:1", PROMOTED)
    assert world.work("log") == 15 and "No such file" in world.trouble("log")
    (tmp_path / "absent").mkdir()
    assert world.work("log") == 0 and (tmp_path / "absent" / "messages.log").exists()
