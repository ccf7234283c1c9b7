"""The story of the demo: a service, its versions as patches, and the expected outcome of each."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host.errors import ConfigError, ToolError


class Author(BaseModel):
    """Author of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    email: str


class Version(BaseModel):
    """One version: a commit on top of the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^v\d+$")
    message: str
    author: Author
    patch: str | None = None
    expected: Literal["Promoted", "RolledBack"] = "Promoted"


class Story(BaseModel):
    """`story.toml`. `directory` is its folder, `app` the service beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: Path
    app: str = "../assistant"
    version: tuple[Version, ...] = Field(min_length=3, max_length=3)

    @property
    def traffic(self) -> Path:
        """Return the profile of production's traffic."""
        return self.directory / "traffic.toml"


def read_story(directory: Path) -> Story:
    """Read and check a story. Raises ConfigError with file and key."""
    file = directory / "story.toml"
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        return Story.model_validate({**raw, "directory": directory})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


# All commits bear one date: the same story gives the same commits and so the same artifacts, on every machine.
DATE = "2026-01-01T00:00:00+00:00"


def make_repository(story: Story, repository: Path) -> None:
    """Make a fresh git repository with one tagged commit for each version. Replaces an existing one."""
    app = (story.directory / story.app).resolve()
    if not app.is_dir():
        raise ConfigError(f"{story.directory / 'story.toml'}: app: there is no folder {app}")
    shutil.rmtree(repository, ignore_errors=True)
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", ".*_cache", ".coverage*", "static", ".venv")
    shutil.copytree(app, repository, ignore=ignored)
    _git(repository, "init", "-q", "-b", "main")
    for version in story.version:
        if version.patch:
            _git(repository, "apply", "--whitespace=nowarn", str((story.directory / version.patch).resolve()))
        _git(repository, "add", "-A")
        who = {
            "GIT_AUTHOR_NAME": version.author.name,
            "GIT_AUTHOR_EMAIL": version.author.email,
            "GIT_COMMITTER_NAME": version.author.name,
            "GIT_COMMITTER_EMAIL": version.author.email,
            "GIT_AUTHOR_DATE": DATE,
            "GIT_COMMITTER_DATE": DATE,
        }
        _git(repository, "commit", "-q", "--allow-empty", "-m", version.message, env=who)
        _git(repository, "tag", version.name)


def _git(repository: Path, *argv: str, env: dict[str, str] | None = None) -> None:
    command = [
        "git",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "commit.gpgSign=false",
        "-c",
        "core.autocrlf=false",
        *argv,
    ]
    # In a git hook GIT_DIR and the like name the repository that the hook belongs to.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        command,
        cwd=repository,
        env={**clean, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ToolError(f"git {argv[0]} in {repository}: {done.stderr.strip()[-600:]}")
