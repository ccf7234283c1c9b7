"""Real locust against a real app in the sandbox: every limit broken alone, every way to see nothing."""

import re
import shutil
import socket
import sys
import tarfile
import tempfile
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partialmethod
from pathlib import Path

import psutil
import pytest

from control.plane import Control
from evidence.bundle import Run
from evidence.history import Record
from gates.check import Check, Outcome
from gates.checks.load_pairs import REGRESSION
from gates.checks.performance import API_P95, CPU, ERRORS, MEMORY, QUERY_P95
from host.home import Home
from host.sandbox.run import Isolation, available
from settings.pipeline import Performance
from tasks.checks.base_version import NoBase
from tasks.load.figures import trend_data
from tasks.load.pairs import OldVersion
from tasks.load.programs import LONGER_S
from tasks.load.run import run_load
from tasks.source.dependencies import own_tools
from tasks.source.git import Source
from tasks.source.workspace import Looked, Workspace
from tests.waiting import wait_for

APP = Path(__file__).with_name("load_app.py")
RUN = Run(command=("python", "app.py", "{port}"), health=("/health",))
LOCUSTFILE = """
from locust import HttpUser, LoadTestShape, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def work(self):
        self.client.get("/work")

class TheirOwnRamp(LoadTestShape):
    def tick(self):
        return (1, 1) if self.get_run_time() < 1 else None
"""
ONE_AT_A_TIME = """
from locust import HttpUser, task

class Visitor(HttpUser):
    @task
    def work(self):
        self.client.get("/work")
"""
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module", autouse=True)
def _load_environment() -> None:
    own_tools("load")


@pytest.fixture(autouse=True)
def _a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else runs here: these tests are about the app."""
    monkeypatch.setattr("gates.checks.contention.MOST_WAITING", 1.0)


@dataclass
class Lab:
    """Runs a load test of an app made for it, and finds what it left behind by a mark in the environment."""

    directory: Path
    mark: str

    def run(
        self,
        mode: str = "healthy",
        locustfile: str = LOCUSTFILE,
        run: Run = RUN,
        base: str = "",
        earlier: tuple[Record, ...] = (),
        cancelled: threading.Event | None = None,
        **settings: object,
    ) -> Looked:
        """Test the app in a mode, against the same app in the mode `base` ("": there is no base)."""
        workspace = self.workspace(mode, locustfile, cancelled or threading.Event(), run.directory)
        old = (
            OldVersion("v1", run, self.workspace(base, "", workspace.cancelled)) if base else NoBase("nothing is live")
        )
        environment = {"LOAD_SECRET": SECRET, "LOAD_MARK": self.mark}
        performance = Performance.model_validate(
            {
                "locustfile": "load tests/locustfile.py",
                "users": 5,
                "spawn_rate": 50,
                "duration_seconds": 3,
                "min_requests": 20,
                "max_api_p95_seconds": 60,
                "query_metric": "db_seconds",
                "environment": environment,
                **settings,
            }
        )
        return run_load.fn(performance, workspace, run, lambda: old, earlier)

    def workspace(self, mode: str, locustfile: str, cancelled: threading.Event, directory: str = ".") -> Workspace:
        """Return a workspace with a version of the app, in a directory, that runs in the mode."""
        root = self.directory / uuid.uuid4().hex[:8]
        (root / "tree" / "load tests").mkdir(parents=True)
        (root / "tree" / directory).mkdir(exist_ok=True)
        shutil.copy(APP, root / "tree" / directory / "app.py")
        (root / "tree" / directory / "mode").write_text(mode)
        if locustfile:
            (root / "tree" / "load tests" / "locustfile.py").write_text(locustfile)
        with tarfile.open(root / "source.tar", "w") as archive:
            archive.add(root / "tree", ".")
        source = Source("0" * 40, "1", "main", (), root / "source.tar")
        return Workspace(root, source, Path(sys.prefix), cancelled)

    def left(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("LOAD_MARK") == self.mark:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, uuid.uuid4().hex)
    yield made
    assert made.left() == []


def broken(check: Check) -> list[str]:
    return [one.name for one in check.measures if one.holds is False]


def test_a_healthy_app_passes_with_every_figure(lab: Lab) -> None:
    looked = lab.run(duration_seconds=3)
    check = looked.check
    assert check.outcome is Outcome.PASSED, check.reason
    values = {one.name: one.value for one in check.measures}
    assert set(values) == {API_P95, QUERY_P95, MEMORY, CPU, ERRORS}
    assert values[ERRORS] == 0
    assert 0 < (values[QUERY_P95] or 0) <= 0.01
    assert 5 < (values[MEMORY] or 0) < 200
    assert "by 5 users" in check.examined
    assert looked.files["plot"].read_bytes().startswith(b"\x89PNG")
    assert looked.files["plot"].stat().st_size < 200_000
    page = looked.files["page"].read_text()
    assert "data:image/png;base64," in page and "GET /work" in page
    assert SECRET not in page


def test_the_load_goes_on_until_there_are_enough_requests(lab: Lab) -> None:
    """One user, whose requests take 0.1 s each: in the stated second there are not more than 10 of them."""
    looked = lab.run("slow by half", locustfile=ONE_AT_A_TIME, users=1, duration_seconds=1, min_requests=40)
    assert looked.check.outcome is Outcome.PASSED, looked.check
    assert 40 <= int(looked.check.examined.split()[0]) <= 45, looked.check.examined
    assert any("the load went on for" in note for note in looked.check.notes), looked.check.notes


def test_a_load_that_brings_nothing_more_is_not_waited_for(lab: Lab) -> None:
    """Twenty requests are answered, and then none: it ends at most 10 s after each, and never by its longest time."""
    check = lab.run("hang", min_requests=1000, duration_seconds=2, max_api_p95_seconds=1).check
    assert check.outcome is Outcome.NO_VERDICT
    assert "25 requests, need 1000 to judge" in check.reason
    (lasted,) = [match[1] for note in check.notes if (match := re.match(r"the load went on for (\d+) s", note))]
    assert int(lasted) < LONGER_S


def test_a_ramp_that_is_longer_than_the_load_is_not_the_stated_load(lab: Lab) -> None:
    check = lab.run(users=2, spawn_rate=0.01, duration_seconds=2).check
    assert check.outcome is Outcome.NO_VERDICT
    assert "of 2 users were there: not the stated load" in check.reason


REACHING = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), 5)
except ConnectionRefusedError:
    pass
"""


