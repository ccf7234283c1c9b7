import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from host.errors import ToolError
from tasks.scans.packages.advisories import Source
from tasks.scans.packages.pins import Pin
from tests.tasks.scans.packages.advisories import ZERO, record

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def canary(**more: Any) -> dict[str, Any]:
    return {"vulns": [record("PYSEC-2019-217", "jinja2", ZERO, {"fixed": "2.10.1"}, **more)]}


def source(httpserver: HTTPServer) -> Source:
    return Source(httpserver.url_for("/"), probe_s=60, answer_s=60)


def changed(hours_ago: float) -> str:
    return (NOW - timedelta(hours=hours_ago)).isoformat()


@pytest.mark.parametrize(("hours", "fine"), [(0, True), (47.9, True), (48.1, False), (-0.9, True), (-1.1, False)])
@pytest.mark.parametrize("told", ["records", "header"])
def test_a_mirror_must_be_young_enough_and_not_of_tomorrow(
    httpserver: HTTPServer, hours: float, fine: bool, told: str
) -> None:
    headers = {}
    body = canary(modified=changed(hours))
    if told == "header":
        body = canary(modified=changed(9_000))
        headers = {"Last-Modified": format_datetime(NOW - timedelta(hours=hours), usegmt=True)}
    httpserver.expect_request("/v1/query").respond_with_json(body, headers=headers)
    if fine:
        assert "newest record" in source(httpserver).prove(48, NOW)
    else:
        with pytest.raises(ToolError, match="is 48 h old, limit 48 h; refresh it|which is to come"):
            source(httpserver).prove(48, NOW)


FOREIGN = {"vulns": [record("PYSEC-1", "django", ZERO)]}
WITHDRAWN = canary(withdrawn="2024-01-01T00:00:00Z")
FIXED_BEFORE = {"vulns": [record("PYSEC-1", "jinja2", ZERO, {"fixed": "2.9"})]}


@pytest.mark.parametrize("body", [{}, {"vulns": []}, FOREIGN, WITHDRAWN, FIXED_BEFORE])
def test_a_source_without_the_canary_is_not_believed(httpserver: HTTPServer, body: Any) -> None:
    httpserver.expect_request("/v1/query").respond_with_json(body)
    with pytest.raises(ToolError, match="does not know the canary jinja2 2.10"):
        source(httpserver).prove(48, NOW)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Response("", 500), "answers 500"),
        (Response("", 404), "answers 404"),
        (Response("", 302, {"Location": "/elsewhere"}), "answers 302"),
        (Response("", 200), "answers what is not JSON"),
        (Response("<html>", 200), "answers what is not JSON"),
        (Response('{"vulns": [{"id": "PYSEC', 200), "answers what is not JSON"),
        (Response("[" * 100_000, 200), "answers what is not JSON"),
        (Response("[]", 200), "answers what is not OSV"),
        (Response('{"vulns": [{"id": "X"}]}', 200), "answers what is not OSV: vulns.0.modified"),
        (Response('{"vulns": "many"}', 200), "answers what is not OSV: vulns"),
    ],
)
def test_an_answer_that_is_none_is_told(httpserver: HTTPServer, answer: Response, problem: str) -> None:
    httpserver.expect_request("/v1/query").respond_with_response(answer)
    with pytest.raises(ToolError, match=f"^the advisory source localhost:{httpserver.port} {problem}"):
        source(httpserver).prove(48, NOW)


def test_an_answer_without_end_is_cut(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.scans.packages.advisories.LARGEST_ANSWER_BYTES", 1_000)
    httpserver.expect_request("/v1/query").respond_with_data("x" * 1_001)
    with pytest.raises(ToolError, match="answers without end"):
        source(httpserver).prove(48, NOW)


def test_nobody_there(refused: Callable[[], str]) -> None:
    with pytest.raises(ToolError, match="cannot be reached: ConnectError"):
        Source(refused()).prove(48, NOW)


@pytest.fixture(params=["silent", "drips", "drops"])
def slow(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A server that never ends an answer: (its way, its address)."""
    stop = threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            if request.param == "drops":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
                return
            if request.param == "drips":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            while not stop.wait(0.05):
                if request.param == "drips":
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=[listening], daemon=True)
        thread.start()
        yield request.param, f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop.set()
        thread.join(5)


def test_a_source_that_is_slow_or_drops_is_given_up(slow: tuple[str, str]) -> None:
    way, url = slow
    # A reset, when it closes with part of the request unread.
    problem = "cannot be reached: (RemoteProtocol|Read)Error" if way == "drops" else "did not answer within 0.3 s"
    with pytest.raises(ToolError, match=problem):
        Source(url, probe_s=60 if way == "drops" else 0.3).prove(48, NOW)


def test_a_password_in_the_address_is_never_told(refused: Callable[[], str]) -> None:
    address = refused().replace("://", "://someone:s3cr3t-word@")
    with pytest.raises(ToolError) as told:
        Source(address).prove(48, NOW)
    assert "s3cr3t-word" not in str(told.value)


def test_records_by_package_and_by_name(httpserver: HTTPServer) -> None:
    body = {"vulns": [*canary()["vulns"], *WITHDRAWN["vulns"]]}
    httpserver.expect_request("/v1/query").respond_with_json(body)
    httpserver.expect_request("/v1/vulns/PYSEC-2019-217").respond_with_json(canary()["vulns"][0])
    httpserver.expect_request("/v1/vulns/CVE-1").respond_with_data("", 404)
    httpserver.expect_request("/v1/vulns/CVE-2").respond_with_json({"id": "CVE-2"})
    assert [one.id for one in source(httpserver).about(Pin("jinja2", "2.10"))] == ["PYSEC-2019-217"]
    found = source(httpserver).record("PYSEC-2019-217")
    assert found and found.id == "PYSEC-2019-217"
    assert source(httpserver).record("CVE-1") is None
    with pytest.raises(ToolError, match="CVE-2 is no OSV record"):
        source(httpserver).record("CVE-2")
