"""Open-loop traffic that counts what is lost: `python -m traffic.main --target URL --profile FILE --rate 40`.

Requests arrive at the stated rate, whatever became of those before, and their latency counts from when they were due.
With --hold-back N arrivals pause while N are under way, and the report says for how long: a host that cannot carry the
rate is not drowned in it.
The report is rewritten every second. Ends after --seconds, or at SIGTERM or SIGINT; exits with 0 when nothing was lost
and everything was sent, 1 when not, 2 when it could not start.
"""

import argparse
import asyncio
import math
import os
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from host.errors import ConfigError, SlipwayError
from traffic import profile as traffic_profile
from traffic.clients import Clients
from traffic.probe import Probe
from traffic.profile import Profile, Request, SlowBody
from traffic.setup import set_up
from traffic.streams import keep_open
from traffic.tally import StreamCounts, Tally, write_report

# As long as a patient user waits, and far beyond what a busy host takes: slow is not lost.
REQUEST_TIMEOUT_S = 120.0
IN_FLIGHT_LIMIT = 2_000
REPORT_INTERVAL_S = 1.0
SHORTEST_PAUSE_S = 0.005
# How long after `stop` answers are waited for; below the 10 s after which a supervisor kills.
LAST_ANSWERS_S = 8.0
PRIORITY = -10


