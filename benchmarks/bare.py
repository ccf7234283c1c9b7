"""The example's checks run bare: what a careful shell script would do on the same machine.

The same tools on the same files, suites under coverage, scanners, frontend build and load test: two at a time, what
took longest first, those that must be alone one by one. No sandbox, no report read, nothing compared or signed. As in
`ci` everything is installed, and downloads and compiled rules are there; what tools remember of the code is not.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.switches import running
from control.plane import suite_database
from evidence.check_report import Report
from evidence.scopes import OURS, Scope
from gates.check import Outcome
from host.errors import ToolError
from host.home import CHECKOUT, Home
from host.ports import free_port
from host.probe import await_healthy
from settings.pipeline import Pipeline

WAYS = 2
COMMAND_TIMEOUT_S = 600
ANY = range(256)
RELEASE = "{release}/"
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


def run_bare(home: Home, repository: Path, pipeline: Pipeline, before: Report) -> float:
    """Run the checks that `before`, a run of `ci`, made, and return the seconds from installed to done."""
    from prefect.logging import disable_run_logger

    from tasks.source.dependencies import make_environment

    with disable_run_logger():
        environment = make_environment.fn(repository / pipeline.locks.ci.file, pipeline.app.python, OURS)
    with tempfile.TemporaryDirectory(prefix="slipway-bare-") as name:
        root = Path(name)
        # The frontend's tools have a copy of their own: the others would look through its packages too.
        for copy in ("tree", "build", "node"):
            shutil.copytree(repository, root / copy)
        own = Scope(pipeline.app.branch, protected=True).own
        shutil.copytree(home.cache / "downloads" / own, root / "downloads")
        # A copy: bare tools write into it, and what is installed must stay as it is.
        shutil.copytree(_packages(home), root / "node" / "frontend" / "node_modules", symlinks=True)
        bare = _Bare(root / "tree", environment, home, pipeline, before)
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=WAYS) as pool:
            for done in [pool.submit(step) for step in bare.together()]:
                done.result()
        bare.alone()
        return time.monotonic() - began


def _packages(home: Home) -> Path:
    found = next((home.cache / "environments").glob(f"{OURS.writes}/node-*/node_modules"), None)
    if found is None:
        raise ToolError("the frontend's packages are not where they were expected")
    return found


def _tools(group: Literal["scanners", "quality", "load"]) -> Path:
    from tasks.source.dependencies import own_tools

    return own_tools(group) / "bin"


@dataclass
class _Bare:
    tree: Path
    environment: Path
    home: Home
    pipeline: Pipeline
    before: Report
    lock: threading.Lock = field(default_factory=threading.Lock)
    to_cover: int = 0

    def together(self) -> list[Callable[[], object]]:
        """Return the steps that may run beside each other, the longest first."""
        suites = [name for name, one in self.pipeline.suites.items() if not one.alone]
        self.to_cover = len(suites)
        steps: dict[str, Callable[[], object]] = {name: partial(self._suite, name) for name in suites}
        for name, tool in self.pipeline.quality.items():
            tree = self.tree if tool.runtime == "python" else self.tree.parent / "node"
            steps[name] = partial(self._run, tool.command, str(tree / tool.directory))
        steps |= self._scans()
        took = {check.name: check.seconds for check in self.before.checks}
        return [self._build, *(steps[name] for name in sorted(steps, key=lambda name: -took.get(name, 0)))]

    def _scans(self) -> dict[str, Callable[[], object]]:
        """Return what the scans run, by scan. The build comes before them, as in `ci`."""
        tools = _tools("scanners")
        semgrep = ("scan", "--metrics=off", "--disable-version-check", "--json", "--quiet", "-j1", "--timeout", "30")
        code = ("assistant", "migrations")
        npm = ("npm", "audit", "--json", "--package-lock-only", "--fetch-retries=0", "--fetch-timeout=5000")
        rules = {"KF_RULE_CACHE_DIR": str(self.home.cache / "kingfisher")}
        kingfisher = (str(tools / "kingfisher"), "scan", ".", "--no-validate", "--no-update-check", "-f", "json")
        hadolint = (str(tools / "hadolint"), "--config", str(CHECKOUT / "config" / "hadolint.yaml"), "-f", "json")

        def dependency() -> None:
            self._run(npm, "frontend", codes=ANY)
            if any(one.name == "dependency" and one.outcome is Outcome.PASSED for one in self.before.checks):
                for lock in self.pipeline.locks.files:
                    self._run((str(tools / "pip-audit"), "-s", "osv", "--no-deps", "--disable-pip", "-r", lock))

        def policy() -> None:
            sql = self._run(("python", "-m", "alembic", "upgrade", "head", "--sql"), env={"DATABASE_URL": NO_DATABASE})
            (self.tree / "upgrade.sql").write_text(sql, encoding="utf-8")
            self._run((str(tools / "squawk"), "--reporter", "Json", "upgrade.sql"), codes=ANY)

        return {
            "sast": partial(
                self._run,
                (str(tools / "semgrep"), *semgrep, "--config", str(CHECKOUT / "config" / "semgrep"), *code),
                codes=ANY,
            ),
            "code": partial(self._run, (str(tools / "bandit"), "-q", "-r", *code, "-f", "json"), codes=ANY),
            "secrets": partial(self._run, kingfisher, env=rules, codes=ANY),
            "container": partial(self._run, (*hadolint, *self._dockerfiles()), codes=ANY),
            "dependency": dependency,
            "policy": policy,
        }

    def _dockerfiles(self) -> list[str]:
        image = self.pipeline.image
        named = [image.dockerfile] if image else []
        return [str(CHECKOUT / one.removeprefix(RELEASE)) if one.startswith(RELEASE) else one for one in named]

    def _build(self) -> None:
        for step in self.pipeline.build:
            cache = {"npm_config_cache": str(self.tree.parent / "downloads" / step.name)}
            for command in step.commands:
                self._run(command, str(self.tree.parent / "build" / step.directory), env=cache)

    def alone(self) -> None:
        """Run what must be alone: micro-benchmarks, then the load test."""
        for one in self.pipeline.suites.values():
            if one.alone:
                self._run(one.command, env=one.environment)
        self._load()

    def _suite(self, name: str) -> None:
        suite = self.pipeline.suites[name]
        measured = ("-m", "coverage", "run", f"--data-file=.coverage.{name}", f"--context={name}")
        with _database(name) if suite.database else nullcontext("") as url:
            self._run(("python", *measured, *suite.command[1:]), env={**suite.environment, "DATABASE_URL": url})
        with self.lock:
            self.to_cover -= 1
            last = not self.to_cover
        if last:
            self._cover()

    def _cover(self) -> None:
        """Judge what all suites cover together, and of the changed lines: as soon as the last one has ended."""
        for words in (("combine", "-q"), ("json", "-q"), ("lcov", "-q"), ("html", "-q")):
            self._run(("python", "-m", "coverage", *words))
        self._run((str(_tools("quality") / "diff-cover"), "coverage.lcov", "--compare-branch", "HEAD~1"), codes=ANY)

    def _load(self) -> None:
        wanted = self.pipeline.performance
        if wanted is None:
            return
        port = free_port()
        words = [word.replace("{port}", str(port)) for word in self.pipeline.run.command]
        with _database("load") as url:
            env = self._environment({**wanted.environment, "DATABASE_URL": url})
            self._run(self.pipeline.run.migrate or ("python", "-V"), env={**wanted.environment, "DATABASE_URL": url})
            with running("app", self._argv(words), self.tree.parent, cwd=self.tree, env=env):
                await_healthy(f"http://127.0.0.1:{port}", self.pipeline.run.health, 30)
                locust = (
                    str(_tools("load") / "locust"),
                    "--headless",
                    "--only-summary",
                    "--exit-code-on-error",
                    "0",
                )
                users = ("-u", str(wanted.users), "-r", str(wanted.spawn_rate), "-t", f"{wanted.duration_seconds:g}s")
                self._run(
                    (*locust, *users, "-f", wanted.locustfile, "--host", f"http://127.0.0.1:{port}"),
                    env=wanted.environment,
                )

    def _run(
        self,
        command: Sequence[str],
        directory: str = ".",
        env: dict[str, str] | None = None,
        codes: Sequence[int] = (0,),
    ) -> str:
        done = subprocess.run(
            self._argv(command),
            cwd=self.tree / directory,
            env=self._environment(env or {}),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode not in codes:
            raise ToolError(
                f"bare {' '.join(command)} ended with {done.returncode}: {(done.stdout + done.stderr)[-600:]}"
            )
        return done.stdout

    def _argv(self, command: Sequence[str]) -> list[str]:
        return [str(self.environment / "bin" / "python"), *command[1:]] if command[0] == "python" else list(command)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        from tasks.source.workspace import node_directory, tool_path

        bins = [
            str(self.environment / "bin"),
            str(self.tree.parent / "node" / "frontend" / "node_modules" / ".bin"),
            str(node_directory()),
        ]
        return {"PATH": ":".join([*bins, tool_path()]), "LANG": "C.UTF-8", "HOME": str(self.tree.parent), **more}


@contextmanager
def _database(name: str) -> Iterator[str]:
    server = suite_database()
    database = f"bare_{name}_{os.getpid()}"
    server.create_database(database, database)
    try:
        yield server.url(database, database)
    finally:
        server.drop_database(database)
