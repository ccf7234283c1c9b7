"""Loaded by locust beside the app's locustfile: writes what each request took, a JSON line each, to SLIPWAY_REQUESTS.

    {"format": 1, "users": 10, "spawn_rate": 5.0, "run_time": 15, "runner": "LocalRunner"}
    [1764000000.1, "GET", "/api/tasks", 12.3, true]       Unix time of its start, method, name, milliseconds, good
    {"requests": 1, "users": 10, "started_at": 1764000000.0, "full_load_at": 1764000002.0, "stopped_at": 1764000015.0,
     "user_errors": 0, "first_user_error": "", "first_failure": ""}                           one line, the last

The last line is missing when locust did not come to its end. Runs in locust's environment: no module of ours is there,
but for the schedule that lies beside this file.

The load lasts SLIPWAY_SECONDS. It lasts longer where the users came later than they should, so that all of them ask for
as long as stated, and while fewer than SLIPWAY_ENOUGH requests have ended; then it ends when no request ended for as
long again (10 s at least): more time would bring nothing. Locust's run time is the most. With SLIPWAY_ENOUGH 0 it lasts
for that.

With SLIPWAY_SCHEDULE the users ask only in the windows of their side: what would begin outside of them, waits for the
next one. They hardly rest, and SLIPWAY_AT_ONCE of them ask at a time: what a request took is then its own work, and not
what it waited for others, which is mostly chance. Each line is written at once, and the time of a request's start is
that of the monotonic clock.
"""

import importlib.util
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust import TaskSet, events
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

MOST_NAMES = 200
LONGEST_TEXT = 200
# How many times as short users rest as their locustfile says, with a schedule.
HASTE = 10
# A request that takes longer does not keep the others from asking: it may be a stream.
LONG_S = 0.5
# How long no request must have ended until it is believed that none will.
LEAST_WAIT_S = 10


