"""What Alertmanager's webhook says (Prometheus, "Alerting: Configuration", webhook_config; version 4)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, StringConstraints, ValidationError

from gates.documents import Foreign, first_fault

MOST_ALERTS = 200
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Text = Annotated[str, StringConstraints(max_length=4000)]
Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{12,64})?$")]


class Malformed(Exception):
    """The body is not what Alertmanager would send; the message says what is wrong with it."""


@dataclass(frozen=True)
class Fired:
    """One alert. `digest` is what it blames itself, "" when it names none; `over`: it is resolved.

    `environment` is "" when it is about none of an app's. Texts come from outside.
    """

    name: str
    environment: str
    severity: str
    digest: str
    summary: str
    runbook: str
    fingerprint: str
    starts: datetime
    over: bool

    @property
    def mark(self) -> str:
        """Return what tells this alert from every other, its end included in it."""
        return f"{self.fingerprint}/{self.starts.isoformat()}"

    @property
    def critical(self) -> bool:
        return self.severity == "critical"


class _Part(Foreign, of="Alertmanager's webhook"):
    pass


class _Labels(_Part):
    alertname: Name
    environment: Annotated[str, StringConstraints(max_length=60)] = ""
    severity: Annotated[str, StringConstraints(max_length=60)] = ""
    digest: Digest = ""


class _Annotations(_Part):
    summary: Text = ""
    description: Text = ""
    runbook: Text = ""
    runbook_url: Text = ""


class _Alert(_Part):
    status: Literal["firing", "resolved"]
    labels: _Labels
    annotations: _Annotations = _Annotations()
    startsAt: datetime
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]


def _few(alerts: object) -> object:
    """Refuse too many before each is looked at: a body of nothing but mistakes would have seconds' worth of them."""
    if isinstance(alerts, list) and len(alerts) > MOST_ALERTS:
        raise ValueError(f"{len(alerts)} alerts, expected at most {MOST_ALERTS}")
    return alerts


class _Body(_Part):
    version: Literal["4"]
    alerts: Annotated[tuple[_Alert, ...], BeforeValidator(_few)]


def read_alerts(body: bytes, environments: Collection[str]) -> tuple[Fired, ...]:
    """Return the alerts of a webhook's body; `environments` are the names that count as ours. Raises Malformed."""
    try:
        seen = _Body.model_validate_json(body)
    except ValidationError as error:
        raise Malformed(first_fault(error)[:300]) from error
    try:
        return tuple(_fired(one, environments) for one in seen.alerts)
    except OverflowError as error:
        raise Malformed("alerts: startsAt: a time that no clock shows") from error


def _fired(one: _Alert, environments: Collection[str]) -> Fired:
    labels, said = one.labels, one.annotations
    starts = one.startsAt if one.startsAt.tzinfo else one.startsAt.replace(tzinfo=UTC)
    return Fired(
        name=labels.alertname,
        environment=labels.environment if labels.environment in environments else "",
        severity=labels.severity,
        digest=labels.digest,
        summary=" ".join((said.summary or said.description or labels.alertname).split()),
        runbook=(said.runbook or said.runbook_url).strip(),
        fingerprint=one.fingerprint,
        starts=starts.astimezone(UTC),
        over=one.status == "resolved",
    )


def runbook_link(runbook: str, base: str) -> str:
    """Return where to read on: an address as it is, else the place in our own runbook at `base`; "" when neither is.

    What would not be one address in a message is none: the text comes from outside.
    """
    if runbook.startswith(("https://", "http://")):
        link = runbook
    else:
        _, mark, place = runbook.partition("#")
        link = f"{base}#{place}" if mark and base else base
    return link if link and not any(sign in link for sign in " <>|\"'\n\t") else base
