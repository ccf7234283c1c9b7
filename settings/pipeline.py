"""Reader of `config/pipeline.toml`: the app that this installation releases."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from evidence.bundle import Command, Run
from gates.branch_names import branch_problem
from gates.checks.benchmarks import NAME as BENCHMARKS
from gates.checks.performance import NAME as LOAD
from gates.checks.reports import Reads
from gates.release.compatibility import NAME as COMPATIBILITY
from gates.release.health_rules import UrlPath
from gates.repository_paths import SourceFolder, is_top
from gates.scans.policy import Allowed
from host.errors import ConfigError
from host.home import CHECKOUT, Home
from host.resources.shares import Shares
from settings.database import Database, with_database
from settings.directories import with_directory
from settings.health import Health, with_health
from settings.locks import Locks
from settings.migrations import Migrations
from settings.plain_commands import refuse_shell, refuse_shell_in_checks
from settings.preparation import MIGRATION_FILES, Preparation
from settings.repository_address import holds_password
from settings.targets import Target
from settings.toml_files import SECRET, checked, read_toml

# Slipway fetches these packages itself, so options that would change what is installed have no effect.
INSTALL = ("npm", "ci")
INSTALL_OPTIONS = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--no-progress", "--silent")
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,30}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")]


def _branch(name: str) -> str:
    if problem := branch_problem(name):
        raise ValueError(problem)
    return name


BranchName = Annotated[str, AfterValidator(_branch)]
OVERRIDES = {
    "SLIPWAY_REPOSITORY": ("app", "repository"),
    "SLIPWAY_OSV_URL": ("scans", "osv_url"),
    "SLIPWAY_NPM_AUDIT_URL": ("scans", "npm_audit_url"),
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class App(_Section):
    """Which app, and where its commits come from."""

    # Also the name of its database and of that database's role, hence no dash.
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,30}$")]
    """Lower-case letters, digits and `_`, 31 characters at most. The database and its role have the same name, hence no
    `-`.
    """
    repository: str = Field(min_length=1)
    """git URL or path. `{home}` is the state directory, `{release}` is this checkout. `SLIPWAY_REPOSITORY` overrides
    it.
    """

    @field_validator("repository")
    @classmethod
    def _holds_no_password(cls, address: str) -> str:
        if holds_password(address):
            raise PydanticCustomError(
                SECRET,
                "the address holds a password or token, which everybody on this host could read in git's command line; "
                "take it out of the address, and name a Prefect block that holds it: app.credentials_block",
            )
        return address

    branch: BranchName = "main"
    """Branch that `ci` takes when no commit is named."""
    protected: tuple[BranchName, ...] = ("main", "develop")
    """Branches whose results every other run may reuse. Results of other branches count for the same branch only."""
    python: Annotated[str, Field(pattern=r"^3\.\d+$")] = "3.11"
    """Minor version of Python that builds and runs the app."""
    # Not dumped when it is the top, so the digest of the rules is that of a file which lacks it.
    directory: SourceFolder = Field(".", exclude_if=is_top)
    """The folder of the repository where the app's commands run, in a repository that holds more than the app: all of
    [run], suites, the load test, tools of Python, unless a suite or tool has a `directory` of its own. All other paths
    of this file, and globs, begin at the top of the repository all the same.
    """
    app_memory_mb: int = Field(4096, ge=256, le=1_000_000)
    """Million bytes that one program of a check (a suite, a tool, a build step, the app of a load test) may use, with
    all that it starts.
    """
    app_processes: int = Field(512, ge=64, le=100_000)
    """Processes that one program of a check may have, threads included."""
    # Not dumped, so not in the digest of the rules: who may read the repository decides no check.
    credentials_block: str = Field("", exclude=True)
    """The Prefect block (github-credentials) whose token reads a private repository, at an https address."""

    @model_validator(mode="after")
    def _logs_in_over_https(self) -> Self:
        if self.credentials_block and not self.repository.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("credentials_block: expected a repository that begins with https://")
        return self

    @property
    def shares(self) -> Shares:
        """Return the limits of one program of a check."""
        return Shares(self.app_memory_mb, self.app_processes)


class BuildStep(_Section):
    """A step that makes files which the commit lacks, such as a built frontend."""

    name: Name
    """Name of the step."""
    directory: SourceFolder = "."
    """Where the commands run."""
    commands: tuple[Command, ...] = Field(min_length=1)
    """Commands, run in this order. `python` and the programs of its packages are those of the lock `ci`, so
    `["python", "manage.py", "collectstatic", "--noinput"]` works.
    """
    inputs: tuple[str, ...] = Field(min_length=1)
    """Paths of the files and folders that the step reads, or patterns in .gitignore's syntax (`po/**/*.po`, `!*.md`).
    It sees these and its directory, and nothing else of the commit; `.` is all of it. The result is kept by their
    content.
    """
    outputs: tuple[str, ...] = Field(min_length=1)
    """Folders that the step makes."""
    timeout_seconds: float = Field(600, gt=0)
    """How long the step may take."""
    # Not dumped when false, so the digest of the rules is that of a file which lacks it.
    network: bool = Field(False, exclude_if=lambda network: not network)
    """Give the commands the host's network. Needed by what fetches, such as `pnpm install`: then the app's code and its
    packages' scripts reach whatever listens on this host, and the world. Without it Slipway fetches what `npm ci`
    installs, and no script of the packages runs; `npm rebuild` after it runs them, without network.
    """

    @model_validator(mode="after")
    def _installs_plainly(self) -> Self:
        for command in self.commands if not self.network else ():
            if command[:2] == INSTALL and (others := [word for word in command[2:] if word not in INSTALL_OPTIONS]):
                raise ValueError(
                    f"commands: npm ci: got {others[0]}, expected none but {', '.join(INSTALL_OPTIONS)}: Slipway"
                    " fetches the packages itself; with `network = true` npm does, as written"
                )
        return self


class Tool(_Section):
    """A code-quality tool. It runs in the app's environment, or with the frontend's packages (`runtime = "node"`)."""

    command: Command
    """Command of the tool itself, not of `npx`. `{report}` in it is a file that Slipway reads."""
    reads: Reads | None = None
    """How the report is read. Slipway adds the options that the report needs. `lines` is `path:line: message`, exit
    code 0 when clean, 1 with findings. Without this key: the program that the command calls, else the tool's name, if
    it is in the list, else `lines`.
    """
    runtime: Literal["python", "node"] = "python"
    """`python`: the app's version of the tool when the lock `ci` has it, else Slipway's. `node`: packages of the
    directory's package-lock.json.
    """
    directory: SourceFolder = "."
    """Where the command runs. Without this key: for `python` in `directory` of [app]."""
    inputs: tuple[str, ...] = ("**",)
    """Globs (as in .gitignore) of what the result depends on. The tool should look at every file of its kind among
    them. While none of them changes, the earlier pass holds.
    """
    timeout_seconds: float = Field(300, gt=0)
    """How long each attempt may take."""
    retries: int = Field(0, ge=0, le=3)
    """How often a crash or a time-out is repeated. Findings are never repeated."""


class Suite(_Section):
    """A test suite: a pytest command. Slipway adds what it needs to read results and coverage."""

    command: Command
    """The pytest command."""
    # Neither is dumped when it says nothing, so the digest of the rules is that of a file which lacks it.
    directory: SourceFolder = Field(".", exclude_if=is_top)
    """Where the command runs. Without this key: in `directory` of [app]."""
    prepare: tuple[str, ...] | None = Field(None, exclude_if=lambda command: command is None)
    """Command that runs before the suite and not under coverage, with the suite's variables, database, Redis and
    sandbox, for `timeout_seconds` at most. When it fails, the suite has no verdict. Without this key: `migrate` of
    [run], where the suite has a database. `[]`: nothing.
    """
    database: bool = False
    """Give the suite an empty database in `DATABASE_URL`: of PostgreSQL, or what `[database]` says."""
    redis: bool = False
    """Give the suite an empty Redis in `REDIS_URL`."""
    alone: bool = False
    """Run after all other checks, with none beside it, and without coverage: both would change what it measures."""
    benchmarks: bool = False
    """The suite runs pytest-benchmark. Its medians are compared with the base version's, in pairs."""
    inputs: tuple[str, ...] = ("**",)
    """Globs (as in .gitignore) of what the result depends on."""
    timeout_seconds: float = Field(600, gt=0)
    """How long the suite may take."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables that the suite gets. `{REDIS_URL}` and `{DATABASE_URL}` in a value stand for what those variables hold,
    for an app with names of its own: `CELERY_BROKER_URL = "{REDIS_URL}"`.
    """
    known_flaky: tuple[str, ...] = ()
    """Test ids (`tests/test_a.py::test_b`, all its parameters included) that may be repeated. A test that then passes
    is reported as flaky.
    """
    retries: int = Field(0, ge=0, le=5)
    """How often a known flaky test is repeated."""
    covers: tuple[str, ...] = ()
    """Globs (as in .gitignore) of the Python files that the suite answers for. Without it: all files of `[coverage]`
    `covers`.
    """
    min_coverage: float | None = Field(None, ge=0, lt=100)
    """Percent of these files' lines that must be exceeded."""

    @model_validator(mode="after")
    def _has_what_it_names(self) -> Self:
        for key, there in (("redis", self.redis), ("database", self.database)):
            named = f"{{{key.upper()}_URL}}"
            if not there and (names := [name for name, value in self.environment.items() if named in value]):
                raise ValueError(f"environment: {names[0]} has {named}, which only {key} = true gives")
        return self


