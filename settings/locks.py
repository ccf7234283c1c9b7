"""The table `[locks]` of pipeline.toml: which lock files of the app say what is installed, and which part of each."""

from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar

from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

from gates.lock_formats.selection import Selection

Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$")]


class LockChoice(BaseModel):
    """A lock file, and what of it is wanted: the project's own requirements, with further groups and extras.

    A text is the file alone. It is dumped as it is written, so the digest of the rules stays that of a text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    one_line: ClassVar[bool] = True  # for the reference: a key of its table, and no table

    file: str = Field(min_length=1, max_length=300)
    groups: tuple[Part, ...] = ()
    extras: tuple[Part, ...] = ()
    package: Part | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_is_the_file(cls, raw: Any) -> Any:
        if not isinstance(raw, str | dict | cls):
            raise ValueError("expected the path of a lock, or a table with file, groups, extras, package")
        return {"file": raw} if isinstance(raw, str) else raw

    @field_validator("file")
    @classmethod
    def _lies_in_the_repository(cls, file: str) -> str:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\0" in file:
            raise ValueError("expected a path in the app's repository, without `..`")
        return file

    @model_serializer
    def _as_written(self) -> Any:
        if not (self.groups or self.extras or self.package):
            return self.file
        named = {"file": self.file, "groups": self.groups, "extras": self.extras, "package": self.package}
        return {key: value for key, value in named.items() if value}

    @property
    def selection(self) -> Selection:
        """Return what of the file is wanted. Names of extras and packages are canonical."""
        extras = tuple(sorted({canonicalize_name(extra) for extra in self.extras}))
        package = canonicalize_name(self.package) if self.package else ""
        return Selection(tuple(sorted(set(self.groups))), extras, package)

    def __str__(self) -> str:
        chosen = str(self.selection)
        return f"{self.file} ({chosen})" if chosen else self.file


class Locks(BaseModel):
    """The app's locked requirements: which file, and which part of it. Paths in the app's repository.

    A file is a list of requirements with hashes (`name==version --hash=sha256:...`), or a `uv.lock`, `poetry.lock`,
    `pdm.lock`, `Pipfile.lock` or `pylock.toml`. A text means the project's own requirements; with groups, extras or one
    package of a workspace it is a table: `{ file = "uv.lock", groups = ["dev"], extras = ["postgres"] }`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: LockChoice
    """Requirements of the service: `"requirements.lock"`, or a table with `file`, `groups`, `extras` and `package`."""
    ci: LockChoice
    """Requirements of its checks, the service's among them. With another tool's lock usually a table:
    `{ file = "uv.lock", groups = ["dev"] }`.
    """
    smoke: LockChoice | None = None
    """Requirements of its smoke tests."""
    others: tuple[LockChoice, ...] = ()
    """Further locks, of tools and documentation. They are audited and never installed."""
    # Not dumped when empty, so the digest of the rules is that of a file which lacks it.
    build_from_source: tuple[Part, ...] = Field((), exclude_if=lambda names: not names)
    """Packages of these locks that have no wheel, by name: `["langdetect"]`. The source distribution whose hash the
    lock has is built once, in the sandbox without network, keys and the app's files; its wheel goes into the artifact.
    Only wheels of every other package are installed.
    """

    @field_validator("build_from_source")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        found = [str(canonicalize_name(name)) for name in names]
        if twice := sorted({name for name in found if found.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return tuple(found)

    @property
    def shipped(self) -> tuple[LockChoice, ...]:
        """Return the locks whose wheels go into the artifact."""
        return (self.runtime, self.smoke) if self.smoke else (self.runtime,)

    @property
    def installed(self) -> dict[str, LockChoice]:
        """Return the locks from which something is installed, by key."""
        named = {"runtime": self.runtime, "ci": self.ci, "smoke": self.smoke}
        return {key: lock for key, lock in named.items() if lock}

    @property
    def every(self) -> tuple[LockChoice, ...]:
        """Return all locks, each once, the runtime's first."""
        named = (self.runtime, self.ci, self.smoke, *self.others)
        return tuple(dict.fromkeys(lock for lock in named if lock))

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files of all locks, each once, the runtime's first."""
        return tuple(dict.fromkeys(lock.file for lock in self.every))
