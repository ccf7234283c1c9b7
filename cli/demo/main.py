"""`slipway demo`: from a commit to production and back, with traffic, on this machine."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import runs
from cli.demo.story import Story, make_repository, read_story
from cli.demo.table import MOST_UNDER_WAY, Row, expectations, print_table
from cli.demo.warm import needed, warming
from cli.down import stop, stop_environments
from cli.progress import Board
from cli.runtime import choose_runtime
from cli.screen import console, say
from cli.up import start
from control.plane import Control
from control.prefect_api import PrefectApi
from control.server_process import prefect
from deployments.environment import Environment
from deployments.runtimes.compose.projects import remove_everything
from evidence.check_report import read_report
from evidence.statements import Kind
from host.docker.labels import owner
from host.errors import ConfigError, ToolError
from host.home import CHECKOUT, Home
from host.sandbox.run import Isolation, available
from host.supervisor.program import Program
from host.wait import wait_for
from settings.hosts import all_pools, pools, server_url
from settings.pipeline import read_pipeline
from settings.targets import Target

TRAFFIC = "demo-traffic"
LAST_ANSWERS_S = 130  # beyond the traffic's own limit for one, so that each comes or is lost
RATE = 25  # requests a second: 2 cores also run Prefect, four workers, three databases and three routers
CI_TIMEOUT_S = 3600
RELEASE_TIMEOUT_S = 1800
# The demo's patience is shorter than a team's, and it judges no speed: it loads the host itself, with its traffic and
# the releases of other versions, on whatever machine. Everything else is as config/*.env says.
DEMO_SETTINGS = {
    "SLIPWAY_STAGING_BAKE_SECONDS": "1",
    "SLIPWAY_PRODUCTION_BAKE_SECONDS": "4",
    "SLIPWAY_PRODUCTION_BAKE_PROBES_PER_SECOND": "20",
    "SLIPWAY_PRODUCTION_MAX_P95_RATIO": "1000",
    "SLIPWAY_PRODUCTION_DRAIN_SECONDS": "3",
    "SLIPWAY_STAGING_MAX_DOWNTIME_SECONDS": "600",
    "SLIPWAY_DEVELOPMENT_MAX_DOWNTIME_SECONDS": "600",
    **{
        f"SLIPWAY_{environment}_{key}": value
        for environment in ("DEVELOPMENT", "STAGING", "PRODUCTION")
        for key, value in {"BAKE_MAX_SECONDS": "600", "MAX_P95_SECONDS": "60", "MAX_QUERY_P95_SECONDS": "60"}.items()
    },
}


@dataclass
class Demo:
    """One run of the story."""

    home: Home
    story: Story
    approver: str | None
    api: PrefectApi
    board: Board
    rows: list[Row] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def chapter(self, text: str) -> None:
        """Print the heading of the next part, and the time."""
        console.print(f"[bold]{time.monotonic() - self.began:6.1f} s  {text}[/bold]")

    def ci(self, version: str) -> None:
        """Check and build one version. Raises ToolError if that fails: later steps would mean nothing."""
        run = runs.start(self.api, "ci/push", commit=version)
        ended = self._followed(run, f"ci {version}", CI_TIMEOUT_S)
        if ended.state != "Completed":
            raise ToolError(
                f"ci of {version} ended {ended.state}: {ended.message}; see {runs.run_url(self.api, ended.run)}"
            )
        report = read_report(self.home, run)
        if report is None:
            raise ToolError(f"ci of {version} left no report; see {runs.run_url(self.api, ended.run)}")
        self.digests[version] = report.digest

    @property
    def production(self) -> Target:
        """Return the environment that has the traffic."""
        return Target.production()

    @property
    def way(self) -> tuple[Target, ...]:
        """Return the environments that a version passes before production, in order."""
        return tuple(self.production.chain())[::-1]

    def advance(self, version: str) -> None:
        """Release a version to each environment before production."""
        for target in self.way:
            self.release(target, version, "Promoted", version)

    def release(self, target: Target, version: str | None, expected: str, label: str) -> None:
        """Release a version and note how it ended. Without a version: what the environment before promoted last.

        It is named by its digest: an earlier demo may have built the same commit on another base image. Raises
        ToolError if it comes to no verdict on the version: the rest of the story would mean nothing.
        """
        parameters = {"version": self.digests[version]} if version else {}
        what = f"release {label} to {target.value}"
        run = runs.start(self.api, f"release/{target.short}", **parameters)
        ended = self._followed(run, what, RELEASE_TIMEOUT_S, self.approver)
        self.rows.append(Row(what, target.value, expected, ended))
        if ended.state not in ("Promoted", "RolledBack"):
            raise ToolError(f"{what} ended {ended.state}: {ended.message}; see {runs.run_url(self.api, ended.run)}")

    def begun(self, target: Target, version: str) -> bool:
        """Say whether an environment's newest operation is about this version: what goes out is chosen then."""
        operations = Environment.open(target, read_pipeline().app.name, self.home).ledger().operations
        return bool(operations) and operations[-1].version.version == version

    def roll_back(self) -> None:
        """Run the command that a person would type."""
        env = {**os.environ, **Control(self.home).client_environment()}
        deployment = f"rollback/{self.production.short}"
        argv = [prefect(), "deployment", "run", deployment]
        known = self._newest("rollback")
        typed = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=600, check=False)
        if typed.returncode:
            raise ToolError(f"prefect deployment run {deployment} failed: {(typed.stdout + typed.stderr)[-600:]}")
        _wait_until(lambda: self._newest("rollback") != known)
        run = self._newest("rollback") or ""
        what = f"rollback of {self.production.value} by hand"
        ended = self._followed(run, what, RELEASE_TIMEOUT_S)
        self.rows.append(Row(what, self.production.value, "RolledBack", ended))

    def _followed(self, run: str, what: str, timeout_s: float, approver: str | None = None) -> runs.Ended:
        """Follow a run, and print how it ended."""
        ended = runs.follow(self.api, run, what, timeout_s, approver, self.board)
        say(f"    {what}: {ended}")
        return ended

    def _newest(self, flow: str) -> str | None:
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}
        found = self.api.call("POST", "/flow_runs/filter", wanted)
        return str(found[0]["id"]) if found else None


