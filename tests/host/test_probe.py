import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gates.release.condition import Condition
from gates.release.health_rules import HealthRules
from gates.verdict import Action
from host import probe
from host.errors import HealthError
from host.ports import free_port
from host.probe import ask, await_healthy, examine, look, timed
from tests.waiting import wait_for

GOOD = b'{"status": "healthy"}'


class App(BaseHTTPRequestHandler):
    """Answers as a good or a bad app would, by path."""

    protocol_version = "HTTP/1.1"
    closing: threading.Event
    asked: list[str]
    headers_seen: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.headers_seen.append(self.headers.get("x-preview"))
        getattr(self, "answer_" + self.path.strip("/").partition("?")[0])()

    def say(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_good(self) -> None:
        self.say(GOOD)

    def answer_bad(self) -> None:
        self.say(b"no database", 503)

    def answer_lie(self) -> None:
        self.say(b'{"status": "unhealthy"}')

    def answer_moved(self) -> None:
        self.say(b"", 302, location="/good")

    def answer_strict(self) -> None:
        if self.headers["host"] == "shop.example.com":
            self.say(b'{"state": "rosy"}')
        else:
            self.say(b"Invalid host header", 400)

    def answer_third_time(self) -> None:
        self.say(GOOD, 200 if len(self.asked) > 2 else 503)

    def answer_deep(self) -> None:
        self.say(b"[" * 60_000)

    def answer_big(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(10 << 20))
        self.end_headers()
        for _ in range(160):
            self.wfile.write(b"x" * 65536)

    def answer_bomb(self) -> None:
        self.say(gzip.compress(b"x" * (10 << 20)), content_encoding="gzip")

    def answer_garbled(self) -> None:
        self.say(b"no gzip at all", content_encoding="gzip")

    def answer_short(self) -> None:
        self.say(b'{"status":', length=1000)
        self.close_connection = True

    def answer_hang(self) -> None:
        self.closing.wait(120)

    def answer_drip(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "60000")
        self.end_headers()
        while not self.closing.wait(0.05):
            self.wfile.write(b" ")

    def answer_slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(600):
            if self.closing.wait(0.05):
                return
            self.wfile.write(b"x-%d: 1\r\n" % number)
        self.wfile.write(b"content-length: 21\r\n\r\n" + GOOD)
        self.asked.append("the end")

    def answer_interim(self) -> None:
        for _ in range(600):
            if self.closing.wait(0.05):
                return
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        self.say(GOOD)
        self.asked.append("the end")

    def answer_twice_packed(self) -> None:
        self.say(gzip.compress(gzip.compress(GOOD)), content_encoding="gzip, gzip")

    def answer_packed(self) -> None:
        self.say(gzip.compress(GOOD), content_encoding="gzip")

    def log_message(self, format: str, *args: object) -> None:
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        return None  # who probes goes away early: that is what is tested


def serve(port: int = 0) -> Server:
    handler = type("Handler", (App,), {"closing": threading.Event(), "asked": [], "headers_seen": []})
    server = Server(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def stop(server: Server) -> None:
    server.RequestHandlerClass.closing.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def questions(server: Server) -> list[str]:
    return list(server.RequestHandlerClass.asked)  # type: ignore[attr-defined]


@pytest.fixture
def app() -> Iterator[Server]:
    server = serve()
    yield server
    stop(server)


@pytest.fixture
def url(app: Server) -> str:
    return f"http://127.0.0.1:{app.server_port}"


@pytest.mark.parametrize(
    ("path", "action", "said"),
    [
        ("/good", Action.PROMOTE, "answered 200, healthy"),
        ("/bad", Action.WAIT, "answered 503: no database"),
        ("/lie", Action.WAIT, 'its body says "unhealthy"'),
        ("/moved", Action.WAIT, "answered 302"),
        ("/deep", Action.WAIT, "too deeply"),
        ("/big", Action.WAIT, "more than 65536 bytes"),
        ("/bomb", Action.WAIT, "more than 65536 bytes"),
        ("/garbled", Action.WAIT, "DecodingError"),
        ("/packed", Action.PROMOTE, "answered 200, healthy"),
        ("/twice_packed", Action.WAIT, "packed as gzip, gzip, expected identity, gzip or deflate"),
        ("/short", Action.WAIT, "RemoteProtocolError"),
    ],
)
def test_what_was_answered_is_judged(url: str, path: str, action: Action, said: str) -> None:
    verdict = look(url, path)
    assert verdict.action is action and said in verdict.reason, verdict.reason
    assert verdict.reason.startswith(path)


@pytest.mark.parametrize("path", ["/hang", "/drip", "/slow_headers", "/interim"])
def test_an_answer_that_does_not_end_is_given_up(
    app: Server, url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.4)
    asked = ask(url, path)
    wait_for(lambda: bool(questions(app)), "the server has the question")
    assert questions(app) == [path], "it was not waited for"
    assert asked.late and asked.verdict.action is Action.WAIT and asked.verdict.reason.startswith(path)


@pytest.mark.parametrize("path", ["/good", "/bad", "/lie", "/short"])
def test_an_answer_that_came_is_not_late(url: str, path: str) -> None:
    asked = ask(url, path)
    assert not asked.late and asked.good is (path == "/good")


def test_a_refused_connection_is_not_late() -> None:
    asked = ask(f"http://127.0.0.1:{free_port()}", "/good")
    assert not asked.late and not asked.good


@pytest.mark.parametrize(("path", "good", "times"), [("/good", True, 1), ("/bad", False, 1), ("/hang", False, 3)])
def test_a_late_answer_is_asked_for_again(
    app: Server, url: str, path: str, good: bool, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "/hang":
        monkeypatch.setattr(probe, "PATIENCE_S", 0.2)
    assert timed(url, path, {})[1] is good
    wait_for(lambda: len(questions(app)) >= times, "the server has the questions")
    assert len(questions(app)) == times


@pytest.mark.parametrize(
    ("path", "patience_s", "condition"),
    [
        ("/good", 60, Condition.HEALTHY),
        ("/lie", 60, Condition.UNHEALTHY),
        ("/bad", 60, Condition.UNHEALTHY),
        ("/big", 60, Condition.UNHEALTHY),
        ("/twice_packed", 60, Condition.UNHEALTHY),
        ("/hang", 0.5, Condition.UNHEALTHY),
        ("/drip", 0.5, Condition.UNHEALTHY),
        ("/slow_headers", 0.5, Condition.UNHEALTHY),
        ("/interim", 0.5, Condition.UNHEALTHY),
    ],
)
def test_what_serves_is_examined(url: str, path: str, patience_s: float, condition: Condition) -> None:
    assert examine(url, path, patience_s=patience_s).condition is condition


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/moved", "/moved answered 302, a redirect to /good; name a path"),
        ("/strict", "it refuses the Host of this request"),
    ],
)
def test_a_refusal_is_told_with_the_key_that_helps(url: str, path: str, said: str) -> None:
    assert said in look(url, path).reason and said in examine(url, path).reason


def test_it_is_asked_by_the_name_and_read_in_the_words_of_its_rules(url: str) -> None:
    rules = HealthRules(host="shop.example.com", pointer="/state", good=("rosy",))
    assert look(url, "/strict", rules=rules).reason == "/strict answered 200, rosy"
    assert ask(url, "/strict", {"x-preview": "s"}, rules=rules).good and timed(url, "/strict", {}, rules)[1]
    assert examine(url, "/strict", rules).condition is Condition.HEALTHY
    assert await_healthy(url, ["/strict"], 5, rules=rules) == "/strict answered 200, rosy"


def test_what_serves_slowly_is_degraded_not_bad(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.0)
    seen = examine(url, "/good")
    assert seen.condition is Condition.DEGRADED and " s" in seen.reason


def test_nobody_there_is_to_be_waited_for() -> None:
    verdict = look(f"http://127.0.0.1:{free_port()}", "/good")
    assert verdict.action is Action.WAIT and "ConnectError" in verdict.reason


def test_what_speaks_no_http_is_to_be_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        verdict = look(f"http://127.0.0.1:{server.getsockname()[1]}", "/good")
        thread.join()
    assert verdict.action is Action.WAIT


def test_the_preview_header_is_sent(app: Server, url: str) -> None:
    look(url, "/good", {"x-preview": "secret"})
    look(url, "/good")
    assert app.RequestHandlerClass.headers_seen == ["secret", None]  # type: ignore[attr-defined]


def test_all_paths_must_be_good(app: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "START_S", 0.0)  # hosts that do not tell how busy they are give a start a minute
    assert await_healthy(url, ["/good", "/good?x"], 5) == "/good answered 200, healthy; /good?x answered 200, healthy"
    with pytest.raises(HealthError) as told:
        await_healthy(url, ["/good", "/bad", "/lie"], 0.2)
    assert str(told.value).startswith("not healthy after 0.2 s: /bad answered 503")
    assert "/lie" in str(told.value) and "/good" not in str(told.value)


def test_it_is_asked_again_until_it_is_good(app: Server, url: str) -> None:
    assert "200" in await_healthy(url, ["/third_time"], 10)
    assert len(app.RequestHandlerClass.asked) == 3  # type: ignore[attr-defined]


def test_a_slow_start_is_waited_for() -> None:
    port = free_port()
    servers: list[Server] = []
    timer = threading.Timer(0.4, lambda: servers.append(serve(port)))
    timer.start()
    try:
        assert "200" in await_healthy(f"http://127.0.0.1:{port}", ["/good"], 10)
    finally:
        timer.join()
        stop(servers[0])


def test_at_least_one_look_is_taken_whatever_the_time(url: str) -> None:
    assert "200" in await_healthy(url, ["/good"], 0)


def dies(after: int) -> Callable[[], str | None]:
    looks = iter(range(1000))
    return lambda: "exited with 1; it said: no database" if next(looks) >= after else None


@pytest.mark.parametrize("after", [0, 2])
def test_a_process_that_is_gone_is_not_waited_for(after: int) -> None:
    with pytest.raises(HealthError, match="the new process is gone: exited with 1; it said: no database"):
        await_healthy(f"http://127.0.0.1:{free_port()}", ["/good"], 300, gone=dies(after))


def test_who_answers_in_the_place_of_a_process_that_is_gone_is_not_believed(url: str) -> None:
    with pytest.raises(HealthError, match="the new process is gone"):
        await_healthy(url, ["/good"], 5, gone=dies(0))


def test_an_answer_counts_if_the_process_held_the_same_socket_before_and_after(url: str) -> None:
    held = iter([frozenset(), frozenset("a"), frozenset("b"), frozenset("b"), frozenset("b")])
    assert "200" in await_healthy(url, ["/good"], 60, holds=lambda: next(held))
    assert list(held) == []


def test_what_was_answered_while_nobody_listened_is_told(url: str) -> None:
    with pytest.raises(HealthError, match="answered 200, healthy, but the new process did not listen there"):
        await_healthy(url, ["/good"], 0.1, holds=frozenset)
