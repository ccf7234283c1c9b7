"""Who listens at an endpoint is told by the kernel, whatever the address and whoever the process."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from host import listeners, process_marks
from host.errors import PortTaken, ToolError
from host.listeners import Listener, held_by, of_user, sockets_of
from host.ports import LOCAL, LOCAL6, Endpoint

OURS = (os.getpid(),)


@contextmanager
def listening(host: str, port: int = 0, v6only: bool = False) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as one:
        if v6only:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
        one.listen()
        yield int(one.getsockname()[1])


@pytest.mark.parametrize("host", [LOCAL, "0.0.0.0", "::"])
def test_a_listener_of_ours_is_found_at_each_address_that_takes_the_endpoint(host: str) -> None:
    with listening(host) as port:
        (inode,) = held_by(lambda: OURS, Endpoint(LOCAL, port), alone=True)
        assert inode in sockets_of(OURS)[0]
    assert held_by(lambda: OURS, Endpoint(LOCAL, port), alone=True) == frozenset()


@pytest.mark.parametrize("host", [LOCAL, "0.0.0.0", "::"])
def test_a_strangers_listener_is_refused_with_his_pid_program_and_port(host: str) -> None:
    with listening(host) as port:
        with pytest.raises(PortTaken, match=rf"^pid {os.getpid()} \(.+\) listens on .*:{port}, and is not"):
            held_by(lambda: (), Endpoint(LOCAL, port), alone=True)


def test_one_beside_is_refused_only_to_who_must_be_alone() -> None:
    with listening(LOCAL6, v6only=True) as port:
        assert held_by(lambda: (), Endpoint(LOCAL, port), alone=False) == frozenset()
        with pytest.raises(PortTaken):
            held_by(lambda: (), Endpoint(LOCAL, port), alone=True)
        # what is ours there takes nothing that is sent to the endpoint
        assert held_by(lambda: OURS, Endpoint(LOCAL, port), alone=True) == frozenset()
        assert len(held_by(lambda: OURS, Endpoint(LOCAL6, port), alone=True)) == 1


def test_the_address_itself_is_preferred_to_all_addresses() -> None:
    with listening(LOCAL) as port, listening("::", port, v6only=True):
        (exact,) = (one.inode for one in listeners.listeners(port) if str(one.address) == LOCAL)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(listeners, "sockets_of", lambda _: ({exact}, []))
            assert held_by(lambda: OURS, Endpoint(LOCAL, port), alone=False) == {exact}
            with pytest.raises(PortTaken, match=rf"listens on \[::\]:{port}"):
                held_by(lambda: OURS, Endpoint(LOCAL, port), alone=True)


def test_who_listens_at_another_address_of_the_host_is_nobodys_business() -> None:
    with listening("127.0.0.2") as port:
        assert held_by(lambda: (), Endpoint(LOCAL, port), alone=True) == frozenset()


def test_a_stranger_beside_a_listener_of_ours_is_refused() -> None:
    code = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])), reuse_port=True)"
    with socket.create_server((LOCAL, 0), reuse_port=True) as ours:
        port = ours.getsockname()[1]
        argv = [sys.executable, "-c", f"{code}; print(flush=True); time.sleep(60)", str(port)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as stranger:
            assert stranger.stdout and stranger.stdout.readline()
            with pytest.raises(PortTaken, match=f"pid {stranger.pid} .*:{port}, and is not"):
                held_by(lambda: OURS, Endpoint(LOCAL, port), alone=True)
            stranger.kill()


def test_a_socket_that_was_closed_meanwhile_is_no_strangers() -> None:
    with listening(LOCAL) as port:
        first = listeners.listeners(port)
    asked = iter([first, []])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listeners, "listeners", lambda _: next(asked))
        assert held_by(lambda: (), Endpoint(LOCAL, port), alone=True)


def test_a_program_of_the_strangers_is_told_in_one_printable_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_marks, "command_line", lambda _: ["a\nb", "\x1b[2Jc" * 60])
    with listening(LOCAL) as port, pytest.raises(PortTaken) as refused:
        held_by(lambda: (), Endpoint(LOCAL, port), alone=True)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 300


def test_processes_that_do_not_let_us_look_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    with listening(LOCAL) as port:
        monkeypatch.setattr(listeners.os, "scandir", closed)
        told = f"process of uid {os.geteuid()} .*cannot be seen .*pid {os.getpid()} .*CAP_"
        with pytest.raises(PortTaken, match=told):
            held_by(lambda: OURS, Endpoint(LOCAL, port), alone=True)


def test_a_system_that_does_not_tell_who_listens_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))
    with pytest.raises(ToolError, match="tcp is not there.*mount /proc"):
        held_by(lambda: OURS, Endpoint(LOCAL, 1), alone=True)
    (tmp_path / "tcp").write_text("header\n")
    assert held_by(lambda: OURS, Endpoint(LOCAL, 1), alone=True) == frozenset()  # a kernel without IPv6


@pytest.mark.parametrize(
    "words, address",
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),  # an IPv4 address in an IPv6 socket
    ],
)
def test_addresses_are_read_as_the_kernel_prints_them(words: str, address: str) -> None:
    if sys.byteorder == "big":
        pytest.skip("the table's words are in the machine's order")
    assert listeners._address(bytes.fromhex(words)) == ip_address(address)


def test_an_engines_socket_is_roots_or_its_users_in_our_user_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_by(uid: int) -> Listener:
        return Listener(ip_address(LOCAL), 80, 7, uid)

    assert of_user(made_by(0), 0) and of_user(made_by(0), 1000)
    assert not of_user(made_by(64100), 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(listeners, "holders", lambda _: [os.getpid()])
    assert of_user(made_by(1000), 1000)
    monkeypatch.setattr(listeners, "_user_namespace", lambda _: 1)  # a sandbox of ours has one of its own
    assert not of_user(made_by(1000), 1000)
