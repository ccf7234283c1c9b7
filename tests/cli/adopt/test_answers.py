"""Questions in the terminal: what an answer must be, what it leads to, and how to get out."""

import sys
from pathlib import Path

import pytest
import typer

from cli.adopt import command
from gates.strict_toml import parse
from tests.cli.adopt.test_command import UNKNOWN, adopt
from tests.tasks.adopt.shapes import lock
from tests.tasks.adopt.test_repository import lay

TWO_APPS = {
    "a/main.py": "from flask import Flask\napp = Flask('a')\n@app.get('/ping')\ndef ping(): return ''\n",
    "b/main.py": "import os\nfrom flask import Flask\napp = Flask('b')\nbase = os.environ['B_BASE']\n",
    **{f"{one}/requirements.lock": lock("flask", "gunicorn") for one in "ab"},
}


@pytest.mark.parametrize(
    ("wrong", "right", "key"),
    [("banana", "3.12", "python"), ("3", "3.13", "python"), ("3.12.1", "3.12", "python")],
    ids=["word", "major", "patch"],
)
def test_what_cannot_be_an_answer_is_asked_again(wrong: str, right: str, key: str, tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", {**UNKNOWN, ".python-version": ""}), tmp_path / "config"
    done = adopt(str(shop), "--output", str(output), given=f"main\n{wrong}\n{right}\n/lives\nx\n")
    assert "that is none of" in done.output
    assert parse((output / "pipeline.toml").read_text())["app"][key] == right


def test_what_an_answer_leaves_open_is_asked_too(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", TWO_APPS), tmp_path / "config"
    given = "b/main.py:other\nb/main.py:app\nmain\n3.12\n/lives\nhttps://b\n"
    done = adopt(str(shop), "--output", str(output), given=given)
    assert "the value of B_BASE" in done.output and "not known" not in done.output
    assert parse((output / "pipeline.toml").read_text())["app"]["directory"] == "b"
    assert "APP_B_BASE=https://b" in (output / "production.env").read_text()


class CtrlC:
    """A terminal at which somebody presses Ctrl-C instead of typing."""

    def readline(self) -> str:
        raise KeyboardInterrupt


def test_ctrl_c_at_a_question_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, output = lay(tmp_path / "shop", UNKNOWN), tmp_path / "config"
    monkeypatch.setattr(sys, "stdin", CtrlC())
    with pytest.raises(typer.Exit) as ended:
        command.adopt(str(shop), output)
    assert ended.value.exit_code == 130
    assert not output.exists()