class Coverage(_Section):
    """Coverage over all suites together. Percentages are compared unrounded."""

    covers: tuple[str, ...] = Field(min_length=1)
    """Globs (as in .gitignore) of the Python files that count, imported or not."""
    min_total: float = Field(85, ge=0, le=100)
    """Percent of all lines that must be reached."""
    min_changed: float | None = Field(None, ge=0, le=100)
    """Percent of the changed lines that must be reached."""
    exclude: tuple[str, ...] = ("if __name__ == .__main__.:",)
    """Regular expressions of lines that do not count, beside coverage.py's own. Lines that the app itself
    excludes count.
    """


class Performance(_Section):
    """A load test by locust against the app, alone on the machine.

    Figures of speed are compared with those of the base version, measured in turn in the same run.
    """

    locustfile: str = Field(min_length=1)
    """The app's locustfile. Slipway sets users, ramp and duration."""
    users: int = Field(10, ge=1)
    """Number of users."""
    spawn_rate: float = Field(5, gt=0)
    """Users that are added each second."""
    duration_seconds: float = Field(30, ge=1)
    """How long the load lasts. It goes on while fewer than `min_requests` have ended and more come, for up to ten
    minutes.
    """
    startup_seconds: float = Field(60, gt=0)
    """How long the app may take to start."""
    database: bool = False
    """Give the app an empty database of its own: of PostgreSQL, or what `[database]` says."""
    redis: bool = False
    """Give the app an empty Redis of its own."""
    metrics_path: UrlPath = "/metrics"
    """Path of the app's metrics, in Prometheus's text format."""
    query_metric: Annotated[str, Field(pattern="^([a-zA-Z_:][a-zA-Z0-9_:]*)?$")] = ""
    """Name of the app's Prometheus histogram of query times, in seconds. Empty: queries are not judged."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables that the app and the locustfile get."""
    inputs: tuple[str, ...] = ("**",)
    """Globs (as in .gitignore) of what the result depends on."""
    min_requests: int = Field(100, ge=20)
    """Fewer requests than this are no verdict."""
    max_api_p95_seconds: float = Field(2, gt=0)
    """Limit of the 95th percentile of all requests."""
    max_query_p95_seconds: float = Field(0.5, gt=0)
    """Limit of the 95th percentile of the app's queries."""
    max_memory_mb: float = Field(512, gt=0)
    """Limit of the app's memory, in MB (a million bytes)."""
    cpu_cores: float = Field(1, gt=0)
    """Cores that the app may use."""
    max_cpu_percent: float = Field(80, gt=0)
    """Limit of processor time, in percent of `cpu_cores`."""
    max_error_rate: float = Field(0.01, ge=0, le=1)
    """Limit of failed and unanswered requests, as a share of all."""
    max_regression_percent: float = Field(25, gt=0)
    """How much slower than the base version p95 and the endpoints' medians may be."""
    regression_floor_seconds: float = Field(0.001, ge=0)
    """Smaller differences from the base version do not count."""
    max_benchmark_regression_percent: float = Field(25, gt=0)
    """How much slower than the base version's the medians of pytest-benchmark may be, measured in the same run."""
    compare_seconds: float = Field(60, ge=0)
    """Longest time of the comparison with the base version. Pairs are added until all is decided. Benchmarks have a
    budget of the same size. 0: no comparison.
    """


