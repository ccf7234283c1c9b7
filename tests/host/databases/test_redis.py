"""A real Redis, in the real sandbox: reachable with its password only, and gone with who started it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from host.databases import redis
from host.databases.redis import fresh_redis
from host.errors import ToolError
from host.sandbox import run as sandbox
from host.sandbox.loopback import shared_loopback
from tasks.source.suite_services import find_redis
from tests.tasks.small_app import processes_with
from tests.waiting import wait_for


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    before = os.environ.get("SLIPWAY_HOME")
    os.environ["SLIPWAY_HOME"] = str(tmp_path_factory.mktemp("home"))
    try:
        return find_redis()
    finally:
        os.environ.pop("SLIPWAY_HOME")
        if before is not None:
            os.environ["SLIPWAY_HOME"] = before


def talk(url: str, *commands: str, password: str | None = None) -> bytes:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), 5) as connection:
        for command in (f"AUTH {parts.password if password is None else password}", *commands):
            connection.sendall(command.encode() + b"\r\n")
            answer = connection.recv(1000)
    return answer


def running(url: str) -> list[int]:
    """The process that serves an address: Redis shows it as its own title."""
    return processes_with(f"{urlsplit(url).hostname}:{urlsplit(url).port}")


def test_it_answers_who_has_the_password_and_ends_with_the_block(binary: Path, tmp_path: Path) -> None:
    with fresh_redis(binary, tmp_path / "redis", 60) as url:
        assert talk(url, "SET a b") == b"+OK\r\n"
        assert talk(url, password="wrong").startswith(b"-WRONGPASS")
        assert running(url)
        assert processes_with(str(urlsplit(url).password)) == []
    assert running(url) == []
    with pytest.raises(OSError):
        talk(url)


def test_two_side_by_side_do_not_see_each_other(binary: Path, tmp_path: Path) -> None:
    with fresh_redis(binary, tmp_path / "a", 60) as one, fresh_redis(binary, tmp_path / "b", 60) as other:
        talk(one, "SET a b")
        assert talk(other, "DBSIZE") == b":0\r\n"


@pytest.mark.skipif(sandbox.available() is not sandbox.Isolation.NAMESPACES, reason="this host permits no namespaces")
def test_in_a_network_of_its_own_only_those_in_there_reach_it(binary: Path, tmp_path: Path) -> None:
    ask = "import socket, sys; print(socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).send(b'PING\\r\\n'))"
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    with shared_loopback() as network, fresh_redis(binary, tmp_path / "redis", 60, network) as url:
        answers = []
        for one in (network, sandbox.Network.LOOPBACK, sandbox.Network.HOST):
            box = sandbox.Sandbox(sandbox.Isolation.NAMESPACES, network=one)
            words = [python, "-c", ask, str(urlsplit(url).port)]
            done = sandbox.run(words, cwd=Path("/"), env={}, sandbox=box, timeout_s=600)
            answers.append(done.output.strip().rpartition("\n")[2].partition(":")[0])
        with pytest.raises(OSError):
            talk(url)
    assert answers == ["6", "ConnectionRefusedError", "ConnectionRefusedError"]


def test_it_ends_when_the_block_raises(binary: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError), fresh_redis(binary, tmp_path / "redis", 60) as url:
        raise KeyError
    assert running(url) == []


def test_it_does_not_run_as_root(binary: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or sandbox.available() is sandbox.Isolation.NONE:
        return  # then it runs as we do
    with fresh_redis(binary, tmp_path / "redis", 60) as url:
        assert [os.stat(f"/proc/{pid}").st_uid for pid in running(url)] == [sandbox.APP_UID]


def test_a_port_that_somebody_took_is_left_to_them(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        ports = [taken.getsockname()[1], free.getsockname()[1]]
        free.close()
        monkeypatch.setattr(redis, "_Server", _with_ports(list(ports)))
        with fresh_redis(binary, tmp_path / "redis", 60) as url:
            assert urlsplit(url).port == ports[1]


def _with_ports(ports: list[int]) -> object:
    real = redis._Server
    return lambda *arguments: real(*arguments, port=ports.pop(0))


def test_what_does_not_come_up_says_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(0o755)
    program = tmp_path / "bin" / "redis-server"
    program.write_text("#!/bin/sh\necho it has no wish to\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(ToolError, match="it has no wish to"), fresh_redis(program, tmp_path / "redis", 60):
        pass


def test_a_killed_owner_leaves_nothing(binary: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom host.databases.redis import fresh_redis\n"
        "with fresh_redis(Path(sys.argv[1]), Path(sys.argv[2]), 60) as url:\n"
        "    print(url, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(binary), str(tmp_path / "redis")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert running(url)
        owner.send_signal(signal.SIGKILL)
    wait_for(lambda: running(url) == [], "the Redis of a killed process ends")
