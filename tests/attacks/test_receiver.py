"""A stranger on 127.0.0.1 who wants the receiver or the exporter silent: idle, slow, large and unread."""

import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from host.ports import free_port
from notify.outbox import ALERTS, INCOMING, Outbox
from services.connections import Waiting
from services.receiver.alerts import Alerts
from services.receiver.intake import Intake
from services.receiver.main import Receiver
from services.serving import make_server
from settings.notify import Notify
from tests.waiting import wait_for

SECRET = "the webhook's secret"
LONG_S = 600.0  # longer than any test: what is closed was closed for another reason


@contextmanager
def listening(app: Starlette, waiting: Waiting, concurrency: int = 64) -> Iterator[int]:
    """Yield the port of an app behind the server that receiver and exporter have."""
    port = free_port()
    server = make_server(app, "127.0.0.1", port, concurrency=concurrency, grace_s=1, waiting=waiting)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, "the server listens")
        yield port
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


class Hooks:
    """A receiver with its outbox, to which GitHub delivers."""

    def __init__(self, directory: Path) -> None:
        notify = Notify.model_validate({"github": {"repository": "team/app", "token": "env:X"}})
        self.outbox = Outbox(directory / "outbox.sqlite")
        self.app = Receiver(notify, SECRET, Intake(notify, self.outbox)).app

    def deliver(self, port: int, commit: str = "a" * 40) -> httpx.Response:
        repository = {"full_name": "team/app", "pushed_at": int(time.time())}
        pusher = {"name": "Ann", "email": "ann@example.com"}
        body = {
            "ref": "refs/heads/main",
            "before": "c" * 40,
            "after": commit,
            "repository": repository,
            "pusher": pusher,
        }
        raw = json.dumps(body).encode()
        headers = {
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": str(uuid.uuid4()),
            "x-hub-signature-256": "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest(),
        }
        return httpx.post(f"http://127.0.0.1:{port}/github", content=raw, headers=headers, timeout=600)


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path)


def open_sockets(stack: ExitStack, port: int, count: int, sends: bytes = b"") -> list[socket.socket]:
    made = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=600)) for _ in range(count)]
    for one in made:
        one.sendall(sends)
    return made


def is_closed(one: socket.socket) -> bool:
    """Return whether the other side closed it; what it sent before is thrown away."""
    one.setblocking(False)
    try:
        while True:
            if not one.recv(65536):
                return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def all_closed(sockets: Sequence[socket.socket]) -> Callable[[], bool]:
    return lambda: all(is_closed(one) for one in sockets)


HEAD = b"POST /github HTTP/1.1\r\nhost: x\r\n"
UNFINISHED = {
    "nothing at all": b"",
    "a request line": HEAD,
    "half a header": HEAD + b"x-github-ev",
    "a body that never comes": HEAD + b"content-length: 1000\r\n\r\n",
    "half a body": HEAD + b"content-length: 1000\r\n\r\n" + b"x" * 500,
    "a chunk that never ends": HEAD + b"transfer-encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 500,
    "one whole request and then silence": b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n",
    "a body that nobody asked for": b"GET /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n",
    "an upgrade to a websocket": b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
}


@pytest.mark.parametrize("name", ["nothing at all", "half a body", "one whole request and then silence"])
def test_open_connections_do_not_keep_a_webhook_out(hooks: Hooks, name: str) -> None:
    with ExitStack() as stack, listening(hooks.app, Waiting(LONG_S)) as port:
        open_sockets(stack, port, 200, UNFINISHED[name])
        answer = hooks.deliver(port)
        assert (answer.status_code, hooks.outbox.backlog(INCOMING).waiting) == (202, 1), answer.text


def test_whoever_sends_no_whole_request_in_time_is_closed(hooks: Hooks) -> None:
    waiting = Waiting(0.1)
    with ExitStack() as stack, listening(hooks.app, waiting) as port:
        for name, sends in UNFINISHED.items():
            wait_for(all_closed(open_sockets(stack, port, 3, sends)), f"those that sent {name} are closed")
        waiting.patience_s = LONG_S
        assert hooks.deliver(port).status_code == 202


def test_a_byte_now_and_then_buys_no_time(hooks: Hooks) -> None:
    waiting = Waiting(0.1)
    with ExitStack() as stack, listening(hooks.app, waiting) as port:
        starts = (b"POST /", HEAD, HEAD + b"content-length: 100000\r\n\r\n")
        sockets = [one for sends in starts for one in open_sockets(stack, port, 5, sends)]

        def dripped_and_closed() -> bool:
            for one in sockets:
                try:
                    one.send(b"x")
                except OSError:
                    continue
            return all_closed(sockets)()

        wait_for(dripped_and_closed, "all are closed")
        waiting.patience_s = LONG_S
        assert hooks.deliver(port).status_code == 202


