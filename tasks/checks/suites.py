"""The app's test suites: each on a fresh copy of the commit, with fresh services, in a sandbox, under coverage."""

import json
import posixpath
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from prefect.logging import get_run_logger

from gates.check import no_verdict
from gates.checks.suites import Case, Ending, SuiteRun, by_name, judge_suite, missing_note, slowest, to_repeat
from gates.checks.summary import in_a_line
from gates.repository_paths import is_top
from host.errors import SlipwayError, ToolError
from host.files import remove_tree
from host.masking import masked, secret_values
from host.sandbox.run import Completed
from settings.pipeline import Coverage, Suite
from settings.preparation import Preparation
from tasks.checks.cores import on_a_core
from tasks.checks.coverage_config import INSIDE, Measuring, collect, measure, measured
from tasks.checks.junit import read_report
from tasks.checks.syntax import lines_of, write_lines
from tasks.retries import once
from tasks.source.django_databases import REUSED
from tasks.source.log_blocks import CONTROL
from tasks.source.suite_services import Services, suite_services
from tasks.source.workspace import Looked, Workspace

# Places of failures are needed, and what tests print belongs into the log and not a second time into the report.
REPORT_OPTIONS = ("-o", "junit_family=xunit1", "-o", "junit_logging=no")
ENDED_BY_DJANGO = 'failed on setup with "SystemExit: 2"'
NO_TEST_DATABASE = (
    "pytest-django could not make its database, as a suite's role may not: add --reuse-db to the suite's command"
)
NO_DATABASE_OF_WORKERS = (
    "pytest-django could not make a database, as a suite's role may not: Slipway makes the suite's own, and one for "
    "each worker of pytest-xdist that the suite's command names, as in -n 4 (64 at most)"
)
LAST_LINES = 4  # of what a failed preparation printed


@once("suite", "{name}")
def run_suite(
    name: str,
    suite: Suite,
    workspace: Workspace,
    coverage: Coverage | None = None,
    before: frozenset[str] | None = None,
    preparation: Preparation | None = None,
) -> Looked:
    """Run one suite, after its `preparation`, and return its check, read from its JUnit report.

    With `coverage` it is measured, unless it runs alone. `before` are the tests of an earlier run: what is gone is
    pointed out. Files: `junit`, `tests` (a JSON list of names), `coverage` (the suite's combined data),
    `lines` (of the Python that was measured, as `lines_of` has them) and `benchmarks` (pytest-benchmark's report).

    Not repeated: a check that fails and then passes has failed. What keeps it from looking is `no verdict`.
    """
    look = partial(look_at_suite, name, suite, workspace, coverage, before, preparation)
    looked = on_a_core(f"suite {name}", workspace, look, alone=suite.alone or suite.benchmarks)
    log = get_run_logger()
    for note in looked.check.notes:
        log.warning("%s: %s", name, note)
    log.info("%s", in_a_line(looked.check))
    return looked


def look_at_suite(
    name: str,
    suite: Suite,
    workspace: Workspace,
    coverage: Coverage | None = None,
    before: frozenset[str] | None = None,
    preparation: Preparation | None = None,
) -> Looked:
    """Do what `run_suite` does, without a run around it."""
    remove_tree(workspace.root / name)
    try:
        return _Looking(name, suite, workspace, coverage, preparation).look(before)
    except SlipwayError as error:
        return Looked(no_verdict(name, str(error)))


