"""What `make up` waits for: receiver and exporter, for as long as they live and work."""

import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from control.plane import EXPORTER, RECEIVER, Control
from host.errors import ToolError
from host.home import Home
from host.ports import free_port
from host.supervisor.program import Program
from settings.monitoring import read_monitoring
from settings.notify import read_notify
from tests.waiting import NEVER_S, wait_for

LISTENS = """\
import pathlib, socket, sys, time
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.01)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(3600)
"""
ENDS = "import sys, time; time.sleep(1.5); sys.exit('no such table')"


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    with tempfile.TemporaryDirectory(prefix="plane-") as folder:  # tmp_path may be too long for a socket
        home = Home(Path(folder))
        home.create()
        for name in (RECEIVER, EXPORTER):
            monkeypatch.setenv(f"SLIPWAY_{name.upper()}_PORT", str(free_port()))
        made = Control(home)
        made.supervisor.up()
        try:
            yield made
        finally:
            made.supervisor.down()


def start(control: Control, name: str, port: int, code: str = LISTENS) -> Path:
    """Start what stands for a program; return the file after which it listens."""
    go = control.home.root / f"{name}.go"
    command = (sys.executable, "-u", "-c", code, str(port), str(go))
    control.supervisor.run(Program(name, command, Path("/"), stop_wait_s=3))
    return go


def test_an_exporter_that_comes_up_late_is_waited_for(control: Control) -> None:
    start(control, RECEIVER, read_notify().receiver.port).touch()
    go = start(control, EXPORTER, read_monitoring().exporter.port)
    asking = threading.Thread(target=control.await_listeners, daemon=True)
    asking.start()
    wait_for(lambda: control.supervisor.runs(EXPORTER), "the exporter runs")
    asking.join(1)
    assert asking.is_alive()
    go.touch()
    asking.join(NEVER_S)
    assert not asking.is_alive()


def test_one_that_ends_is_told_with_its_port_and_last_words(control: Control) -> None:
    start(control, RECEIVER, read_notify().receiver.port).touch()
    port = read_monitoring().exporter.port
    start(control, EXPORTER, port, ENDS)
    with pytest.raises(ToolError, match=f"exporter does not listen on port {port}: exporter ended with") as told:
        control.await_listeners()
    assert "no such table" in str(told.value)