class Traffic:
    """One run of a profile against `target` (http://host:port) at `rate` arrivals a second. `probes`: name -> URL.

    `run` it in an event loop, or let `background` do so in a thread.
    """

    def __init__(
        self,
        profile: Profile,
        target: str,
        rate: float,
        report: Path | None = None,
        probes: Mapping[str, str] | None = None,
        in_flight_limit: int = IN_FLIGHT_LIMIT,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        last_answers_s: float = LAST_ANSWERS_S,
        hold_back: int | None = None,
    ) -> None:
        if urlsplit(target).scheme not in ("http", "https") or not urlsplit(target).hostname:
            raise ConfigError(f"traffic: target: got {target!r}, expected http://HOST:PORT")
        if not 0 < rate <= 10_000:
            raise ConfigError(f"traffic: rate: got {rate:g}, expected requests per second in (0, 10000]")
        if hold_back is not None and not 0 < hold_back <= in_flight_limit:
            raise ConfigError(f"traffic: hold back: got {hold_back}, expected requests in [1, {in_flight_limit}]")
        self.profile = profile
        self.target = target.rstrip("/")
        self.rate = rate
        self.started = threading.Event()
        self._report_path = report
        self._in_flight_limit = in_flight_limit
        self._hold_back = hold_back or math.inf
        self._timeout_s = request_timeout_s
        self._last_answers_s = last_answers_s
        self._probes = {name: Probe(url, request_timeout_s) for name, url in (probes or {}).items()}
        self._tally = Tally()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._stopping = False
        self._finished = False

    def stop(self) -> None:
        """End the run soon: no more arrivals, then up to `last_answers_s` for what is under way. From any thread or a
        signal.
        """
        self._stopping = True

    def report(self) -> dict[str, Any]:
        """Return all figures so far."""
        return {
            "target": self.target,
            "rate": self.rate,
            "finished": self._finished,
            **self._tally.report(),
            "probes": {name: probe.report() for name, probe in self._probes.items()},
        }

    async def run(self, seconds: float | None = None) -> dict[str, Any]:
        """Set up, send for `seconds` (None: until `stop`), wait for the last answers, and return the report.

        Raises HealthError if the target does not answer for 10 s or refuses the set-up.
        """
        try:
            return await self._run(seconds)
        except BaseExceptionGroup as group:
            raise _first(group) from None

    async def _run(self, seconds: float | None) -> dict[str, Any]:
        async with Clients(self.target) as clients:
            async with clients.one() as client:
                values = await set_up(client, self.profile, self.target)
            requests = [traffic_profile.fill_entry(entry, values) for entry in self.profile.request]
            streams = [traffic_profile.fill_entry(entry, values) for entry in self.profile.stream]
            self._tally.started_at = time.time()
            self._tally.streams.update({entry.name: StreamCounts(entry.kind, entry.connections) for entry in streams})
            self.started.set()
            async with asyncio.TaskGroup() as group:
                probes = {group.create_task(probe.run()) for probe in self._probes.values()}
                beside = [*probes, group.create_task(self._write_reports())]
                for entry in streams:
                    lives = [keep_open(entry, self.target, self._tally) for _ in range(entry.connections)]
                    beside += [group.create_task(life) for life in lives]
                await self._arrivals(clients, requests, seconds)
                for probe in self._probes.values():
                    probe.stop()
                await self._last_answers(probes)
                for task in beside:
                    task.cancel()
        if self._failure is not None:
            raise self._failure
        self._finished = True
        self._write_report()
        return self.report()

    @contextmanager
    def background(self) -> Iterator[Self]:
        """Run in a thread of this process while the block runs; raises here what goes wrong there."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                asyncio.run(self.run())
            except BaseException as error:
                failures.append(error)
            finally:
                self.started.set()

        thread = threading.Thread(target=work, name="traffic")
        thread.start()
        try:
            self.started.wait()
            if not failures:
                yield self
        finally:
            self.stop()
            thread.join()
        if failures:
            raise failures[0]

    async def _arrivals(self, clients: Clients, requests: list[Request], seconds: float | None) -> None:
        """Start a request whenever one is due by the clock; none that is due before the end is left out.

        While as many are under way as are held back for, the clock of arrivals stands.
        """
        loop = asyncio.get_running_loop()
        start, number = loop.time(), 0
        end = math.inf if seconds is None else start + seconds
        # The mix is the same in every run; which request meets which moment is not.
        draw = random.Random(0)  # nosec B311  # a mix of requests, nothing secret
        weights = [entry.weight for entry in requests]
        while True:
            stopping, now = self._stopping, loop.time()
            while (due := start + number / self.rate) <= now and due < end and len(self._in_flight) < self._hold_back:
                number += 1
                if requests:
                    self._arrive(clients, draw.choices(requests, weights)[0], due)
            if stopping or due >= end:
                return
            if due <= now:
                self._tally.held_back_s += now - due
                start += now - due
            await asyncio.sleep(min(max(due - now, SHORTEST_PAUSE_S), 0.1))

    def _arrive(self, clients: Clients, request: Request, due: float) -> None:
        if len(self._in_flight) >= self._in_flight_limit:
            self._tally.not_sent(request.name)
            return
        self._tally.sent(request.name)
        task = asyncio.create_task(self._send(clients, request, due))
        self._in_flight.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A mistake of ours: a request without a class would make the figures wrong, so the run fails.
            self._failure = task.exception()
            self.stop()

    async def _send(self, clients: Clients, request: Request, due: float) -> None:
        """Send one request and class what became of it."""
        started_at = time.time()
        self._tally.lateness.add(asyncio.get_running_loop().time() - due)
        try:
            async with asyncio.timeout(self._timeout_s), clients.one() as client:
                answer = await client.request(
                    request.method,
                    request.path,
                    headers=_headers(request),
                    json=request.body,
                    content=_content(request),
                )
        except TimeoutError:
            self._tally.lost(request.name, f"no complete answer within {self._timeout_s:g} s", started_at)
        except httpx.HTTPError as error:
            self._tally.lost(request.name, f"{type(error).__name__}: {error}", started_at)
        except asyncio.CancelledError:
            self._tally.abandoned(request.name)
            raise
        else:
            latency_s = asyncio.get_running_loop().time() - due
            self._tally.answered(request.name, answer.status_code, answer.headers, started_at, latency_s)

    async def _last_answers(self, probes: set[asyncio.Task[None]]) -> None:
        """Wait for what is under way; what is left `last_answers_s` after `stop` is abandoned."""
        until = time.monotonic() + self._last_answers_s
        while left := {task for task in self._in_flight | probes if not task.done()}:
            if self._stopping and time.monotonic() > until:
                break
            await asyncio.wait(left, timeout=0.1)
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)

    async def _write_reports(self) -> None:
        while True:
            self._write_report()
            await asyncio.sleep(REPORT_INTERVAL_S)

    def _write_report(self) -> None:
        if self._report_path is not None:
            write_report(self._report_path, self.report())


def _headers(request: Request) -> dict[str, str]:
    text = request.text is not None or request.slow_body is not None
    return {"content-type": "text/plain", **request.headers} if text else request.headers


def _content(request: Request) -> str | AsyncIterator[bytes] | None:
    return request.text if request.slow_body is None else _slowly(request.slow_body)


async def _slowly(body: SlowBody) -> AsyncIterator[bytes]:
    line = b"a" * (body.chunk_bytes - 1) + b"\n"
    for number in range(body.chunks):
        if number:
            await asyncio.sleep(body.interval_s)
        yield line


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m traffic.main", description="open-loop traffic")
    parser.add_argument("--target", required=True, help="http://HOST:PORT")
    parser.add_argument("--profile", required=True, type=Path, help="TOML file")
    parser.add_argument("--rate", required=True, type=float, help="arrivals per second")
    parser.add_argument("--report", type=Path, help="JSON file, rewritten every second")
    parser.add_argument("--seconds", type=float, help="default: until SIGTERM")
    parser.add_argument(
        "--last-answers", type=float, default=LAST_ANSWERS_S, metavar="SECONDS", help="waited for them after SIGTERM"
    )
    parser.add_argument("--hold-back", type=int, metavar="N", help="no arrivals while N requests are under way")
    parser.add_argument("--probe", action="append", default=[], metavar="NAME=URL", help="asked every 100 ms")
    return parser.parse_args(arguments)


def _probes(pairs: list[str]) -> dict[str, str]:
    probes = {}
    for pair in pairs:
        name, _, url = pair.partition("=")
        if not name or not url.startswith(("http://", "https://")):
            raise ConfigError(f"traffic: --probe: got {pair!r}, expected NAME=http://HOST:PORT/PATH")
        probes[name] = url
    return probes


def _come_first() -> None:
    """Let this process run before others, where it may: one that waits for the processor measures its own waiting."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


async def _main(options: argparse.Namespace) -> int:
    _come_first()
    profile = traffic_profile.load(options.profile)
    traffic = Traffic(
        profile,
        options.target,
        options.rate,
        options.report,
        _probes(options.probe),
        last_answers_s=options.last_answers,
        hold_back=options.hold_back,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, traffic.stop)
    report = await traffic.run(options.seconds)
    totals = {name: report["totals"][name] for name in ("sent", "ok", "app_error", "lost", "not_sent", "abandoned")}
    print("traffic: " + ", ".join(f"{count} {name}" for name, count in totals.items()))
    return 0 if report["clean"] else 1


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line and return the exit status."""
    try:
        return asyncio.run(_main(_parse(sys.argv[1:] if arguments is None else arguments)))
    except SlipwayError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