@dataclass
class _Looking:
    name: str
    suite: Suite
    workspace: Workspace
    coverage: Coverage | None
    preparation: Preparation | None
    notes: list[str] = field(default_factory=list)
    source: Path = Path()

    def look(self, before: frozenset[str] | None) -> Looked:
        self.source = self.workspace.check_directory(self.name)
        run = self._explained(self._attempt("junit.xml"))
        flaky = self._repeat(run)
        names = sorted(by_name(run.cases or ()))
        if run.cases is not None:
            self.notes += missing_note(before, names)
        files = self._files(run, names)
        return Looked(judge_suite(run, flaky, self.notes), files)

    def _explained(self, run: SuiteRun) -> SuiteRun:
        """Say what it means when pytest-django ends each test with nothing but the number 2."""
        if not self.suite.database or not run.cases:
            return run
        why = NO_DATABASE_OF_WORKERS if REUSED in self.suite.command else NO_TEST_DATABASE
        cases = (
            replace(case, message=f"{case.message}: {why}") if case.message == ENDED_BY_DJANGO else case
            for case in run.cases
        )
        return replace(run, cases=tuple(cases))

    def _attempt(self, report_name: str, only: tuple[Path, Path] | None = None) -> SuiteRun:
        """Run the suite once, all of it or the tests that a file names, with services of this attempt's own."""
        report = self.workspace.scratch(self.name) / report_name
        with suite_services(self.name, self.suite, self.workspace) as services:
            measuring = self._measuring()
            prepare_suite(self.name, self.suite, self.preparation, self.workspace, services)
            environment = suite_environment(self.suite, services, only, measuring.environment)
            words = ["-p", "slipway_only"] if only else self._benchmark_options()
            read_only = (*services.read_only, *measuring.read_only, *(only or ()))
            done = self.workspace.run(
                self.name,
                [*measuring.argv, *REPORT_OPTIONS, *self._rootdir(), *words, f"--junitxml={report}"],
                environment,
                self.suite.timeout_seconds,
                read_only=read_only,
                log=f"{self.name}-{report_name}.log" if only else "",
                network=services.network,
                directory=self.suite.directory,
            )
        self._note_truncation(done)
        found = read_report(report, secret_values(environment), self.suite.directory)
        return SuiteRun(
            self.name,
            done.returncode,
            done.timed_out,
            round(done.seconds, 2),
            cases=found.cases if found else None,
            counted=found.counted if found else 0,
            failures=found.failures if found else 0,
            unknown=found.unknown if found else "",
            last_line=_telling_line(done.output[-20_000:]),
            limit_s=self.suite.timeout_seconds,
            cancelled=done.cancelled,
            exceeded=done.exceeded,
        )

    @property
    def _benchmarks(self) -> Path:
        return self.workspace.scratch(self.name) / "benchmarks.json"

    def _benchmark_options(self) -> list[str]:
        return [f"--benchmark-json={self._benchmarks}"] if self.suite.benchmarks else []

    def _rootdir(self) -> list[str]:
        """Return what makes pytest tell all paths as seen from where it runs, wherever its settings lie."""
        return [] if is_top(self.suite.directory) else [f"--rootdir={self.source / self.suite.directory}"]

    def _measuring(self) -> Measuring:
        if self.coverage is None or not measured(self.suite, self.coverage):
            return Measuring(self.workspace.argv(self.suite.command), {}, ())
        return measure(self.name, self.suite, self.coverage, self.workspace, self.source)

    def _note_truncation(self, done: Completed) -> None:
        if done.truncated:
            self.notes.append("the log was cut: it printed more than is kept of one program")

    def _repeat(self, run: SuiteRun) -> dict[str, int]:
        """Repeat the failed tests that are known to be flaky, each time in a new process; return which passed when."""
        flaky: dict[str, int] = {}
        waiting = (
            [] if run.timed_out or run.cancelled or run.exceeded else to_repeat(run.cases or (), self.suite.known_flaky)
        )
        for retry in range(1, self.suite.retries + 1):
            if not waiting:
                break
            names = [_as_told(name, self.suite.directory) for name in waiting]
            chosen = choose_tests(self.workspace.root / self.name / f"retry-{retry}", names)
            again = self._attempt(f"junit-retry-{retry}.xml", chosen)
            if again.timed_out or again.exceeded or again.unknown or again.returncode not in (0, 1):
                self.notes.append(f"retry {retry} did not come to its end")
                continue
            passed = _passed(again.cases or ())
            flaky |= {name: retry for name in waiting if name in passed}
            waiting = [name for name in waiting if name not in passed]
        return flaky

    def _files(self, run: SuiteRun, names: list[str]) -> dict[str, Path]:
        files: dict[str, Path] = {}
        if run.cases is not None:
            folder = self.workspace.root / self.name
            files |= {"tests": folder / "tests.json", "slowest": folder / "slowest.json"}
            files["tests"].write_text(json.dumps(names), encoding="utf-8")
            slow = [(case.name, case.seconds) for case in slowest(run.cases)]
            files["slowest"].write_text(json.dumps(slow), encoding="utf-8")
        if self.suite.benchmarks and self._benchmarks.is_file():
            files["benchmarks"] = self._benchmarks
        if measured(self.suite, self.coverage):
            data, why = collect(self.name, self.suite, self.workspace, self.source)
            if data:
                files |= {"coverage": data, "lines": self.workspace.root / self.name / "lines.json"}
                write_lines(files["lines"], lines_of(self.workspace.source))
            else:
                self.notes.append(f"coverage: {why}")
        return files