@pytest.mark.skipif(available() is not Isolation.NAMESPACES, reason="promised with namespaces only")
def test_the_locustfile_reaches_the_app_and_nothing_of_the_host(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        reaching = REACHING.format(port=canary.getsockname()[1])
        assert "by 5 users" in lab.run(locustfile=reaching + LOCUSTFILE, duration_seconds=1).check.examined
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_a_disturbed_look_that_nobody_can_repeat_is_inconclusive(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gates.checks.contention.MOST_WAITING", -1.0)
    check = lab.run("slow", compare_seconds=0, max_api_p95_seconds=0.3, users=25).check
    assert check.outcome is Outcome.NO_VERDICT, check
    assert check.reason.startswith("inconclusive: API p95") and "start ci again" in check.reason


@pytest.mark.parametrize(("second", "outcome"), [("slow queries", Outcome.FAILED), ("healthy", Outcome.PASSED)])
def test_the_quiet_second_look_counts(lab: Lab, monkeypatch: pytest.MonkeyPatch, second: str, outcome: Outcome) -> None:
    """Others leave off after the first look; in the second the app is slow by its own figures, or is not."""
    monkeypatch.setattr("gates.checks.contention.MOST_WAITING", -1.0)

    def others_leave_off(limit_s: float, cancelled: threading.Event) -> bool:
        monkeypatch.setattr("gates.checks.contention.MOST_WAITING", 1.0)
        monkeypatch.setattr("tasks.source.workspace.Source.lay_out", partialmethod(lay_out_as, second))
        return True

    monkeypatch.setattr("tasks.load.run.await_quiet", others_leave_off)
    check = lab.run("slow queries").check
    assert check.outcome is outcome, check


LAY_OUT = Source.lay_out


def lay_out_as(source: Source, mode: str, directory: Path, owner: int, only: Collection[str] = ()) -> Path:
    LAY_OUT(source, directory, owner, only)
    (directory / "mode").write_text(mode)
    return directory


def test_slower_than_the_base_fails_and_as_fast_does_not(lab: Lab) -> None:
    asked: dict[str, object] = {"users": 25, "duration_seconds": 2, "compare_seconds": 170}
    slow = lab.run("slow", base="slow by half", **asked)
    assert slow.check.outcome is Outcome.FAILED, slow.check
    assert broken(slow.check)[0] == REGRESSION and "slower, by more than 25 %" in slow.check.notes[0]
    assert "times as long as v1" in slow.files["page"].read_text() and "comparison" in slow.files
    fast = lab.run("slow by half", base="slow", **asked)
    assert fast.check.outcome is Outcome.PASSED, fast.check
    assert [one.holds for one in fast.check.measures if one.name == REGRESSION] == [True]


@pytest.mark.parametrize(
    ("base", "seconds", "reason"),
    [
        ("", 20, "not applicable: nothing is live"),
        ("healthy", 0, "not applicable: performance.compare_seconds is 0"),
        ("exit", 20, "not applicable: v1: "),
        ("die", 20, "not applicable: v1: the app ended under the load: it ended with 3"),
        ("errors", 20, "not applicable: v1 answered "),
    ],
)
def test_a_base_that_cannot_be_asked_is_no_reason_to_fail(lab: Lab, base: str, seconds: int, reason: str) -> None:
    looked = lab.run(base=base, duration_seconds=6, compare_seconds=seconds)
    assert looked.check.outcome is Outcome.PASSED, looked.check
    assert reason in looked.check.notes[0]
    assert REGRESSION not in {one.name for one in looked.check.measures}
    assert "comparison" in looked.files and SECRET not in str(looked.check)


def test_too_little_time_to_compare_is_inconclusive_and_not_remembered(lab: Lab) -> None:
    looked = lab.run(base="healthy", duration_seconds=6, compare_seconds=3)
    assert looked.check.outcome is Outcome.PASSED, looked.check
    assert "inconclusive" in looked.check.notes[0]
    assert "comparison" not in looked.files


def test_an_earlier_run_is_in_the_picture_only(lab: Lab) -> None:
    first = lab.run(duration_seconds=6)
    record = Record("load", "main", "0" * 40, "run", datetime.now(UTC), trend_data(first.files["trend"]))
    assert lab.run("slow by half", earlier=(record,), duration_seconds=6).check.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("mode", "settings", "name"),
    [
        ("slow", {"max_api_p95_seconds": 0.3, "users": 25}, API_P95),
        ("slow queries", {}, QUERY_P95),
        ("hog", {"max_memory_mb": 200}, MEMORY),
        ("busy", {"max_cpu_percent": 2, "cpu_cores": 2, "users": 10, "duration_seconds": 5}, CPU),
        ("errors", {}, ERRORS),
    ],
)
def test_each_limit_is_broken_alone(lab: Lab, mode: str, settings: dict[str, object], name: str) -> None:
    check = lab.run(mode, **settings).check
    assert (check.outcome, broken(check)) == (Outcome.FAILED, [name]), check
    assert name in check.reason


def test_requests_that_are_never_answered_count_as_slow_and_failed(lab: Lab) -> None:
    check = lab.run("hang", max_api_p95_seconds=1).check
    assert check.outcome is Outcome.FAILED
    assert broken(check) == [API_P95, ERRORS]
    assert "not answered when the test ended" in check.reason


def test_an_app_that_ends_under_the_load_fails_and_its_secrets_are_not_told(lab: Lab) -> None:
    check = lab.run("die").check
    assert check.outcome is Outcome.FAILED
    assert "ended under the load" in check.reason and "it ended with 3" in check.reason
    assert "password is ***" in check.reason


def test_daemons_of_the_app_are_ended(lab: Lab) -> None:
    assert "requests by 5 users" in lab.run("fork", duration_seconds=1).check.examined
    assert lab.left() == []


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("sick", "not healthy after 5 s: /health answered 503"),
        ("exit", "the new process is gone: it ended with 1; it said: no, not today"),
    ],
)
def test_an_app_that_does_not_get_healthy_is_no_verdict(lab: Lab, mode: str, reason: str) -> None:
    check = lab.run(mode, startup_seconds=5 if mode == "sick" else 20).check
    assert check.outcome is Outcome.NO_VERDICT
    assert reason in check.reason


