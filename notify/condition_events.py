"""The events `slipway.healthy`, `slipway.degraded` and `slipway.unhealthy`: what automations act on."""

import uuid
from datetime import UTC, datetime
from typing import Any

from deployments.environment import Environment
from deployments.journal.ledger import Ledger
from deployments.rollback import situation
from gates.notify.messages import cut
from gates.release.condition import Condition, Look
from gates.release.operation import Version
from gates.release.rollback import refuse_automatic

# The event's id follows from what it tells: the server drops one that it has seen.
NAMESPACE = uuid.UUID("0c8f5b0a-5d38-4a7e-9d5e-6f3a1d2b7c90")
LONGEST_REASON = 500


def condition_event(
    place: Environment,
    ledger: Ledger,
    look: Look,
    source: str,
    mark: str,
    blamed: Version | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Return the event of a condition, as Prefect's API takes it. `mark` makes its id: the same one counts once.

    The resource is `slipway.environment.<name>`; its label `slipway.rollback` is "wanted" when a rollback from what is
    blamed (`blamed`, else what is live) must be tried, or must call a person. The payload holds strings only: Prefect
    refuses a run whose str parameter gets a number, and says so nowhere.
    """
    now = datetime.now(UTC)
    version = blamed or (ledger.live.version if ledger.live else None)
    digest = version.digest if version else ""
    bad = look.condition is Condition.UNHEALTHY
    refusal = refuse_automatic(situation(place, ledger, digest), now)
    wanted = bad and (refusal is None or not refusal.harmless)
    name = f"slipway.{look.condition}"
    return {
        "id": str(uuid.uuid5(NAMESPACE, f"{name}/{place.name}/{mark}")),
        "occurred": now.isoformat(),
        "event": name,
        "resource": {
            "prefect.resource.id": f"slipway.environment.{place.name}",
            "prefect.resource.name": place.name,
            "slipway.rollback": "wanted" if wanted else "no",
            "slipway.version": version.version if version else "",
            "slipway.digest": digest,
            "slipway.source": source,
        },
        "payload": {
            "environment": place.name,
            "digest": digest,
            "version": version.version if version else "",
            "blamed": note or "what was live when it was seen",
            "reason": cut(f"{source}: {look.reason}", LONGEST_REASON),
        },
    }
