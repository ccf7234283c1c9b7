"""Reader of `config/notify.toml`: channels for messages, and where commits come from. Every key has a default."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gates.documents import first_error
from host.errors import ConfigError
from host.home import CHECKOUT
from settings.toml_files import key_of, near_key, read_toml

FILE = CHECKOUT / "config" / "notify.toml"
REFERENCE = r"file:.+|env:[A-Za-z_][A-Za-z0-9_]*|block:[a-z0-9-]+/[A-Za-z0-9_. -]+"
Reference = Annotated[str, Field(pattern=f"^(?:{REFERENCE})?$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
Branch = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Receiver(Section):
    """The receiver of webhooks."""

    host: str = "127.0.0.1"
    """Address on which it listens. `SLIPWAY_RECEIVER_HOST` overrides it."""
    port: int = Field(4210, ge=1, le=65535)
    """Port on which it listens. `SLIPWAY_RECEIVER_PORT` overrides it."""
    largest_bytes: int = Field(5_000_000, ge=1000, le=25_000_000)  # GitHub sends at most 25 MB
    """Largest webhook that is accepted."""
    replay_hours: float = Field(72, gt=0, le=720)
    """Older events are refused. Deliveries are remembered longer."""


class GitHub(Section):
    """The repository on GitHub, and what is reported there."""

    api_url: Url = "https://api.github.com"
    """Address of the API, of GitHub Enterprise for example."""
    repository: Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100})?$")] = ""
    """`owner/name`. Webhooks of other repositories start nothing. Empty: of any."""
    token: Reference = ""
    """Reference of the token. Empty: nothing is reported to GitHub."""
    webhook_secret: Reference = "file:{home}/keys/github-webhook"
    """Reference of the webhooks' secret."""
    branches: tuple[Branch, ...] = ("main", "develop")
    """Pushes to these branches, pull requests that target them, and what a merge queue has for them are checked."""
    release_on_green: tuple[Branch, ...] = ("develop",)
    """Green pushes to these branches are released to development."""
    forks: bool = False
    """Check pull requests from forks."""
    poll_seconds: float = Field(0, ge=0, le=3600)
    """How often GitHub is polled for new commits. 0: never."""
    statuses: bool = True
    """Report a commit status for each check."""
    comments: bool = True
    """Report in one comment of the pull request."""
    deployments: bool = True
    """Report releases and rollbacks as GitHub deployments."""
    sarif: bool = False
    """Report findings in the Security tab."""
    releases: bool = False
    """Make a GitHub release of a version, with notes from its commits."""


class Notify(Section):
    """The whole file."""

    receiver: Receiver = Receiver()
    github: GitHub = GitHub()
    ui_url: Url | None = None
    """Where people reach Prefect's UI, for links. Empty: this host's own address."""
    runbook_url: Url | None = None
    """Runbook that bad news link to."""
    channels: Mapping[str, Mapping[str, Any]] = Field({}, exclude=True)
    """Tables of channels, by name. notify/channels checks what is in them."""

    @model_validator(mode="before")
    @classmethod
    def _collect_channels(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "channels" in raw:
            return raw
        channels = {key: table for key, table in raw.items() if key not in cls.model_fields and isinstance(table, dict)}
        rest = {key: value for key, value in raw.items() if key not in channels}
        return rest | {"channels": channels}

    @property
    def environment_names(self) -> tuple[str, ...]:
        """Return the environment variables that its secrets stand in."""
        values: list[Any] = [
            self.github.token,
            self.github.webhook_secret,
            *(v for t in self.channels.values() for v in t.values()),
        ]
        return tuple(v.removeprefix("env:") for v in values if isinstance(v, str) and v.startswith("env:"))


def read_notify(file: Path | None = None) -> Notify:
    """Read and check the file; an absent one means all defaults. Raises ConfigError, which names file, key, got and
    expected.

    `SLIPWAY_NOTIFY` names another file, `SLIPWAY_RECEIVER_HOST` and `SLIPWAY_RECEIVER_PORT` override the receiver's.
    """
    file = file or Path(os.environ.get("SLIPWAY_NOTIFY") or FILE)
    raw = read_toml(file) if file.exists() else {}
    if "channels" in raw:
        raise ConfigError(f"{file}: channels: no such table; a channel's table has its own name, such as [slack]")
    for key in ("host", "port"):
        name = f"SLIPWAY_RECEIVER_{key.upper()}"
        if name in os.environ and isinstance(raw.setdefault("receiver", {}), dict):
            raw["receiver"][key] = os.environ[name]
    try:
        return Notify.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{file}: {first_mistake(error)}{near_key(Notify, error)}") from error


def first_mistake(error: ValidationError, table: str = "") -> str:
    """Return key and reason of the first mistake, never the value: it may be the secret itself."""
    return f"{key_of(error, table)}: {first_error(error)['msg']}; secrets are references: file:, env: or block:"