@pytest.mark.parametrize(
    ("mode", "metric", "reason"),
    [
        ("no metrics", "db_seconds", "/metrics answered 404"),
        ("bad metrics", "db_seconds", "not Prometheus' text format"),
        ("healthy", "no_such_metric", "the app's metrics have no histogram no_such_metric"),
    ],
)
def test_a_query_time_that_cannot_be_read_is_no_verdict(lab: Lab, mode: str, metric: str, reason: str) -> None:
    check = lab.run(mode, query_metric=metric, users=10).check
    assert check.outcome is Outcome.NO_VERDICT, check
    assert check.reason.startswith("query p95 could not be measured") and reason in check.reason


VISITOR = "from locust import HttpUser, constant, task\nimport os, time, atexit\nclass Visitor(HttpUser):\n"
VISITOR += "    wait_time = constant(0.05)\n"
WORK = "    @task\n    def work(self):\n        self.client.get('/work')\n"


@pytest.mark.parametrize(
    ("locustfile", "reason"),
    [
        pytest.param("", "the commit has no file load tests/locustfile.py", id="missing"),
        pytest.param("raise RuntimeError('broken')", "RuntimeError: broken", id="crashes"),
        pytest.param("x = 1", "locust ended with ", id="no user"),
        pytest.param(
            VISITOR + "    @task\n    def work(self):\n        pass\n", "0 requests, need 20", id="no request"
        ),
        pytest.param(
            VISITOR + WORK + "        raise KeyError('id')\n", "the locustfile raised", id="raises after each request"
        ),
        pytest.param(
            VISITOR + "    made = []\n    def on_start(self):\n        self.made.append(1)\n"
            "        if len(self.made) == 1:\n            self.environment.runner.target_user_classes_count\n"
            "            from locust.exception import StopUser\n            raise StopUser()\n" + WORK,
            "only 4 of 5 users were there",
            id="a user leaves",
        ),
        pytest.param(
            VISITOR + WORK + "os_file = os.environ['SLIPWAY_REQUESTS']\n"
            "atexit.register(lambda: open(os_file, 'w').write('garbage'))\n",
            "cut short or damaged near line 1",
            id="writes garbage",
        ),
        pytest.param(
            VISITOR + WORK + "atexit.register(lambda: os.unlink(os.environ['SLIPWAY_REQUESTS']))\n",
            "record of its requests is not there",
            id="takes the record away",
        ),
        pytest.param(
            VISITOR + WORK + "        if self.environment.runner.stats.num_requests > 5:\n            os._exit(0)\n",
            "cut short or damaged",
            id="exits 0 in the middle",
        ),
        pytest.param(
            VISITOR + WORK + "        if self.environment.runner.stats.num_requests > 5:\n"
            "            self.environment.runner.quit()\n",
            "the load ended after",
            id="ends the test early",
        ),
    ],
)
def test_a_locustfile_that_makes_no_load_is_no_verdict(lab: Lab, locustfile: str, reason: str) -> None:
    check = lab.run(locustfile=locustfile).check
    assert check.outcome is Outcome.NO_VERDICT, check
    assert reason in check.reason