def prepare_suite(
    name: str, suite: Suite, preparation: Preparation | None, workspace: Workspace, services: Services
) -> None:
    """Run what comes before a suite, with the suite's variables and services. Raises ToolError if it fails."""
    if preparation is None:
        return
    environment = suite_environment(suite, services)
    done = workspace.run(
        name,
        workspace.argv(preparation.command),
        environment,
        suite.timeout_seconds,
        read_only=services.read_only,
        log=f"{name}-prepare.log",
        network=services.network,
        directory=preparation.directory,
    )
    if done.failed or done.cancelled:
        said = masked(CONTROL.sub("\ufffd", " | ".join(_last_lines(done.output))), secret_values(environment))
        raise ToolError(f"prepare failed: {' '.join(preparation.command)[:200]} {done.how}: {said[-600:]}")


def _last_lines(output: str) -> list[str]:
    lines = [line.strip() for line in output[-20_000:].splitlines() if line.strip()]
    return lines[-LAST_LINES:] or ["it printed nothing"]


def choose_tests(folder: Path, names: Collection[str]) -> tuple[Path, Path]:
    """Return a new folder with the plugin `slipway_only`, and the file in it that names the tests that are to run."""
    folder.mkdir(parents=True)
    shutil.copy(INSIDE / "slipway_only.py", folder)
    listed = folder / "only.json"
    listed.write_text(json.dumps(sorted(names)), encoding="utf-8")
    return folder, listed


def suite_environment(
    suite: Suite,
    services: Services,
    chosen: tuple[Path, Path] | None = None,
    measuring: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Return the variables that a suite is run with; `chosen` comes from `choose_tests`, `measuring` from coverage."""
    own = {name: _filled(value, services.environment) for name, value in suite.environment.items()}
    environment = {**own, **services.environment, **measuring}
    paths = [measuring.get("PYTHONPATH"), suite.environment.get("PYTHONPATH")]
    if chosen:
        environment["SLIPWAY_ONLY"] = str(chosen[1])
        paths.insert(0, str(chosen[0]))
    if any(paths):
        environment["PYTHONPATH"] = ":".join(filter(None, paths))
    return environment | {"PYTHONDONTWRITEBYTECODE": "1"}


def _filled(value: str, given: Mapping[str, str]) -> str:
    for name in ("REDIS_URL", "DATABASE_URL"):
        value = value.replace(f"{{{name}}}", given.get(name, ""))
    return value


def _as_told(name: str, directory: str) -> str:
    """Return the id of a test as pytest has it where it runs."""
    file, found, rest = name.partition("::")
    return f"{posixpath.relpath(file, directory)}{found}{rest}" if found else name


def _telling_line(output: str) -> str:
    """Return the line of a program's output that says most: pytest's last error, else the last of all."""
    lines = output.strip().splitlines() or [""]
    errors = [line for line in lines if line.startswith(("E  ", "ERROR", "INTERNALERROR"))]
    return CONTROL.sub("\ufffd", (errors or lines)[-1].strip())[:200]


def _passed(cases: tuple[Case, ...]) -> set[str]:
    return {case.name for case in by_name(cases).values() if case.ending is Ending.PASSED}
