"""One network for two sandboxes: they meet on 127.0.0.1, and nobody else is there."""

import os
import shutil
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from host.errors import ToolError
from host.ports import free_port
from host.sandbox import launcher, loopback
from host.sandbox import run as sandbox
from host.sandbox.loopback import shared_loopback
from host.sandbox.run import AnyNetwork, Isolation, Network, Sandbox, SharedLoopback
from tests.host.sandbox.test_run import CHECKOUT, only_namespaces, reachable

SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    server.settimeout(120)
    connection, _ = server.accept()
    connection.sendall(b"hello")
"""
CLIENT = """
import socket, sys, time
until = time.monotonic() + float(sys.argv[2])
while True:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as connection:
            print(connection.recv(100).decode())
            break
    except ConnectionRefusedError:
        if time.monotonic() > until:
            print("refused")
            break
        time.sleep(0.02)
"""


def inside(network: AnyNetwork, code: str, *arguments: object) -> str:
    return sandbox.run(
        [str(Path(sys.base_prefix) / "bin" / "python3"), "-c", code, *map(str, arguments)],
        cwd=Path("/"),
        env={},
        sandbox=Sandbox(Isolation.NAMESPACES, network=network),
        timeout_s=600,
    ).output.strip()


@only_namespaces
def test_programs_of_one_network_meet_and_others_do_not() -> None:
    port = free_port()
    with shared_loopback() as one, shared_loopback() as other, ThreadPoolExecutor() as pool:
        assert isinstance(one, SharedLoopback)
        serving = pool.submit(inside, one, SERVER, port)
        strangers = [pool.submit(inside, network, CLIENT, port, 0) for network in (other, Network.HOST)]
        assert [stranger.result() for stranger in strangers] == ["refused", "refused"]
        assert inside(one, CLIENT, port, 30) == "hello"
        assert serving.result() == ""


@only_namespaces
def test_a_shared_network_does_not_lead_to_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as host, shared_loopback() as network:
        assert inside(network, CLIENT, host.getsockname()[1], 0) == "refused"
        links = inside(network, "import os; print(*(name for _, name in __import__('socket').if_nameindex()))")
    assert "eth0" not in links.split() and "lo" in links.split()


@only_namespaces
def test_nothing_of_a_network_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with shared_loopback() as network:
        assert isinstance(network, SharedLoopback)
        assert not any(os.get_inheritable(descriptor) for descriptor in network.namespaces)
        assert len(os.listdir("/proc/self/fd")) == before + len(network.namespaces)
    assert len(os.listdir("/proc/self/fd")) == before


def test_below_namespaces_it_is_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ISOLATION", "none")
    with shared_loopback() as network:
        assert network is Network.HOST


@only_namespaces
def test_a_host_that_permits_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [sys.executable, "-c", "import sys; sys.exit('sandbox: unshare: Operation not permitted')"]
    monkeypatch.setattr(launcher, "network_command", lambda descriptor: words)
    with pytest.raises(ToolError, match="no network for a check can be made: sandbox: unshare: Operation not"):
        with loopback.shared_loopback():
            pass


@only_namespaces
def test_what_a_supervisor_starts_cannot_join_one_and_does_not_get_the_hosts(tmp_path: Path) -> None:
    with shared_loopback() as network:
        box = Sandbox(Isolation.NAMESPACES, network=network)
        words = sandbox.command(["echo", "ran"], cwd=Path("/"), env={}, sandbox=box, spec_directory=tmp_path / "spec")
        done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert (done.stdout, done.returncode) == ("", launcher.SETUP_FAILED) and "a shared network" in done.stderr


@pytest.mark.parametrize("level", [Isolation.UID, Isolation.NONE])
def test_below_namespaces_a_shared_network_is_refused(level: Isolation) -> None:
    box = Sandbox(level, network=SharedLoopback((0,)))
    with pytest.raises(ToolError, match="a network of its own needs isolation 'namespaces'"):
        sandbox.run(["true"], cwd=Path("/"), env={}, sandbox=box, timeout_s=600)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to become another")
@only_namespaces
def test_without_root_the_same_holds() -> None:
    system = next((p for p in (sys.executable, "/usr/bin/python3") if reachable(Path(p))), None)
    if not system or not reachable(CHECKOUT / "deployments"):
        pytest.skip("no interpreter or checkout that another user may read")
    driver = """
    import sys, threading
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from host.sandbox.loopback import shared_loopback
    from host.sandbox.run import Isolation, Sandbox, available, run

    def inside(network, *words):
        box = Sandbox(available(), network=network)
        return run([sys.executable, "-c", *words], cwd=Path("/"), env={}, sandbox=box, timeout_s=600).output.strip()

    with shared_loopback() as network, shared_loopback() as other:
        serving = threading.Thread(target=inside, args=(network, sys.argv[2], sys.argv[4]))
        serving.start()
        print(inside(network, sys.argv[3], sys.argv[4], "30"), inside(other, sys.argv[3], sys.argv[4], "0"))
        serving.join()
    """
    words = [system, "-c", textwrap.dedent(driver), str(CHECKOUT), SERVER, CLIENT, str(free_port())]
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *words],
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    if "unshare" in done.stderr:
        pytest.skip("users may make no namespaces here")
    assert done.stdout == "hello refused\n", done.stderr
