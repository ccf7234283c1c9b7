"""Whom to tell what, and where commits come from: `config/notify.toml`. Every key has a default."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host.errors import ConfigError
from host.home import CHECKOUT
from settings.toml_files import key_of, read_toml

FILE = CHECKOUT / "config" / "notify.toml"
REFERENCE = r"file:.+|env:[A-Za-z_][A-Za-z0-9_]*|block:[a-z0-9-]+/[A-Za-z0-9_. -]+"
Reference = Annotated[str, Field(pattern=f"^(?:{REFERENCE})?$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
Branch = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Receiver(_Section):
    """Where webhooks arrive. `replay_hours`: an event older than this is refused; deliveries are remembered longer."""

    host: str = "127.0.0.1"
    port: int = Field(4210, ge=1, le=65535)
    largest_bytes: int = Field(5_000_000, ge=1000, le=25_000_000)  # GitHub sends at most 25 MB
    replay_hours: float = Field(72, gt=0, le=720)


class GitHub(_Section):
    """The repository on GitHub and what is told there."""

    api_url: Url = "https://api.github.com"
    repository: Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100})?$")] = ""
    token: Reference = ""
    webhook_secret: Reference = "file:{home}/keys/github-webhook"
    branches: tuple[Branch, ...] = ("main", "develop")
    release_on_green: tuple[Branch, ...] = ("develop",)
    forks: bool = False
    poll_seconds: float = Field(0, ge=0, le=3600)
    statuses: bool = True
    comments: bool = True
    deployments: bool = True
    sarif: bool = False
    releases: bool = False


class Slack(_Section):
    """Where messages go. Without `token` they are pages and log lines. `team`: clicks from another one are refused."""

    base_url: Url = "https://slack.com/api/"
    token: Reference = ""
    app_token: Reference = ""
    channel: str = Field("", max_length=80)
    team: str = Field("", max_length=40)
    authors: bool = True
    timeout_seconds: float = Field(5, ge=0.5, le=60)


class Notify(_Section):
    """The whole file, checked. `ui_url` is where people reach Prefect's UI; without it this host's own address."""

    receiver: Receiver = Receiver()
    github: GitHub = GitHub()
    slack: Slack = Slack()
    ui_url: Url | None = None
    runbook_url: Url | None = None

    @property
    def environment_names(self) -> tuple[str, ...]:
        """Return the environment variables that its secrets stand in."""
        references = (self.github.token, self.github.webhook_secret, self.slack.token, self.slack.app_token)
        return tuple(one.removeprefix("env:") for one in references if one.startswith("env:"))


def read_notify(file: Path | None = None) -> Notify:
    """Read and check the file; an absent one means all defaults. ConfigError names file, key, got and expected.

    `SLIPWAY_NOTIFY` names another file, `SLIPWAY_RECEIVER_HOST` and `SLIPWAY_RECEIVER_PORT` override the receiver's.
    """
    file = file or Path(os.environ.get("SLIPWAY_NOTIFY") or FILE)
    raw = read_toml(file) if file.exists() else {}
    for key in ("host", "port"):
        name = f"SLIPWAY_RECEIVER_{key.upper()}"
        if name in os.environ and isinstance(raw.setdefault("receiver", {}), dict):
            raw["receiver"][key] = os.environ[name]
    try:
        return Notify.model_validate(raw)
    except ValidationError as error:
        # never the value: somebody may have written the secret itself
        reason = error.errors()[0]["msg"]
        raise ConfigError(
            f"{file}: {key_of(error)}: {reason}; secrets are references: file:, env: or block:"
        ) from error