class Scans(_Section):
    """The security scans."""

    accepted: dict[Name, Annotated[str, Field(min_length=10)]] = Field(default_factory=dict)
    """`NAME = "reason"`: a scan that may stay un-run when a source outside (advisories, an archive) is away. What the
    commit keeps from being read is never accepted. A reason of 10 characters or more. Every page says that nobody
    looked.
    """
    osv_url: Address = "https://api.osv.dev"
    """Where OSV advisories come from. `SLIPWAY_OSV_URL` overrides it."""
    npm_audit_url: Address | Literal[""] = ""
    """Where npm's advisories come from. Empty: npm's own choice. `SLIPWAY_NPM_AUDIT_URL` overrides it."""
    max_advisory_age_hours: float = Field(48, gt=0)
    """A mirror whose newest record is older is not believed."""
    private_packages: tuple[str, ...] = ()
    """Globs of package names that no advisory source knows. No source is asked about them."""
    max_suppressions: int = Field(20, ge=0)
    """How many comments that silence a tool (nosec, nosemgrep, noqa, kingfisher:ignore) the tree may hold."""
    code_excludes: tuple[str, ...] = ("tests/", "test_*.py", "conftest.py")
    """Globs (as in .gitignore) of files that the scans `code` and `sast` leave out."""
    open_routes: tuple[str, ...] = ()
    """Globs of `file::function`: routes that may change data without authentication."""
    allow: tuple[Allowed, ...] = ()
    """Policy findings of this app that are accepted for good. `config/policy.toml` has those of every app."""
    require_trufflehog: bool = False
    """Without TruffleHog the scan has no verdict."""
    trufflehog_verifies: bool = False
    """Let TruffleHog send what it finds to the vendors, and report only what is in use."""
    require_trivy: bool = False
    """Without Trivy the scan has no verdict."""
    debian_security_url: str = Field("", pattern="^(https?://.*)?$")
    """Archive with Debian's security suites. Empty: this host's own."""


