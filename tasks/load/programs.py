"""The programs of a load test: the app of one version, and locust against it, each in a sandbox."""

import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from evidence.bundle import Run
from gates.checks.performance import NAME
from host.errors import SlipwayError, ToolError
from host.masking import masked, secret_values
from host.probe import await_healthy
from host.sandbox import run as sandbox
from host.sandbox.run import Completed
from settings.pipeline import Performance, Suite
from tasks.load.figures import run_time_s
from tasks.source.background import Background, running
from tasks.source.relays import entrance
from tasks.source.suite_services import Services, suite_services
from tasks.source.workspace import Workspace, tool_path

RECORDER = Path(__file__).with_name("recorder.py")
MIGRATION_S = 300
# Locust's own start and end, apart from the test.
LOCUST_S = 60
# How much longer than stated the load may go on until it has enough requests.
LONGER_S = 600
LONGEST_WORD = 300
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class LoadTest:
    """One load test: what is run, where, and with which variables."""

    performance: Performance
    workspace: Workspace
    run: Run
    source: Path
    services: Services

    @property
    def directory(self) -> Path:
        """Return where the app starts, and locust."""
        return self.source / self.run.directory

    @property
    def locustfile(self) -> Path:
        """Return the locustfile. Raises ToolError if the commit has none, or a link instead."""
        file = self.source / self.performance.locustfile
        if file.is_symlink() or not file.is_file() or not file.resolve().is_relative_to(self.source.resolve()):
            raise ToolError(f"the commit has no file {self.performance.locustfile}, which performance.locustfile names")
        return file

    @property
    def records(self) -> Path:
        return self.workspace.scratch(f"{NAME}-locust") / "requests.jsonl"

    def loading(self) -> "Loading":
        """Return the stated load. Requests may still take a while when the time is over: slow ones must be seen."""
        stop_s = max(5, int(2 * self.performance.max_api_p95_seconds))
        seconds, enough = run_time_s(self.performance), self.performance.min_requests
        return Loading(self.locustfile, self.source, self.directory, seconds, stop_s, enough)

    def app_environment(self) -> dict[str, str]:
        return {**self.performance.environment, **self.services.environment, "PYTHONDONTWRITEBYTECODE": "1"}

    def migrate(self) -> None:
        """Bring the empty database to the commit's schema. Raises ToolError if that fails."""
        if self.run.migrate is None:
            return
        argv = self.workspace.argv(self.run.migrate)
        services = self.services
        done = self.workspace.run(
            NAME,
            argv,
            self.app_environment(),
            MIGRATION_S,
            read_only=services.read_only,
            network=services.network,
            directory=self.run.directory,
        )
        if done.failed:
            raise ToolError(f"the migration {done.how}: {self.masked(done.output)}")

    @contextmanager
    def app(self, port: int, lifetime_s: float) -> Iterator[Background]:
        """Run the app while the block runs, and for as long under load at most."""
        words = tuple(word.replace("{port}", str(port)) for word in self.run.command)
        scratch = self.workspace.scratch(NAME)
        box = sandbox.for_check(
            self.workspace.shares,
            read_only=(self.workspace.environment, *self.services.read_only),
            writable=(self.source, scratch),
            network=self.services.network,
        )
        environment = {**_base(self.workspace.environment, scratch), **self.app_environment(), "PORT": str(port)}
        argv = self.workspace.argv(words)
        timeout_s = self.performance.startup_seconds + lifetime_s + LOCUST_S
        log = self.workspace.root / f"{NAME}-app.log"
        with running(argv, cwd=self.directory, env=environment, box=box, timeout_s=timeout_s, log=log) as app:
            yield app

    @contextmanager
    def locust(self, tools: Path, base_url: str, loading: "Loading") -> Iterator[Background]:
        """Run locust while the block runs: in an environment of ours that holds nothing of the app."""
        recorder = self.workspace.root / f"{NAME}-recorder" / "slipway_recorder.py"
        recorder.parent.mkdir(exist_ok=True)
        shutil.copyfile(RECORDER, recorder)
        shutil.copyfile(RECORDER.with_name("schedule.py"), recorder.with_name("slipway_schedule.py"))
        scratch = self.records.parent
        box = sandbox.for_check(
            self.workspace.shares,
            read_only=(tools, self.workspace.lend(recorder.parent), loading.source),
            writable=(scratch,),
            network=self.services.network,
        )
        argv = locust_command(tools, recorder, base_url, self.performance, loading)
        environment = {**_base(tools, scratch), **self.performance.environment, "SLIPWAY_REQUESTS": str(self.records)}
        environment |= {"SLIPWAY_SCHEDULE": loading.schedule, "SLIPWAY_AT_ONCE": str(loading.at_once)}
        environment |= {"SLIPWAY_SECONDS": str(loading.seconds), "SLIPWAY_ENOUGH": str(loading.enough)}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        log = self.workspace.root / f"{NAME}-locust.log"
        timeout_s = loading.timeout_s
        with running(argv, cwd=loading.directory, env=environment, box=box, timeout_s=timeout_s, log=log) as load:
            yield load

    def entrance(self, port: int) -> AbstractContextManager[Path | None]:
        """Return what gives us the way to a port of the app's network."""
        return entrance(self.workspace, NAME, self.services.network, port)

    def await_healthy(self, app: Background, base_url: str, through: Path | None) -> None:
        """Wait for the app. Raises HealthError if it ends or stays unhealthy, ToolError when the run is cancelled."""
        wait_s = self.performance.startup_seconds
        run = self.run
        await_healthy(base_url, run.health, wait_s, gone=lambda: self.gone(app), through=through, rules=run.rules)

    def follow(self, app: Background, load: Background) -> bool:
        """Wait half a second, or less when app or locust end. Return whether both still run.

        Raises AppEnded if the app did, ToolError when the run is cancelled.
        """
        done = wait([load.future, app.future], LOOK_EVERY_S, FIRST_COMPLETED).done
        if reason := self.gone(app):
            raise AppEnded(f"the app ended under the load: {reason}")
        return not done

    def gone(self, app: Background) -> str | None:
        """Return how the app ended, None while it runs. Raises ToolError if the run is cancelled."""
        if self.workspace.cancelled.is_set():
            raise ToolError("cancelled")
        ended = app.ended
        return f"it {ended.how}; it said: {self.masked(ended.output)}" if ended else None

    def check_locust(self, done: Completed) -> None:
        """Raise ToolError if locust did not end well."""
        if done.failed or done.cancelled:
            raise ToolError(f"locust {done.how}: {self.masked(done.output)}")

    def masked(self, output: str) -> str:
        """Return the last words of what was printed, without the secrets that the app was given."""
        words = " ".join(output.strip().splitlines()[-3:])
        return masked(words, secret_values(self.app_environment()))[-LONGEST_WORD:]


