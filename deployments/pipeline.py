"""The app that this installation releases: `config/pipeline.toml`."""

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deployments.home import CHECKOUT, Home
from evidence.bundle import Command, Run
from evidence.errors import ConfigError

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,30}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class App(_Section):
    """Which app, and where its commits come from."""

    # Also the name of its database and of that database's role, hence no dash.
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,30}$")]
    repository: str = Field(min_length=1)
    branch: str = "main"
    python: Annotated[str, Field(pattern=r"^3\.\d+$")] = "3.11"


class Locks(_Section):
    """The app's hash-locked requirements: what it runs with, is checked with, and is smoke-tested with."""

    runtime: str
    ci: str
    smoke: str | None = None

    @property
    def shipped(self) -> tuple[str, ...]:
        """Return the locks whose wheels go into the artifact."""
        return (self.runtime, self.smoke) if self.smoke else (self.runtime,)


class BuildStep(_Section):
    """A step that makes files which the source archive lacks, such as a built frontend."""

    name: Name
    directory: str = "."
    commands: tuple[Command, ...] = Field(min_length=1)
    inputs: tuple[str, ...] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    timeout_seconds: float = Field(600, gt=0)


class Tool(_Section):
    """A code-quality tool and its command, run in the app's environment."""

    command: Command
    timeout_seconds: float = Field(300, gt=0)


class Suite(_Section):
    """A test suite: a pytest command; Slipway adds `--junitxml`. `database` gives it a fresh PostgreSQL database."""

    command: Command
    database: bool = False
    timeout_seconds: float = Field(600, gt=0)
    environment: dict[str, str] = Field(default_factory=dict)


class Pipeline(_Section):
    """The whole file, checked."""

    app: App
    locks: Locks
    run: Run
    build: tuple[BuildStep, ...] = ()
    quality: dict[Name, Tool] = Field(default_factory=dict)
    suites: dict[Name, Suite] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Return a digest of everything in the file: evidence holds for the rules by which it was made."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if twice := set(self.quality) & set(self.suites):
            raise ValueError(f"{sorted(twice)[0]} names both a quality tool and a suite; a check's name is unique")
        return self


def read_pipeline(file: Path = CHECKOUT / "config" / "pipeline.toml") -> Pipeline:
    """Read and check the file. ConfigError names the file, the key, what it got and what was expected.

    `SLIPWAY_REPOSITORY` overrides `app.repository`; `{home}` in it stands for the state directory.
    """
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: no such file; it describes the app that is released") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    repository = os.environ.get("SLIPWAY_REPOSITORY")
    if repository and isinstance(raw.setdefault("app", {}), dict):
        raw["app"]["repository"] = repository
    try:
        pipeline = Pipeline.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file as a whole"
        got = "" if first["type"] == "missing" or not first["loc"] else f"got {str(first['input'])[:120]!r}, "
        raise ConfigError(f"{file}: {key}: {got}{first['msg']}") from error
    place = pipeline.app.repository.replace("{home}", str(Home.find().root))
    return pipeline.model_copy(update={"app": pipeline.app.model_copy(update={"repository": place})})