class ImageBuild(_Section):
    """The container image, for `RUNTIME=compose`.

    Paths lie in the app's repository, or in this one: `{release}/...`.
    """

    dockerfile: str = "Dockerfile"
    """The Dockerfile of the image that the public service runs. Without this key: the one that the compose file names
    for that service, if it has a `build`.
    """
    compose: dict[Target, str] = Field(min_length=1)
    """The compose file of each environment."""
    registry: Annotated[str, Field(pattern=r"^(|[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+)$")] = ""
    """Where the images are pushed, as `HOST/NAME` without a tag. They are promoted by digest. Empty: only the engine
    that built them has them.
    """
    engine_block: str = ""
    """Prefect block (`docker-host`) with the address of the engine that builds. Empty: this host's own settings."""
    registry_block: str = ""
    """Prefect block (`docker-registry-credentials`) with the registry's login, for pushes and pulls. Empty: this host's
    own settings.
    """
    timeout_seconds: float = Field(900, gt=0)
    """How long the build of an image may take."""


class Pipeline(_Section):
    """The whole file, checked."""

    app: App
    locks: Locks
    health: Health = Field(Health(), exclude=True)  # `run` holds what it says, as the artifact does
    database: Database = Field(Database(), exclude=True)  # likewise
    run: Run
    build: tuple[BuildStep, ...] = ()
    quality: dict[Name, Tool] = Field(default_factory=dict)
    suites: dict[Name, Suite] = Field(default_factory=dict)
    image: ImageBuild | None = None
    coverage: Coverage | None = None
    performance: Performance | None = None
    scans: Scans = Field(default_factory=Scans)
    # Not dumped when empty, so the digest of the rules is that of a file which lacks it.
    migrations: Migrations = Field(default_factory=Migrations, exclude_if=lambda table: table == Migrations())

    @property
    def digest(self) -> str:
        """Return a digest of the whole file: evidence holds only for the rules under which it was made."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def preparation(self, suite: str) -> Preparation | None:
        """Return what runs before a suite, None for nothing."""
        wanted = self.suites[suite]
        if wanted.prepare is not None:
            return Preparation(wanted.prepare, wanted.directory) if wanted.prepare else None
        migrate = self.run.migrate if wanted.database else None
        return Preparation(migrate, self.app.directory, MIGRATION_FILES) if migrate else None

    @property
    def checks(self) -> tuple[str, ...]:
        """Return the names of the checks that `ci` makes of this file, beside the security scans."""
        names = [*self.quality, *self.suites, COMPATIBILITY]
        names += ["coverage"] if self.coverage else []
        names += [LOAD] if self.performance else []
        compared = self.performance and any(suite.benchmarks for suite in self.suites.values())
        return (*names, BENCHMARKS) if compared else tuple(names)

    @model_validator(mode="before")
    @classmethod
    def _said_in_run(cls, raw: Any) -> Any:
        return with_database(with_directory(with_health(raw)))

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if twice := set(self.quality) & set(self.suites):
            name = sorted(twice)[0]
            raise ValueError(f"quality.{name} and suites.{name}: a check's name is unique; call one of them otherwise")
        if twice := {name for name in self.checks if self.checks.count(name) > 1}:
            name = sorted(twice)[0]
            table = "quality" if name in self.quality else "suites"
            raise ValueError(f"{table}.{name}: {name} is the name of a check of its own; call it otherwise")
        return self

    @model_validator(mode="after")
    def _needs_no_shell(self) -> Self:
        refuse_shell(self.run)
        refuse_shell_in_checks(self._commands_of_checks())
        return self

    def _commands_of_checks(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the commands beside those of [run], each with its key."""
        for number, step in enumerate(self.build):
            yield from ((f"build.{number}.commands", command) for command in step.commands)
        for name, suite in self.suites.items():
            yield f"suites.{name}.command", suite.command
            if suite.prepare:
                yield f"suites.{name}.prepare", suite.prepare
        yield from ((f"quality.{name}.command", tool.command) for name, tool in self.quality.items())

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        wanted = [name for name, suite in self.suites.items() if suite.min_coverage is not None]
        if wanted and self.coverage is None:
            raise ValueError(f"suites.{wanted[0]}.min_coverage needs the section [coverage]")
        for name in wanted:
            if self.suites[name].alone or self.suites[name].command[:3] != ("python", "-m", "pytest"):
                raise ValueError(
                    f"suites.{name}.min_coverage: only a suite that is not alone and whose command begins with "
                    "python -m pytest is measured"
                )
        return self


def read_pipeline(file: Path = CHECKOUT / "config" / "pipeline.toml") -> Pipeline:
    """Read and check the file. Raises ConfigError, which names the file, the key, what it got and what was expected.

    The environment overrides what OVERRIDES names; in `app.repository` `{home}` stands for the state directory and
    `{release}` for this checkout.
    """
    if not file.exists():
        raise ConfigError(f"{file}: no such file; it describes the app that is released")
    raw = read_toml(file)
    for variable, (section, key) in OVERRIDES.items():
        value = os.environ.get(variable)
        if value and isinstance(raw.setdefault(section, {}), dict):
            raw[section][key] = value
    pipeline = checked(Pipeline, raw, file)
    place = pipeline.app.repository.replace("{home}", str(Home.find().root)).replace("{release}", str(CHECKOUT))
    return pipeline.model_copy(update={"app": pipeline.app.model_copy(update={"repository": place})})
