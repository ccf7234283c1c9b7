"""Events that automations can act on."""

from collections.abc import Sequence
from uuid import UUID

from prefect import runtime
from prefect.events import emit_event
from prefect.logging import get_run_logger

from deployments.environment import Environment
from deployments.overview import Overview
from gates.findings import Finding
from gates.release.condition import Condition, worst
from gates.scans.merge import merge
from gates.scans.security import headline
from notify.condition_events import condition_event

NEW_FINDING = "slipway.finding.new"
SHOWN = 20


def tell_new_findings(environment: str, version: str, digest: str, findings: Sequence[Finding]) -> None:
    """Emit `slipway.finding.new`: these findings are new in what an environment serves. Nothing without findings.

    The resource is `slipway.environment.<name>` with the labels slipway.version, slipway.digest and slipway.worst
    (the worst severity); the payload holds the count and the worst 20. An event that cannot be sent is told in the
    log.
    """
    if not findings:
        return
    merged = merge(findings)
    told = [
        {"severity": str(one.severity), "what": headline(one), "tool": one.tool, "fingerprint": one.fingerprint}
        for one in merged[:SHOWN]
    ]
    sent = emit_event(
        NEW_FINDING,
        resource={
            "prefect.resource.id": f"slipway.environment.{environment}",
            "prefect.resource.name": environment,
            "slipway.version": version,
            "slipway.digest": digest,
            "slipway.worst": str(merged[0].severity),
        },
        payload={"environment": environment, "version": version, "digest": digest, "count": len(merged), "worst": told},
    )
    log = get_run_logger()
    log.warning(
        "%s: %d new findings in %s, which is live; event %s",
        environment,
        len(merged),
        version,
        sent.id if sent else "NOT sent",
    )


def tell_unhealthy(place: Environment, seen: Overview) -> None:
    """Emit `slipway.unhealthy` when what is live was found so; nothing while a release or rollback holds the lease.

    The event blames what is live, and is the same that `watch` emits (notify/condition_events.py).
    """
    look = worst([one.look for one in seen.looked])
    if look.condition is not Condition.UNHEALTHY or place.holder() is not None:
        return
    made = condition_event(place, place.ledger(), look, "monitor", str(runtime.flow_run.id))
    sent = emit_event(made["event"], resource=made["resource"], payload=made["payload"], id=UUID(made["id"]))
    rollback = made["resource"]["slipway.rollback"]
    get_run_logger().warning(
        "%s is told as unhealthy, rollback %s%s", place.name, rollback, "" if sent else ": NOT sent"
    )