@pytest.fixture
def installation_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home with a supervisor, for its database; what costs time to make is the checkout's."""
    home = Home(Path(tempfile.mkdtemp(prefix="slipway-load-")))
    kept = Home.find().cache
    home.create()
    home.cache.rmdir()
    home.cache.symlink_to(kept)
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    control = Control(home)
    control.supervisor.up()
    try:
        yield home
    finally:
        control.supervisor.down()
        shutil.rmtree(home.root, ignore_errors=True)


def test_app_and_locust_start_in_the_folder_of_the_app(lab: Lab) -> None:
    run = RUN.model_copy(update={"directory": "backend"})
    check = lab.run(locustfile=f"open('mode')\n{LOCUSTFILE}", run=run, users=2, duration_seconds=2).check
    assert "requests by 2 users" in check.examined, check


MIGRATION = (
    "import os, psycopg; u = os.environ['DATABASE_URL'].replace('+psycopg', ''); "
    "psycopg.connect(u, autocommit=True).execute('CREATE TABLE made_by_migration (a int)')"
)


def test_the_app_gets_a_migrated_database_and_a_redis_of_its_own(lab: Lab, installation_home: Home) -> None:
    migrated = RUN.model_copy(update={"migrate": ("python", "-c", MIGRATION)})
    for _ in range(2):  # the second finds no table of the first
        check = lab.run("database", run=migrated, database=True, redis=True, users=2).check
        assert check.outcome in (Outcome.PASSED, Outcome.NO_VERDICT)
        assert "requests by 2 users" in check.examined, check
    failing = RUN.model_copy(update={"migrate": ("python", "-c", "raise SystemExit('no such table')")})
    check = lab.run("database", run=failing, database=True).check
    assert (check.outcome, check.reason) == (
        Outcome.NO_VERDICT,
        "the migration ended with 1: no such table",
    )


def test_a_cancelled_run_ends_app_and_locust(lab: Lab) -> None:
    """Cancelled as soon as the app is there; the test would have gone on for ten minutes."""
    cancelled = threading.Event()

    def cancel_when_there() -> None:
        try:
            wait_for(lambda: any("locust" in " ".join(one.cmdline()) for one in lab.left()), "locust runs")
        finally:
            cancelled.set()

    watcher = threading.Thread(target=cancel_when_there)
    watcher.start()
    check = lab.run(duration_seconds=600, cancelled=cancelled).check
    watcher.join()
    assert (check.outcome, check.reason) == (Outcome.NO_VERDICT, "cancelled")
    assert lab.left() == []


def test_contention_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: Callable[[], tuple[float, float, float]] = lambda: (99.0, 99.0, 99.0)  # noqa: E731
    monkeypatch.setattr("os.getloadavg", loads)
    check = lab.run(duration_seconds=1, users=2).check
    assert any("the machine was busy before: load average 99.00" in note for note in check.notes)