@dataclass(frozen=True)
class Loading:
    """How an app is asked: by the locustfile of a source tree, from a directory of it, for so many seconds, with so
    many more for what is not answered yet, and on while fewer than `enough` requests were there; always, or by a
    schedule (tasks/load/schedule.py, as words) and `at_once` at a time.
    """

    locustfile: Path
    source: Path
    directory: Path
    seconds: int
    stop_s: int
    enough: int = 0
    schedule: str = ""
    at_once: int = 1

    @property
    def longest_s(self) -> int:
        """Return how many seconds the load lasts at most."""
        return self.seconds + (LONGER_S if self.enough else 0)

    @property
    def timeout_s(self) -> float:
        return self.longest_s + self.stop_s + LOCUST_S


def locust_command(tools: Path, recorder: Path, base_url: str, performance: Performance, loading: Loading) -> list[str]:
    """Return how locust is called. `-P`: what lies in the app's folder must not stand in for a module of locust's."""
    return [
        *(str(tools / "bin" / "python"), "-P", "-m", "locust", "--headless", "--only-summary", "--loglevel", "WARNING"),
        *("-f", f"{recorder},{loading.locustfile}", "--host", base_url, "--exit-code-on-error", "0"),
        *("--users", str(performance.users), "--spawn-rate", str(performance.spawn_rate)),
        *("--run-time", f"{loading.longest_s}s", "--stop-timeout", str(loading.stop_s)),
    ]


@contextmanager
def prepared(performance: Performance, workspace: Workspace, run: Run) -> Iterator[LoadTest]:
    """Lay a version out with fresh services of its own, its database migrated by its own code, while the block runs."""
    source = workspace.check_directory(NAME)
    load_s = run_time_s(performance) + LONGER_S
    lifetime_s = MIGRATION_S + performance.startup_seconds + 2 * load_s + 2 * LOCUST_S
    needs = Suite(
        command=run.command,
        database=performance.database,
        redis=performance.redis,
        timeout_seconds=lifetime_s + performance.compare_seconds,
    )
    with suite_services(NAME, needs, workspace, shared=True) as services:
        test = LoadTest(performance, workspace, run, source, services)
        test.migrate()
        yield test


class AppEnded(SlipwayError):
    """The app ended while it was under load: that is found out, and bad."""


def _base(environment: Path, home: Path) -> dict[str, str]:
    return {"PATH": f"{environment / 'bin'}:{tool_path()}", "LANG": "C.UTF-8", "HOME": str(home)}
