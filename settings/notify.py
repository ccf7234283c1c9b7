"""Whom to tell what, and where commits come from: `config/notify.toml`. Every key has a default."""

import os
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host.errors import ConfigError
from host.home import CHECKOUT

FILE = CHECKOUT / "config" / "notify.toml"
REFERENCE = r"file:.+|env:[A-Za-z_][A-Za-z0-9_]*|block:[a-z0-9-]+/[A-Za-z0-9_. -]+"
Reference = Annotated[str, Field(pattern=f"^(?:{REFERENCE})?$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
Branch = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Receiver(_Section):
    """The receiver of webhooks."""

    host: str = "127.0.0.1"
    """Address on which it listens. `SLIPWAY_RECEIVER_HOST` overrides it."""
    port: int = Field(4210, ge=1, le=65535)
    """Port on which it listens. `SLIPWAY_RECEIVER_PORT` overrides it."""
    largest_bytes: int = Field(5_000_000, ge=1000, le=25_000_000)  # GitHub sends at most 25 MB
    """Largest webhook that is accepted."""
    replay_hours: float = Field(72, gt=0, le=720)
    """Older events are refused. Deliveries are remembered longer."""


class GitHub(_Section):
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
    """Pushes to these branches, and pull requests that target them, are checked."""
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


class Slack(_Section):
    """The Slack workspace. Without `token` messages are pages and log lines."""

    base_url: Url = "https://slack.com/api/"
    """Address of Slack's Web API."""
    token: Reference = ""
    """Reference of the bot token."""
    app_token: Reference = ""
    """Reference of the app token, for the buttons."""
    channel: str = Field("", max_length=80)
    """Id of the channel."""
    team: str = Field("", max_length=40)
    """Id of the workspace. Clicks from another one are refused. Empty: from any."""
    authors: bool = True
    """Send a commit's author direct messages, when Slack knows the e-mail address."""
    timeout_seconds: float = Field(5, ge=0.5, le=60)
    """How long one call may take."""


class Notify(_Section):
    """The whole file, checked."""

    receiver: Receiver = Receiver()
    github: GitHub = GitHub()
    slack: Slack = Slack()
    ui_url: Url | None = None
    """Where people reach Prefect's UI, for links. Empty: this host's own address."""
    runbook_url: Url | None = None
    """Runbook that bad news link to."""

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
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    for key in ("host", "port"):
        name = f"SLIPWAY_RECEIVER_{key.upper()}"
        if name in os.environ and isinstance(raw.setdefault("receiver", {}), dict):
            raw["receiver"][key] = os.environ[name]
    try:
        return Notify.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file as a whole"
        # never the value: somebody may have written the secret itself
        raise ConfigError(f"{file}: {key}: {first['msg']}; secrets are references: file:, env: or block:") from error
