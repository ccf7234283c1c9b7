"""The story of the demo: a service, its versions as patches, and the expected outcome of each."""

import shutil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from host.errors import ConfigError
from host.git import NO_USER_SETTINGS, git
from settings.toml_files import checked, read_toml


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
    return checked(Story, {**read_toml(file), "directory": directory}, file)


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
    git("init", "-q", "-b", "main", at=repository, env=NO_USER_SETTINGS)
    for version in story.version:
        if version.patch:
            patch = str((story.directory / version.patch).resolve())
            git("apply", "--whitespace=nowarn", patch, at=repository, env=NO_USER_SETTINGS)
        git("add", "-A", at=repository, env=NO_USER_SETTINGS)
        who = {
            **NO_USER_SETTINGS,
            "GIT_AUTHOR_NAME": version.author.name,
            "GIT_AUTHOR_EMAIL": version.author.email,
            "GIT_COMMITTER_NAME": version.author.name,
            "GIT_COMMITTER_EMAIL": version.author.email,
            "GIT_AUTHOR_DATE": DATE,
            "GIT_COMMITTER_DATE": DATE,
        }
        git("commit", "-q", "--allow-empty", "-m", version.message, at=repository, env=who)
        git("tag", version.name, at=repository, env=NO_USER_SETTINGS)