def read_schedule(words: str) -> Any:
    """Return the side and its schedule."""
    file = Path(__file__).with_name("slipway_schedule.py")
    spec = importlib.util.spec_from_file_location("slipway_schedule", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.read_schedule(words)


class Recorder:
    """Writes lines as things happen; what cannot be told apart any more (too many names) is put together."""

    def __init__(self, path: str, schedule: str = "", at_once: int = 1, seconds: int = 0, enough: int = 0) -> None:
        self.seconds = seconds
        self.enough = enough
        self.are_enough = Event()
        self.are_there = Event()
        self.turns = BoundedSemaphore(at_once)
        self.side = ""
        self.schedule: Any = None
        if schedule:
            self.side, self.schedule = read_schedule(schedule)
        self.file = open(path, "w", encoding="utf-8", buffering=1 if schedule else 1 << 16)
        self.names: set[str] = set()
        self.requests = 0
        self.user_errors = 0
        self.first_user_error = ""
        self.first_failure = ""
        self.users = 0
        self.started_at = self.full_load_at = self.stopped_at = 0.0
        self.patience_s = 0.0

    def write(self, line: object) -> None:
        self.file.write(json.dumps(line) + "\n")

    def start(self, environment: Any, runner: Any, **_: Any) -> None:
        # The run time is counted from here. gevent's clock still stands where the loop last ran, before the imports:
        # as it is, the run would be shorter by what they took.
        gevent.get_hub().loop.update_now()
        self.started_at = time.time()
        environment.shape_class = None  # users and ramp are ours to say
        self.patience_s = environment.stop_timeout or 0.0
        asked = environment.parsed_options
        self.write(
            {
                "format": 1,
                "users": asked.num_users,
                "spawn_rate": asked.spawn_rate,
                "run_time": asked.run_time,
                "runner": type(runner).__name__,
            }
        )
        if self.enough:
            gevent.spawn(self.end_in_time, runner, asked.num_users / asked.spawn_rate)

    def end_in_time(self, runner: Any, ramp_s: float) -> None:
        """End the load after its seconds; later when users came late, or when there are too few requests yet, and more
        keep coming.
        """
        began_s = time.monotonic()
        if ramp_s < self.seconds:  # else the stated time never has all the users, and that is told
            self.are_there.wait()
        late_s = max(0.0, time.monotonic() - began_s - ramp_s)
        gevent.sleep(max(0.0, began_s + self.seconds + late_s - time.monotonic()))
        seen = -1
        while seen < self.requests < self.enough:
            seen = self.requests
            self.are_enough.wait(max(self.seconds, LEAST_WAIT_S))
        runner.quit()

    def all_there(self, **_: Any) -> None:
        self.full_load_at = time.time()
        self.are_there.set()

    def stopping(self, environment: Any, **_: Any) -> None:
        if self.stopped_at:  # a locustfile may stop it too, and again
            return
        self.stopped_at = time.time()
        self.users = environment.runner.user_count  # a user whose start raised is gone by now

    def request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        exception: Any,
        start_time: float | None = None,
        **_: Any,
    ) -> None:
        started = start_time if start_time is not None else time.time() - response_time / 1000
        if exception and not self.first_failure:
            self.first_failure = f"{request_type} {name}: {exception}"[:LONGEST_TEXT]
        self.count(started, str(request_type), str(name), response_time, not exception)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn in a window of this side, when there is a schedule, and keep it while the block runs."""
        if not self.schedule:
            yield
            return
        self.turns.acquire()
        held = [True]

        def give_back() -> None:
            if held:
                held.pop()
                self.turns.release()

        try:
            while wait_s := self.schedule.wait_s(self.side, time.monotonic()):
                gevent.sleep(wait_s)
            late = gevent.spawn_later(LONG_S, give_back)
            try:
                yield
            finally:
                late.kill(block=False)
        finally:
            give_back()

    def count(self, started: float, method: str, name: str, milliseconds: float, good: bool) -> None:
        name = name[:LONGEST_TEXT]
        if name not in self.names and len(self.names) >= MOST_NAMES:
            name = "(others)"
        self.names.add(name)
        self.requests += 1
        if self.requests >= self.enough:
            self.are_enough.set()
        if self.schedule:
            started += time.monotonic() - time.time()
        self.write([started, method[:20], name, milliseconds, good])

    def unfinished(self, method: Any, name: Any, started: float) -> None:
        """Count a request that locust cut off after its patience was over. Earlier it only ends users that wait for
        their next turn, and one that begins it in this very moment says nothing about the app.
        """
        if not self.stopped_at or time.time() - self.stopped_at < self.patience_s:
            return
        self.first_failure = self.first_failure or f"{method} {name}: not answered when the test ended"[:LONGEST_TEXT]
        self.count(started, str(method), str(name), (time.time() - started) * 1000, False)

    def user_error(self, exception: BaseException, **_: Any) -> None:
        self.user_errors += 1
        self.first_user_error = self.first_user_error or f"{type(exception).__name__}: {exception}"[:LONGEST_TEXT]

    def end(self, **_: Any) -> None:
        self.write(
            {
                "requests": self.requests,
                "users": self.users,
                "started_at": self.started_at,
                "full_load_at": self.full_load_at,
                "stopped_at": self.stopped_at,
                "user_errors": self.user_errors,
                "first_user_error": self.first_user_error,
                "first_failure": self.first_failure,
            }
        )
        self.file.close()


def follow(recorder: Recorder, session: Any) -> None:
    """Have a client keep to the schedule, and tell of requests that were still waiting when locust ended its users: it
    reports none itself, and an app that hangs would look like one that was asked little.
    """
    original = session.request

    def request(self: Any, method: Any, url: Any, name: Any = None, *arguments: Any, **words: Any) -> Any:
        with recorder.turn():
            started = time.time()
            try:
                return original(self, method, url, name, *arguments, **words)
            except gevent.GreenletExit:
                recorder.unfinished(method, name or url, started)
                raise

    session.request = request


def hasten() -> None:
    """Have users hardly rest: they wait for their turns, and more requests tell more in less time."""
    original = TaskSet._sleep

    def sleep(self: Any, seconds: float) -> None:
        original(self, seconds / HASTE)

    TaskSet._sleep = sleep


def install() -> None:
    given = os.environ
    schedule, at_once = given.get("SLIPWAY_SCHEDULE", ""), int(given.get("SLIPWAY_AT_ONCE", "1"))
    seconds, enough = int(given.get("SLIPWAY_SECONDS", "0")), int(given.get("SLIPWAY_ENOUGH", "0"))
    recorder = Recorder(given["SLIPWAY_REQUESTS"], schedule, at_once, seconds, enough)
    if schedule:
        hasten()
    for session in (HttpSession, FastHttpSession):
        follow(recorder, session)
    events.init.add_listener(recorder.start)
    events.test_stopping.add_listener(recorder.stopping)
    events.spawning_complete.add_listener(recorder.all_there)
    events.request.add_listener(recorder.request)
    events.user_error.add_listener(recorder.user_error)
    events.quit.add_listener(recorder.end)


install()