def test_beyond_the_most_that_may_wait_the_oldest_is_closed(hooks: Hooks) -> None:
    with ExitStack() as stack, listening(hooks.app, Waiting(LONG_S, most=50)) as port:
        sockets = open_sockets(stack, port, 300)
        wait_for(all_closed(sockets[:249]), "all but the newest are closed")
        assert hooks.deliver(port).status_code == 202
        assert not is_closed(sockets[-1])


def test_of_too_many_unfinished_bytes_the_largest_is_closed(hooks: Hooks) -> None:
    with ExitStack() as stack, listening(hooks.app, Waiting(LONG_S, most_bytes=100_000)) as port:
        (small,) = open_sockets(stack, port, 1, HEAD + b"content-length: 1000\r\n\r\nx")
        large = open_sockets(stack, port, 3, HEAD + b"content-length: 90000\r\n\r\n" + b"x" * 45_000)
        wait_for(lambda: sum(is_closed(one) for one in large) >= 1, "one of the large ones is closed")
        assert hooks.deliver(port).status_code == 202
        assert not is_closed(small)


def test_answers_that_nobody_reads_are_dropped() -> None:
    async def large(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * 4_000_000)

    app, waiting = Starlette(routes=[Route("/metrics", large)]), Waiting(0.2)
    with ExitStack() as stack, listening(app, waiting, concurrency=4) as port:
        ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" * 4
        sockets = open_sockets(stack, port, 8, ask)

        def closed_unread() -> bool:
            for one in sockets:
                try:
                    one.send(b"G")
                except OSError:
                    continue
                return False
            return True

        wait_for(closed_unread, "all are closed")
        waiting.patience_s = LONG_S
        assert httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=600).status_code == 200


def test_too_many_whole_requests_at_once_are_refused_and_say_why() -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    async def slow(request: Request) -> PlainTextResponse:
        await request.body()

        def wait() -> None:
            inside.release()
            assert go.wait(60)

        await run_in_threadpool(wait)
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/", slow, methods=["GET", "POST"])])
    answers: list[int] = []

    def ask(port: int, method: str) -> None:
        answers.append(httpx.request(method, f"http://127.0.0.1:{port}/", content=b"x", timeout=600).status_code)

    with listening(app, Waiting(LONG_S), concurrency=2) as port:
        working = [threading.Thread(target=ask, args=(port, method)) for method in ("GET", "POST")]
        for thread in working:
            thread.start()
        assert inside.acquire(timeout=600) and inside.acquire(timeout=600)
        for method, body in (("GET", b""), ("POST", b"x"), ("POST", b"x" * 100_000)):
            refused = httpx.request(method, f"http://127.0.0.1:{port}/", content=body, timeout=600)
            assert refused.status_code == 503 and "too many requests are in work" in refused.text
        go.set()
        for thread in working:
            thread.join(60)
        assert answers == [200, 200]
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"x", timeout=600).status_code == 200


def test_who_has_no_token_is_told_so_before_anything_of_the_body_is_read(tmp_path: Path) -> None:
    outbox, notify = Outbox(tmp_path / "outbox.sqlite"), Notify()
    app = Receiver(notify, SECRET, Intake(notify, outbox), Alerts(notify, "the token", outbox, {})).app
    head = b"POST /alerts HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n"
    with ExitStack() as stack, listening(app, Waiting(LONG_S)) as port:
        for given in (
            b"",
            b"authorization: Bearer \r\n",
            b"authorization: Bearer the toke\r\n",
            b"authorization: \xff\r\n",
        ):
            (one,) = open_sockets(stack, port, 1, head + given + b"\r\n")
            assert one.recv(65536).startswith(b"HTTP/1.1 401 ")
    assert outbox.backlog(ALERTS).waiting == 0


def test_a_working_request_is_not_closed_for_its_connections_age(hooks: Hooks) -> None:
    held: dict[str, Any] = {}
    waiting = Waiting(LONG_S)

    async def slow(request: Request) -> PlainTextResponse:
        def wait_until_others_are_cut_off() -> None:
            waiting.patience_s = 0.05
            with socket.create_connection(held["at"], timeout=600) as other:
                wait_for(lambda: is_closed(other), "an idle one is closed")

        await run_in_threadpool(wait_until_others_are_cut_off)
        return PlainTextResponse("done")

    with listening(Starlette(routes=[Route("/", slow)]), waiting) as port:
        held["at"] = ("127.0.0.1", port)
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=600).text == "done"
        wait_for(lambda: not waiting.connections, "nothing waits any more")
