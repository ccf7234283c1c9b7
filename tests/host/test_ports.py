import os
import socket

import pytest

from host import ports


def test_a_free_port_is_free_until_somebody_listens() -> None:
    port = ports.free_port()
    assert ports.is_free(port)
    with socket.create_server((ports.LOCAL, port)):
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_who_listens_is_named() -> None:
    with socket.create_server((ports.LOCAL, 0)) as server:
        port = server.getsockname()[1]
        told = ports.who_listens(port)
        assert told is not None
        assert told.startswith(f"pid {os.getpid()} (")
    after = ports.who_listens(port)  # by now somebody else may have got the port, but not we
    assert after is None or not after.startswith(f"pid {os.getpid()} (")


def test_who_listens_at_one_address_is_told_from_who_does_at_another() -> None:
    with socket.create_server((ports.LOCAL6, 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert ports.who_listens(port, ports.LOCAL6)
        assert ports.who_listens(port, ports.LOCAL) is None


def test_winding_down_connections_do_not_take_a_port() -> None:
    with socket.create_server((ports.LOCAL, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((ports.LOCAL, port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # who closes first keeps the connection in TIME_WAIT
            assert client.recv(1) == b""
    assert ports.is_free(port)


@pytest.mark.parametrize(
    "host, twin",
    [("127.0.0.1", "::1"), ("0.0.0.0", "::1"), ("::1", "127.0.0.1"), ("::", "127.0.0.1"), ("192.0.2.1", "")],
)
def test_localhost_is_two_addresses_and_who_serves_one_has_both(host: str, twin: str) -> None:
    assert ports.loopback_twin(host) == twin


def test_a_host_without_the_other_loopback_address_has_no_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LOCAL6", "2001:db8::1")
    assert ports.loopback_twin("127.0.0.1") == ""
