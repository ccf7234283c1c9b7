"""A real Redis of others, asked as the app's user."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from gates.databases.redis_url import RedisServer, read_redis
from host.databases.external_redis import look
from host.errors import ToolError
from host.ports import free_port
from tests.mariadb_server import need
from tests.pems import Issuer
from tests.waiting import wait_for

WORD = "pass/word%1 " + "hunter2"


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One with a password, at a port with TLS, a plain one, and a socket beside its certificate."""
    need("redis-server", package="redis-server")
    directory, issuer = tmp_path_factory.mktemp("redis"), Issuer.make()
    for name, pem in zip(("root", "chain", "key"), (issuer.root_pem, *issuer.pair("localhost")), strict=True):
        (directory / name).write_bytes(pem)
    server = RedisServer("redis", "127.0.0.1", free_port(), "", WORD, 0, (("ssl_ca_certs", str(directory / "root")),))
    lines = [
        f"port {server.port}",
        f"tls-port {free_port()}",
        f"tls-cert-file {directory / 'chain'}",
        f"tls-key-file {directory / 'key'}",
        "tls-auth-clients no",
        f"tls-ca-cert-file {directory / 'root'}",
        f"unixsocket {directory / 's'}",
        f'requirepass "{WORD}"',
        "user little on >little-word-1 -@all +ping +select",
        'save ""',
        f"dir {directory}",
    ]
    (directory / "conf").write_text("\n".join(lines))
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(["redis-server", str(directory / "conf")], stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or _answers(server), "Redis answers")
        assert process.poll() is None, (directory / "log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait()


def _answers(server: RedisServer) -> bool:
    try:
        return look(replace(server, options=())).replica is False
    except ToolError:
        return False


def at_socket(server: RedisServer) -> RedisServer:
    root = Path(dict(server.options)["ssl_ca_certs"])
    return replace(server, scheme="unix", host=str(root.with_name("s")), options=())


def test_it_answers_the_apps_user_at_its_port_and_its_socket(others: RedisServer) -> None:
    assert look(replace(others, options=())).replica is False
    assert look(at_socket(others)).replica is False
    assert look(read_redis(at_socket(others).url)) == look(read_redis(replace(others, options=()).url))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"password": "another-hunter2"}, "(?i)wrongpass|invalid", id="password"),
        pytest.param({"password": ""}, "(?i)authentication", id="none"),
        pytest.param({"database": 9999}, "(?i)out of range", id="database"),
        pytest.param({"port": 1}, "(?i)refused", id="nobody-there"),
    ],
)
def test_what_does_not_answer_is_told_without_the_password(
    others: RedisServer, change: dict[str, object], why: str
) -> None:
    server = replace(others, options=(), **change)  # type: ignore[arg-type]
    with pytest.raises(ToolError, match=why) as told:
        look(server)
    assert "does not answer" in str(told.value) and "hunter2" not in str(told.value)


def test_who_may_not_ask_for_more_is_told_of_less(others: RedisServer) -> None:
    assert look(replace(others, options=(), user="little", password="little-word-1")).replica is None


def test_a_replica_is_seen(others: RedisServer) -> None:
    client = redis.Redis(port=others.port, password=others.password)
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        assert look(replace(others, options=())).replica is True
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


def test_a_certificate_is_checked(others: RedisServer, tmp_path: Path) -> None:
    tls = int(redis.Redis(port=others.port, password=others.password).config_get("tls-port")["tls-port"])
    server = replace(others, scheme="rediss", host="localhost", port=tls)
    assert look(server).replica is False
    with pytest.raises(ToolError, match="(?i)certificate"):
        look(replace(server, options=()))
    with pytest.raises(ToolError, match="(?i)certificate|address"):
        look(replace(server, host="127.0.0.1"))  # it is of another name
    assert look(replace(server, options=(("ssl_cert_reqs", "CERT_NONE"),))).replica is False
