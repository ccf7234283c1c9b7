"""The program: every configured channel at work, until it is asked to end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gates.notify.messages import Message, Post
from host.home import CHECKOUT
from notify.announce import announce
from notify.outbox import Outbox
from settings.notify import read_notify
from tests.prefect_server import a_home
from tests.waiting import wait_for

LOG = '[log]\nfile = "{home}/messages.log"\n'
MAIL = '[email]\nhost = "127.0.0.1"\nport = 9\nsender = "a@b.c"\nto = ["d@e.f"]\n'
SLACK = '[slack]\ntoken = "env:NOT_SET"\nchannel = "C"\n'


@contextmanager
def program(directory: Path, config: str) -> Iterator["subprocess.Popen[str]"]:
    (directory / "notify.toml").write_text(config)
    env = {"SLIPWAY_HOME": str(directory / "state"), "SLIPWAY_NOTIFY": str(directory / "notify.toml")}
    command = [sys.executable, "-m", "services.notify.main"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def test_what_waits_is_sent_though_other_channels_are_dead_or_cannot_be_opened(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    outbox = Outbox.of(home)
    with program(tmp_path, LOG + MAIL + SLACK) as running:
        announce(read_notify(tmp_path / "notify.toml"), outbox, Post(key="a", content=Message(headline="first")))
        wait_for(lambda: outbox.backlog("log").waiting == 0, "the message is in the log")
        wait_for(lambda: outbox.backlog("email").error != "", "the mail was tried")
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert (home.root / "messages.log").read_text().endswith("a • first\n")
    assert [outbox.backlog(name).waiting for name in ("email", "slack")] == [1, 1]
    assert "slack.token: env:NOT_SET is empty or not set" in said


def test_a_bad_table_ends_it_with_one_line(tmp_path: Path) -> None:
    a_home(tmp_path)
    with program(tmp_path, "[slak]\nx = 1\n") as running:
        said, _ = running.communicate(timeout=120)
    assert running.returncode == 2 and said.startswith("notify: config/notify.toml: slak: no such channel")