def demo(
    approve_me: Annotated[bool, typer.Option("--approve-me", help="wait for you to approve in the Prefect UI")] = False,
    story: Annotated[Path, typer.Option(help="the folder with story.toml and traffic.toml")] = CHECKOUT
    / "examples"
    / "story",
    runtime: Annotated[str | None, typer.Option(help="process or compose; kept for later commands")] = None,
) -> None:
    """Release three versions of the example, under traffic; the third is bad. Then roll back by hand. Everything stays
    up.
    """
    home = Home.find()
    began = time.monotonic()
    for name, value in DEMO_SETTINGS.items():
        os.environ.setdefault(name, value)
    if server_url() or pools() != all_pools():
        raise ConfigError("the demo needs a host that runs everything: unset SLIPWAY_PREFECT_URL and SLIPWAY_POOLS")
    choose_runtime(home, runtime)
    _tell_isolation()
    try:
        told = read_story(story)
        begin_anew(home, told)
        board, approver = Board(), None if approve_me else "Robin Reviewer"
        pipeline = read_pipeline()
        with warming(needed(Path(pipeline.app.repository), pipeline), board):
            start(home)
            good = _tell(Demo(home, told, approver, PrefectApi(Control(home)), board, began=began))
    except KeyboardInterrupt:
        say("interrupted: stopping everything that the demo started")
        stop(home)
        raise typer.Exit(130) from None
    say(f"still up: make status; make down; UI at {Control(home).url} (login: PREFECT_API_AUTH_STRING of .env)")
    if not good:
        raise typer.Exit(1)


def begin_anew(home: Home, story: Story) -> None:
    """Make the story's repository. Remove environments and promotions of an earlier demo, not evidence and caches.

    Raises ConfigError if config/pipeline.toml names another repository: then the environments are not the demo's.
    """
    repository = home.root / "demo" / read_pipeline().app.name
    named = Path(read_pipeline().app.repository)
    if named != repository:
        raise ConfigError(
            f"config/pipeline.toml: app.repository is {named}: the demo would release into your environments; "
            "run it in another checkout, or with another SLIPWAY_HOME"
        )
    environments = home.root / "environments"
    if environments.exists():
        say("an earlier demo was here: its environments are removed, and it starts from the beginning")
        stop_environments(home)
        for target in Target.all():
            remove_everything(home.place(target.value) / "compose", owner(home.root, target.value))
        shutil.rmtree(environments)
    for promotion in (home.store / "statements").glob(f"*/{Kind.PROMOTION}-*.json"):
        promotion.unlink()
    make_repository(story, repository)


