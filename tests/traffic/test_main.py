"""The traffic: nothing is lost at a switch, and the counter does see what is lost when something is."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from host.errors import ConfigError, HealthError, ToolError
from host.ports import free_port
from tests.deployments.running import CHECKOUT, Running, routing
from tests.waiting import wait_for
from traffic import main as traffic
from traffic import profile as traffic_profile
from traffic import setup as traffic_setup
from traffic.clients import Clients
from traffic.main import Traffic
from traffic.probe import Downtime
from traffic.profile import Profile, Request
from traffic.tally import FROM_APP, Latencies, Outcome, classify

QUICK = {"name": "quick", "path": "/"}
SLOW = {"name": "slow", "path": "/slow"}
FAIL = {"name": "fail", "path": "/fail"}
UPLOAD = {
    "name": "upload",
    "method": "POST",
    "path": "/upload",
    "slow_body": {"chunks": 3, "chunk_bytes": 100, "interval_s": 0.1},
}
EVENTS = {"name": "events", "path": "/events", "kind": "sse", "connections": 2}
SOCKET = {"name": "socket", "path": "/socket", "kind": "websocket"}

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def profile(*requests: dict[str, Any], streams: tuple[dict[str, Any], ...] = (), **more: Any) -> Profile:
    return Profile.model_validate({"request": list(requests), "stream": list(streams), **more})


class Backend:
    """benchmarks.backend in a process that can be killed."""

    def __init__(self, name: str, directory: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "benchmarks.backend:app", "--port", str(self.port)]
        command += ["--no-access-log", "--log-level", "warning"]
        with (directory / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, env={**os.environ, "BACKEND_NAME": name}, stdout=log, stderr=log
            )
        wait_for(self.answers, f"{name} to answer")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self.url, trust_env=False).is_success
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def blue(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend("blue", tmp_path)
    yield backend
    backend.kill()


@pytest.fixture
def green(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend("green", tmp_path)
    yield backend
    backend.kill()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    envoy = Running(tmp_path)
    try:
        envoy.start()
        yield envoy
    finally:
        envoy.kill()


@contextlib.contextmanager
def server(handler: Handler) -> Iterator[str]:
    """A raw TCP server in a thread; yields its URL."""
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(asyncio.start_server(handler, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def responder(answer: bytes, close: bool = True) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if close:
            writer.close()
        else:
            await asyncio.sleep(60)

    return handle


def total(report: dict[str, Any]) -> dict[str, int]:
    names = ("sent", "ok", "app_error", "lost", "not_sent", "in_flight", "abandoned")
    return {name: report["totals"][name] for name in names if report["totals"][name]}


# What the figures mean, through the real router


def test_switches_under_traffic_lose_nothing(running: Running, blue: Backend, green: Backend) -> None:
    ports = {"blue": blue.port, "green": green.port}
    running.router.publish(routing("e1-r0", ports, "blue"))
    kinds = profile({**QUICK, "weight": 8}, SLOW, UPLOAD, streams=(EVENTS, SOCKET))
    url = f"http://127.0.0.1:{running.router.edge.port}"
    with Traffic(kinds, url, rate=50, probes={"public": url}).background() as sender:
        wait_for(lambda: sum(s["open"] for s in sender.report()["streams"].values()) == 3, "all streams")
        for number in range(1, 6):
            running.router.publish(routing(f"e1-r{number}", ports, ("green", "blue")[number % 2 == 0]))
            threading.Event().wait(0.4)
    report = sender.report()
    assert report["totals"]["sent"] > 100
    assert total(report) == {"sent": report["totals"]["sent"], "ok": report["totals"]["sent"]}
    assert report["lost"] == []
    assert report["clean"]
    assert {name: (s["open"], s["broken"], s["reopened"]) for name, s in report["streams"].items()} == {
        "events": (2, 0, 0),
        "socket": (1, 0, 0),
    }
    assert report["probes"]["public"]["downtime_s"] == {"longest": 0, "total": 0}


def test_a_connection_is_used_again_unless_its_request_failed(blue: Backend) -> None:
    async def lend() -> tuple[list[httpx.AsyncClient], httpx.AsyncClient, httpx.AsyncClient]:
        async with Clients(f"http://127.0.0.1:{blue.port}") as clients:
            async with clients.one() as first, clients.one() as second:
                await first.get("/")
                await second.get("/")
            async with clients.one() as again:
                await again.get("/")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), clients.one() as given_up:
                    await given_up.get("/slow")
            async with clients.one() as after:
                await after.get("/")
            return [first, second], again, after

    lent, again, after = asyncio.run(lend())
    assert again is lent[0]  # the last that came back
    assert lent[0].is_closed and after is lent[1]


def test_a_backend_killed_mid_request_is_seen_as_lost(running: Running, blue: Backend) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue.port}, "blue"))
    url = f"http://127.0.0.1:{running.router.edge.port}"
    with Traffic(profile(SLOW, streams=(EVENTS, SOCKET)), url, 20, probes={"up": url}).background() as sender:
        wait_for(lambda: sender.report()["totals"]["in_flight"] > 5, "requests under way")
        wait_for(lambda: sum(s["open"] for s in sender.report()["streams"].values()) == 3, "all streams")
        wait_for(lambda: sender.report()["probes"]["up"]["good"] > 2, "good probes")
        blue.kill()
        wait_for(lambda: sender.report()["totals"]["lost"] > 5, "lost requests")
        wait_for(lambda: sender.report()["streams"]["events"]["refused"] > 0, "a refused stream")
        wait_for(lambda: sender.report()["probes"]["up"]["down_since"] is not None, "downtime")
    report = sender.report()
    assert not report["clean"]
    assert report["totals"]["app_error"] == 0
    first = report["lost"][0]
    assert first["name"] == "slow"
    assert "503" in first["what"]
    assert 0 < first["started_at"] <= first["at"]
    assert report["streams"]["events"]["broken"] == 2
    assert report["streams"]["socket"]["broken"] == 1
    assert report["streams"]["events"]["open"] == 0
    assert report["probes"]["up"]["downtime_s"]["total"] > 0


def test_the_apps_own_errors_are_counted_apart(running: Running, blue: Backend) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue.port}, "blue"))
    sender = Traffic(profile(FAIL), f"http://127.0.0.1:{running.router.edge.port}", 50)
    report = asyncio.run(sender.run(seconds=0.5))
    assert total(report) == {"sent": 25, "app_error": 25}
    assert report["requests"]["fail"]["statuses"] == {"500": 25}
    assert report["clean"]
    assert report["finished"]


def test_a_router_that_dies_loses_requests_and_streams_come_back(running: Running, blue: Backend) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue.port}, "blue"))
    url = f"http://127.0.0.1:{running.router.edge.port}"
    with Traffic(profile(QUICK, streams=(EVENTS, SOCKET)), url, 50, probes={"up": url}).background() as sender:
        wait_for(lambda: sum(s["open"] for s in sender.report()["streams"].values()) == 3, "all streams")
        wait_for(lambda: sender.report()["probes"]["up"]["good"] > 0, "a good probe")
        running.kill()
        wait_for(lambda: sender.report()["totals"]["lost"] > 0, "lost requests")
        wait_for(lambda: sender.report()["probes"]["up"]["down_since"] is not None, "downtime")
        running.start()
        wait_for(lambda: sum(s["open"] for s in sender.report()["streams"].values()) == 3, "streams again")
        wait_for(lambda: bool(sender.report()["probes"]["up"]["intervals"]), "the end of the downtime")
    report = sender.report()
    assert "ConnectError" in " ".join(lost["what"] for lost in report["lost"])
    assert report["streams"]["events"]["reopened"] == 2
    assert report["streams"]["socket"]["reopened"] == 1
    assert report["probes"]["up"]["downtime_s"]["longest"] > 0


# What a request can end as


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {FROM_APP: "1"}, Outcome.OK),
        (200, {}, Outcome.OK),
        (499, {FROM_APP: "1"}, Outcome.OK),
        (500, {FROM_APP: "1"}, Outcome.APP_ERROR),
        (503, {FROM_APP: "0", "server": "envoy"}, Outcome.APP_ERROR),
        (500, {}, Outcome.LOST),
        (503, {"server": "envoy"}, Outcome.LOST),
        (404, {"server": "envoy"}, Outcome.LOST),
        (404, {"server": "envoy", FROM_APP: "1"}, Outcome.OK),
        (404, {"server": "uvicorn"}, Outcome.OK),
    ],
)
def test_an_error_is_the_apps_only_with_its_mark(status: int, headers: dict[str, str], expected: Outcome) -> None:
    assert classify(status, headers) is expected


@pytest.mark.parametrize(
    ("answer", "closes", "what"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", True, "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", True, "RemoteProtocolError"),
        (b"", True, "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", False, "no complete answer"),
        (b"", False, "no complete answer"),
    ],
)
def test_an_incomplete_answer_is_lost(answer: bytes, closes: bool, what: str) -> None:
    with server(responder(answer, close=closes)) as url:
        sender = Traffic(profile(QUICK), url, 20, request_timeout_s=60 if closes else 0.3)
        report = asyncio.run(sender.run(seconds=0.2))
    assert total(report) == {"sent": 4, "lost": 4}
    assert all(what in lost["what"] for lost in report["lost"])


def test_arrivals_do_not_wait_for_answers_and_no_room_is_told() -> None:
    with server(responder(b"", close=False)) as url:
        with Traffic(profile(QUICK), url, 100, in_flight_limit=10, last_answers_s=0.1).background() as sender:
            wait_for(lambda: sender.report()["totals"]["not_sent"] >= 40, "arrivals without room")
            assert sender.report()["totals"]["sent"] == 10
    report = sender.report()
    assert total(report) == {"sent": 10, "abandoned": 10, "not_sent": report["totals"]["not_sent"]}
    assert not report["clean"]


def test_a_machine_that_cannot_keep_up_leaves_no_arrival_out(blue: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(request: Request) -> dict[str, str]:
        time.sleep(0.05)
        return request.headers

    monkeypatch.setattr(traffic, "_headers", busy)
    report = asyncio.run(Traffic(profile(QUICK), blue.url, 100, in_flight_limit=4).run(seconds=0.5))
    assert report["totals"]["not_sent"] > 0
    assert report["totals"]["sent"] + report["totals"]["not_sent"] == 50
    assert report["sent_late_ms"]["p99"] >= 50


def test_arrivals_are_held_back_while_enough_are_under_way() -> None:
    free = threading.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while not free.is_set():
            await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    with server(handle) as url:
        with Traffic(profile(QUICK), url, 1000, hold_back=3, last_answers_s=120).background() as sender:
            wait_for(lambda: sender.report()["held_back_s"] > 0.2, "arrivals are held back")
            assert sender.report()["totals"]["sent"] == 3
            free.set()
            wait_for(lambda: sender.report()["totals"]["sent"] > 6, "they go on")
    report = sender.report()
    sent = report["totals"]["sent"]
    assert total(report) == {"sent": sent, "ok": sent} and report["clean"]


def test_a_rate_that_is_carried_is_not_held_back(blue: Backend) -> None:
    report = asyncio.run(Traffic(profile(QUICK), blue.url, 100, hold_back=1000).run(seconds=0.5))
    assert report["totals"]["sent"] == 50 and report["held_back_s"] == 0


@pytest.mark.parametrize("hold_back", [0, -1, 2001])
def test_a_number_that_holds_nothing_back_is_refused(hold_back: int) -> None:
    with pytest.raises(ConfigError, match="hold back: got .*, expected requests in .1, 2000."):
        Traffic(profile(QUICK), "http://127.0.0.1:1", 1, hold_back=hold_back)


def test_what_is_under_way_at_the_end_is_abandoned_not_lost() -> None:
    with server(responder(b"", close=False)) as url:
        with Traffic(profile(QUICK), url, 20, probes={"up": url}, last_answers_s=0.1).background() as sender:
            wait_for(lambda: sender.report()["totals"]["in_flight"] >= 3, "requests under way")
            wait_for(lambda: sender.report()["probes"]["up"]["unanswered"] >= 3, "probes under way")
    report = sender.report()
    assert report["probes"]["up"]["unanswered"] >= 3 and report["probes"]["up"]["asked"] == 0
    assert report["totals"]["abandoned"] == report["totals"]["sent"]
    assert report["totals"]["in_flight"] == 0
    assert report["clean"]


def test_the_last_answers_are_waited_for() -> None:
    stopped = threading.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while not stopped.is_set():
            await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    with server(handle) as url:
        with Traffic(profile(QUICK), url, 20, probes={"up": url}, last_answers_s=120).background() as sender:
            wait_for(lambda: sender.report()["totals"]["in_flight"] >= 3, "requests under way")
            wait_for(lambda: sender.report()["probes"]["up"]["unanswered"] >= 3, "probes under way")
            sender.stop()
            stopped.set()
    report = sender.report()
    assert total(report) == {"sent": report["totals"]["sent"], "ok": report["totals"]["sent"]}
    assert report["probes"]["up"]["unanswered"] == 0
    assert report["probes"]["up"]["good"] == report["probes"]["up"]["asked"] >= 3


def test_a_mistake_of_ours_fails_the_run(blue: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("traffic.tally.Tally.answered", broken)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Traffic(profile(QUICK), blue.url, 20).run(seconds=5))


def test_a_slow_upload_arrives_whole_in_its_pieces() -> None:
    pieces: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/plain" in head
        while size := int(await reader.readline(), 16):
            pieces.append(await reader.readexactly(size))
            await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    with server(handle) as url:
        report = asyncio.run(Traffic(profile(UPLOAD), url, 10).run(seconds=0.1))
    assert total(report) == {"sent": 1, "ok": 1}
    assert pieces == [b"a" * 99 + b"\n"] * 3


def test_latency_counts_from_when_the_request_was_due() -> None:
    request = Request.model_validate(QUICK)

    async def late(sender: Traffic) -> None:
        async with Clients(sender.target) as clients:
            await sender._send(clients, request, asyncio.get_running_loop().time() - 7)

    with server(responder(b"HTTP/1.1 204 No Content\r\n\r\n")) as url:
        sender = Traffic(profile(QUICK), url, 1)
        asyncio.run(late(sender))
    assert sender.report()["totals"]["latency_ms"]["p50"] >= 7000


# Streams and probes


def test_a_stream_that_the_server_ends_is_opened_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: hello\n\n"
    with server(responder(answer)) as url:
        with Traffic(profile(streams=({**EVENTS, "connections": 1},)), url, 1).background() as sender:
            wait_for(lambda: sender.report()["streams"]["events"]["reopened"] >= 2, "the third life")
    counts = sender.report()["streams"]["events"]
    assert counts["broken"] == counts["refused"] == 0
    assert counts["ended_cleanly"] >= 2


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([(1, None), (2, None)], {"longest": 0, "total": 0}),
        ([(1, None), (2, "x"), (3, "x"), (4, None), (5, "y"), (6, None)], {"longest": 2, "total": 3}),
        ([(1, "not yet"), (2, "not yet"), (3, None)], {"longest": 0, "total": 0}),
        ([(1, None), (2, "x"), (5, "x")], {"longest": 3, "total": 3}),
        ([(1, "x"), (2, "x")], None),
        ([], None),
    ],
)
def test_downtime_is_what_lies_between_good_answers(
    answers: list[tuple[float, str | None]], expected: dict[str, float] | None
) -> None:
    downtime = Downtime()
    for at, failure in answers:
        downtime.add(at, failure, 0.1)
    assert downtime.report()["downtime_s"] == expected


def test_a_late_answer_is_late_and_not_down() -> None:
    downtime = Downtime()
    for at, took_s in ((1.0, 0.1), (1.1, 19.0), (1.2, 2.5), (1.3, 0.2)):
        downtime.add(at, None, took_s)
    report = downtime.report()
    assert (report["downtime_s"], report["intervals"]) == ({"longest": 0, "total": 0}, [])
    assert (report["good"], report["late"], report["slowest_s"]) == (4, 2, 19.0)


def test_an_address_that_takes_questions_and_answers_none_is_down() -> None:
    seen_good = threading.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if not seen_good.is_set():
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            writer.close()

    with server(handle) as url:
        sender = Traffic(profile(QUICK), "http://127.0.0.1:1", 1, probes={"up": url}, request_timeout_s=0.5)
        probe = sender._probes["up"]

        async def ask_until_down() -> None:
            task = asyncio.create_task(probe.run())
            while not (seen_good.is_set() and probe.report()["down_since"]):
                if probe.report()["good"]:
                    seen_good.set()
                await asyncio.sleep(0.05)
            task.cancel()

        asyncio.run(ask_until_down())
    report = probe.report()
    assert 1 <= report["good"] < report["asked"] and report["unanswered"] > 0


def test_percentiles_are_right_to_two_percent() -> None:
    latencies = Latencies()
    assert latencies.report() == {"p50": None, "p95": None, "p99": None}
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    for percent, expected in ((50, 500), (95, 950), (99, 990)):
        assert latencies.percentile_ms(percent) == pytest.approx(expected, rel=0.025)


# Profiles and set-up

GOOD = """
[[setup]]
method = "POST"
path = "/upload"
json = { email = "demo-{nonce}@example.invalid", list = ["{nonce}"] }
capture = { token = "token" }
[[request]]
name = "list"
path = "/api/{token}"
headers = { authorization = "Bearer {token}" }
[[stream]]
name = "events"
path = "/events"
kind = "sse"
"""


def test_a_profile_is_read_and_filled(tmp_path: Path) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text(GOOD)
    read = traffic_profile.load(path)
    values = {"nonce": "n1", "token": "t1"}
    assert traffic_profile.fill_entry(read.setup[0], values).body == {
        "email": "demo-n1@example.invalid",
        "list": ["n1"],
    }
    request = traffic_profile.fill_entry(read.request[0], values)
    assert (request.path, request.headers) == ("/api/t1", {"authorization": "Bearer t1"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "sse"', 'kind = "smoke"', r"stream\[0\].kind: got 'smoke'"),
        ('path = "/events"', 'path = "events"', r"stream\[0\].path: got 'events'"),
        ('path = "/events"', "", r"stream\[0\].path.*required"),
        ('name = "list"', 'name = "list"\nweight = -1', r"request\[0\].weight: got -1"),
        ('name = "list"', 'name = "list"\nspeed = 1', r"request\[0\].speed: got 1"),
        ('name = "list"', 'name = "list"\njson = {}\ntext = ""', r"request\[0\].*at most one of"),
        ("Bearer {token}", "Bearer {tokn}", "tokn.*known: nonce, token"),
        ("{nonce}@", "{token}@", "token.*known: nonce"),
        ("[[stream]]", "[stream]", "stream"),
        ("[[stream]]", "[[stream", "line"),
    ],
)
def test_a_bad_profile_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "traffic.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        traffic_profile.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_absent_or_empty_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere.toml"):
        traffic_profile.load(tmp_path / "nowhere.toml")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(ConfigError, match="at least one"):
        traffic_profile.load(tmp_path / "empty.toml")


def test_what_the_set_up_captures_is_used() -> None:
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            body = b'{"token": "t-1"}'
            head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            writer.write(head + body)
        writer.close()

    setup = {"method": "GET", "path": "/login", "capture": {"token": "token"}}
    with server(handle) as url:
        kinds = profile({**QUICK, "headers": {"x-token": "{token}"}}, setup=[setup])
        report = asyncio.run(Traffic(kinds, url, 10).run(seconds=0.1))
    assert report["totals"]["ok"] == 1
    assert b"x-token: t-1" in seen[-1]


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ({"method": "GET", "path": "/fail"}, "GET /fail: got 500 .* expected 2xx"),
        ({"method": "GET", "path": "/", "capture": {"token": "token"}}, "expected JSON with the keys token"),
    ],
)
def test_a_failed_set_up_is_one_clear_line(blue: Backend, setup: dict[str, Any], message: str) -> None:
    with pytest.raises(HealthError, match=message):
        asyncio.run(Traffic(profile(QUICK, setup=[setup]), blue.url, 10).run(seconds=1))


def test_an_unreachable_target_is_told_also_from_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_setup, "REACH_S", 0.1)
    with pytest.raises(HealthError, match="did not answer"):
        with Traffic(profile(QUICK), f"http://127.0.0.1:{free_port()}", 10).background():
            pytest.fail("there is no traffic to look at")


@pytest.mark.parametrize(("target", "rate"), [("localhost:1", 1), ("ftp://x", 1), ("http://x", 0), ("http://x", -1)])
def test_a_bad_target_or_rate_is_refused(target: str, rate: float) -> None:
    with pytest.raises(ConfigError, match="got"):
        Traffic(profile(QUICK), target, rate)


# From the command line


def start(directory: Path, url: str, *more: str, text: str = "") -> subprocess.Popen[str]:
    path = directory / "traffic.toml"
    path.write_text(text or '[[request]]\nname = "quick"\npath = "/"\n')
    command = [sys.executable, "-m", "traffic.main", "--target", url, "--profile", str(path), "--rate", "40"]
    command += ["--report", str(directory / "report.json"), *more]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_sigterm_ends_it_with_a_final_report(tmp_path: Path, blue: Backend) -> None:
    process = start(tmp_path, blue.url, "--probe", f"blue={blue.url}/")
    path = tmp_path / "report.json"

    def under_way() -> bool:
        return path.exists() and json.loads(path.read_text())["totals"]["ok"] > 20

    wait_for(under_way, "the report to be rewritten")
    assert json.loads(path.read_text())["finished"] is False
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    report = json.loads(path.read_text())
    assert report["finished"] is True
    assert f"{report['totals']['sent']} sent" in out
    assert sum(second["sent"] for second in report["series"]) == report["totals"]["sent"]
    assert report["probes"]["blue"]["good"] > 0
    assert [name for name in os.listdir(tmp_path) if name.endswith(".new")] == []


def test_the_exit_status_tells_of_loss(tmp_path: Path) -> None:
    with server(responder(b"")) as url:
        process = start(tmp_path, url, "--seconds", "0.5")
        process.communicate(timeout=120)
    assert process.returncode == 1
    assert json.loads((tmp_path / "report.json").read_text())["totals"]["lost"] == 20


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    process = start(tmp_path, "http://127.0.0.1:1", text="[[request]]\n")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert "traffic.toml: request[0].name" in err
    process = start(tmp_path, "http://127.0.0.1:1", "--probe", "nonsense")
    assert "--probe" in process.communicate(timeout=120)[1]


def test_a_report_that_cannot_be_written_ends_the_run(tmp_path: Path, blue: Backend) -> None:
    sender = Traffic(profile(QUICK), blue.url, 10, report=tmp_path / "absent" / "report.json")
    with pytest.raises(ToolError, match="cannot write"):
        asyncio.run(sender.run())
