"""The app that this installation releases: `config/pipeline.toml`."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evidence.bundle import Command, Run
from gates.checks.reports import Reads
from gates.scans.policy import Allowed
from host.errors import ConfigError
from host.home import CHECKOUT, Home
from host.resources.shares import Shares
from settings.toml_files import checked, read_toml

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,30}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")]
OVERRIDES = {
    "SLIPWAY_REPOSITORY": ("app", "repository"),
    "SLIPWAY_OSV_URL": ("scans", "osv_url"),
    "SLIPWAY_NPM_AUDIT_URL": ("scans", "npm_audit_url"),
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class App(_Section):
    """Which app, and where its commits come from.

    What `ci` finds out on `protected` branches every other run may rely on; other branches only on their own.
    `app_memory_mb` (million bytes) and `app_processes` (threads count) are the most that one program of a check may
    use, with all that it starts: a suite, a tool, a build step, the app of a load test. `credentials_block` names a
    Prefect block (github-credentials) with the token that reads a private repository.
    """

    # Also the name of its database and of that database's role, hence no dash.
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,30}$")]
    repository: str = Field(min_length=1)
    branch: str = "main"
    protected: tuple[str, ...] = ("main", "develop")
    python: Annotated[str, Field(pattern=r"^3\.\d+$")] = "3.11"
    app_memory_mb: int = Field(4096, ge=256, le=1_000_000)
    app_processes: int = Field(512, ge=64, le=100_000)
    # Not dumped, so not in the digest of the rules: who may read the repository decides no check.
    credentials_block: str = Field("", exclude=True)

    @model_validator(mode="after")
    def _logs_in_over_https(self) -> Self:
        if self.credentials_block and not self.repository.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("credentials_block: expected a repository that begins with https://")
        return self

    @property
    def shares(self) -> Shares:
        """Return what one program of a check may use."""
        return Shares(self.app_memory_mb, self.app_processes)


class Locks(_Section):
    """The app's hash-locked requirements: what it runs with, is checked with, and is smoke-tested with.

    `others` are further ones, of tools and documentation: they are audited, and nothing is installed from them.
    """

    runtime: str
    ci: str
    smoke: str | None = None
    others: tuple[str, ...] = ()

    @property
    def shipped(self) -> tuple[str, ...]:
        """Return the locks whose wheels go into the artifact."""
        return (self.runtime, self.smoke) if self.smoke else (self.runtime,)

    @property
    def every(self) -> tuple[str, ...]:
        """Return all locks, each once, what the app runs with first."""
        named = (self.runtime, self.ci, self.smoke, *self.others)
        return tuple(dict.fromkeys(lock for lock in named if lock))


class BuildStep(_Section):
    """A step that makes files which the source archive lacks, such as a built frontend."""

    name: Name
    directory: str = "."
    commands: tuple[Command, ...] = Field(min_length=1)
    inputs: tuple[str, ...] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    timeout_seconds: float = Field(600, gt=0)


class Tool(_Section):
    """A code-quality tool and its command, run in the app's environment (`runtime` python) or with the frontend's
    packages (`node`).

    `reads` names how its report is read (gates/checks/reports.py); without it the tool's own name, else `lines`.
    `inputs` are globs (.gitignore's syntax) of what its result depends on: while none of it changes, the earlier
    verdict holds; of them it should look at every file of its kind. `retries` repeat a crash or a time-out, never
    findings.
    """

    command: Command
    reads: Reads | None = None
    runtime: Literal["python", "node"] = "python"
    directory: str = "."
    inputs: tuple[str, ...] = ("**",)
    timeout_seconds: float = Field(300, gt=0)
    retries: int = Field(0, ge=0, le=3)


class Suite(_Section):
    """A test suite: a pytest command; Slipway adds what it needs to read results and coverage.

    `database` gives it a fresh PostgreSQL database, `redis` a fresh Redis. `inputs` are globs of what its result
    depends on. A test named in `known_flaky` ("tests/test_a.py::test_b", all its parameters included) is repeated up to
    `retries` times, and told as flaky when it passes then.
    `covers` are globs (gitignore's syntax) of the Python files that this suite answers for, without it all that
    [coverage] covers; `min_coverage` is the percentage of them that must be exceeded. `alone` keeps other checks from
    running beside it, and coverage away from it: both would change what it measures.
    """

    command: Command
    database: bool = False
    redis: bool = False
    alone: bool = False
    benchmarks: bool = False
    inputs: tuple[str, ...] = ("**",)
    timeout_seconds: float = Field(600, gt=0)
    environment: dict[str, str] = Field(default_factory=dict)
    known_flaky: tuple[str, ...] = ()
    retries: int = Field(0, ge=0, le=5)
    covers: tuple[str, ...] = ()
    min_coverage: float | None = Field(None, ge=0, lt=100)


class Coverage(_Section):
    """Coverage over all suites together. Percentages, compared unrounded; `min_changed` is of the changed lines.

    `covers` are globs (gitignore's syntax) of the Python files that count, imported or not. `exclude` are regular
    expressions of lines that do not count, beside coverage's own; what the app itself excludes counts.
    """

    covers: tuple[str, ...] = Field(min_length=1)
    min_total: float = Field(85, ge=0, le=100)
    min_changed: float | None = Field(None, ge=0, le=100)
    exclude: tuple[str, ...] = ("if __name__ == .__main__.:",)


class Performance(_Section):
    """A load test by locust against the app, alone on the machine. Limits: seconds, MB (a million bytes), percent of
    `cpu_cores` cores, fractions.

    `locustfile` is the app's; Slipway sets users, ramp (`spawn_rate` users a second) and duration. `database` and
    `redis` give the app fresh ones of its own, `environment` goes to the app and to the locustfile. `query_metric` is
    the name of the app's Prometheus histogram of query times, in seconds. Fewer than `min_requests` requests are no
    verdict. Differences below `regression_floor_seconds` are not judged.
    `max_benchmark_regression_percent` holds for the medians of pytest-benchmark against the base version's.
    Figures of speed are compared with those of the base version, measured in turn in the same run; pairs are added
    until all is decided or `compare_seconds` are spent (0: no comparison).
    """

    locustfile: str = Field(min_length=1)
    users: int = Field(10, ge=1)
    spawn_rate: float = Field(5, gt=0)
    duration_seconds: float = Field(30, ge=1)
    startup_seconds: float = Field(60, gt=0)
    database: bool = False
    redis: bool = False
    metrics_path: Annotated[str, Field(pattern="^/")] = "/metrics"
    query_metric: Annotated[str, Field(pattern="^([a-zA-Z_:][a-zA-Z0-9_:]*)?$")] = ""
    environment: dict[str, str] = Field(default_factory=dict)
    inputs: tuple[str, ...] = ("**",)
    min_requests: int = Field(100, ge=20)
    max_api_p95_seconds: float = Field(2, gt=0)
    max_query_p95_seconds: float = Field(0.5, gt=0)
    max_memory_mb: float = Field(512, gt=0)
    cpu_cores: float = Field(1, gt=0)
    max_cpu_percent: float = Field(80, gt=0)
    max_error_rate: float = Field(0.01, ge=0, le=1)
    max_regression_percent: float = Field(25, gt=0)
    regression_floor_seconds: float = Field(0.001, ge=0)
    max_benchmark_regression_percent: float = Field(25, gt=0)
    compare_seconds: float = Field(60, ge=0)


class Scans(_Section):
    """The security scans. `accepted` names scans that may stay un-run, each with the reason, said loudly everywhere.

    `require_...` make the absence of a tool no verdict. `trufflehog_verifies` sends what it finds to the vendors, to
    report only what is in use. `debian_security_url` is the archive with the security suites ("": this host's own).

    `osv_url` and `npm_audit_url` are where advisories come from, without a path; SLIPWAY_OSV_URL and
    SLIPWAY_NPM_AUDIT_URL override them, and an empty `npm_audit_url` is npm's own choice. A mirror whose newest record
    is older than `max_advisory_age_hours` is not believed. `private_packages` are globs of names that no advisory
    source knows and none is asked about. `max_suppressions` is how many comments (nosec, nosemgrep, noqa,
    kingfisher:ignore) the tree may hold. `code_excludes` are globs (gitignore's syntax) that `code` and `sast` leave
    out, `open_routes` globs of file::function: routes that may change things without knowing the caller. `allow` are
    policy findings of this app that are accepted for good, as config/policy.toml has those of every app.
    """

    accepted: dict[Name, Annotated[str, Field(min_length=10)]] = Field(default_factory=dict)
    osv_url: Address = "https://api.osv.dev"
    npm_audit_url: Address | Literal[""] = ""
    max_advisory_age_hours: float = Field(48, gt=0)
    private_packages: tuple[str, ...] = ()
    max_suppressions: int = Field(20, ge=0)
    code_excludes: tuple[str, ...] = ("tests/", "test_*.py", "conftest.py")
    open_routes: tuple[str, ...] = ()
    allow: tuple[Allowed, ...] = ()
    require_trufflehog: bool = False
    trufflehog_verifies: bool = False
    require_trivy: bool = False
    debian_security_url: str = Field("", pattern="^(https?://.*)?$")


class ImageBuild(_Section):
    """The container image, for the `compose` runtime. Paths lie in the app's repository, or in this one: {release}/...

    `compose` names the compose file of each environment. With a `registry` (host/name, without a tag) the image is
    pushed there and promoted by digest; without one only the engine that builds it has it. `engine_block` and
    `registry_block` name Prefect blocks (docker-host, docker-registry-credentials) with the engine's address and the
    registry's login; without them the host's own settings count.
    """

    dockerfile: str = "Dockerfile"
    compose: dict[Literal["development", "staging", "production"], str] = Field(min_length=1)
    registry: Annotated[str, Field(pattern=r"^(|[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+)$")] = ""
    engine_block: str = ""
    registry_block: str = ""
    timeout_seconds: float = Field(900, gt=0)


class Pipeline(_Section):
    """The whole file, checked."""

    app: App
    locks: Locks
    run: Run
    build: tuple[BuildStep, ...] = ()
    quality: dict[Name, Tool] = Field(default_factory=dict)
    suites: dict[Name, Suite] = Field(default_factory=dict)
    image: ImageBuild | None = None
    coverage: Coverage | None = None
    performance: Performance | None = None
    scans: Scans = Field(default_factory=Scans)

    @property
    def digest(self) -> str:
        """Return a digest of everything in the file: evidence holds for the rules by which it was made."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if twice := set(self.quality) & set(self.suites):
            raise ValueError(f"{sorted(twice)[0]} names both a quality tool and a suite; a check's name is unique")
        return self

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
    """Read and check the file. ConfigError names the file, the key, what it got and what was expected.

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