def _tell_isolation() -> None:
    level = available()
    if level is not Isolation.NAMESPACES:
        say(f"ATTENTION: this machine isolates app code by {level} only; the demo lowers REQUIRED_ISOLATION for itself")
        for target in Target.all():
            os.environ.setdefault(target.variable("REQUIRED_ISOLATION"), level)


def _tell(demo: Demo) -> bool:
    """Run the story; return whether every outcome was the expected one."""
    first, second, third = demo.story.version
    with ThreadPoolExecutor(max_workers=4) as pool:
        demo.chapter(f"ci of {first.name}")
        demo.ci(first.name)
        beside = [target for target in Target.all() if target not in (*demo.way, demo.production)]
        every = ", ".join((*demo.way, demo.production, *beside))
        demo.chapter(f"{first.name} goes to {every}, where nothing is live yet")
        demo.advance(first.name)
        others = [pool.submit(demo.release, target, first.name, "Promoted", first.name) for target in beside]
        demo.release(demo.production, None, "Promoted", first.name)
        for other in others:
            _wait(other)
        # Neither beside releases nor beside traffic: on two cores all would take longer than one after the other, and
        # what is compared with the live version would be told less surely.
        demo.chapter(f"ci of {second.name} and {third.name}")
        demo.ci(second.name)
        demo.ci(third.name)
        with _traffic(demo) as report:
            demo.chapter(
                f"traffic on {demo.production}: {RATE} requests a second, whatever the answers; {second.name} goes out"
            )
            demo.advance(second.name)
            production = pool.submit(demo.release, demo.production, None, second.expected, second.name)
            _wait_until(lambda: demo.begun(demo.production, second.name) or production.done())
            way = ", ".join(demo.way)
            demo.chapter(f"beside it {third.name}, which passes every check and is bad all the same, goes to {way}")
            demo.advance(third.name)
            _wait(production)
            demo.release(demo.production, None, third.expected, third.name)
            demo.chapter(
                f"back to the version before, by hand: prefect deployment run rollback/{demo.production.short}"
            )
            demo.roll_back()
    return _conclude(demo, json.loads(report.read_text(encoding="utf-8")))


def _wait(future: Future[None]) -> None:
    _wait_until(future.done)
    future.result()


def _wait_until(done: Callable[[], bool]) -> None:
    """Wait in slices, so that Ctrl-C is not held up. What is waited for ends by itself, with an error if need be."""
    while not done():
        time.sleep(0.3)


@contextmanager
def _traffic(demo: Demo) -> Iterator[Path]:
    """Keep traffic on production, and probes on the other environments, while the block runs. Yields the report's
    file.
    """
    report = demo.home.root / "demo" / "traffic.json"
    report.unlink(missing_ok=True)
    places = {target: Environment.open(target, read_pipeline().app.name, demo.home) for target in Target.all()}
    health = read_pipeline().run.health[0]
    probes = [f"{target.value}={place.url}{health}" for target, place in places.items()]
    argv = [sys.executable, "-m", "traffic.main", "--target", places[demo.production].url]
    argv += ["--profile", str(demo.story.traffic), "--rate", str(RATE), "--report", str(report)]
    argv += ["--last-answers", str(LAST_ANSWERS_S), "--hold-back", str(MOST_UNDER_WAY)]
    argv += [word for probe in probes for word in ("--probe", probe)]
    supervisor = Control(demo.home).supervisor
    program = Program(
        TRAFFIC,
        tuple(argv),
        CHECKOUT,
        {"PYTHONPATH": str(CHECKOUT)},
        stop_wait_s=LAST_ANSWERS_S + 30,
        start_s=0,
        autorestart=False,
    )
    supervisor.remove(TRAFFIC)
    supervisor.declare(program)
    if not wait_for(report.exists, 600, every=0.1):
        raise ToolError(f"the traffic did not start:\n{supervisor.log_tail(TRAFFIC)}")
    try:
        yield report
    finally:
        supervisor.remove(TRAFFIC)


def _conclude(demo: Demo, traffic: dict[str, Any]) -> bool:
    places = {target.value: Environment.open(target, read_pipeline().app.name, demo.home) for target in Target.all()}
    print_table(demo.rows, places, traffic)
    wrong = expectations(demo.rows, places, traffic, demo.production, demo.story.version[0].name)
    for problem in wrong:
        console.print(f"[red]not as expected:[/red] {problem}")
    say(f"{'as expected' if not wrong else 'NOT as expected'}, after {time.monotonic() - demo.began:.0f} s")
    return not wrong
