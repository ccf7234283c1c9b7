"""What a service of a compose file is to a release: its role, and the labels that say so."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

ROLE = "slipway.role"
PORT = "slipway.port"
COMPLETED = "service_completed_successfully"
Services = Mapping[str, Mapping[str, Any]]


class Role(StrEnum):
    """What a release does with a service, by its label `slipway.role`.

    SLOT: one for each colour. SINGLETON: one only, of the live version. SHARED: started once, not a release's business.
    TASK: run to its end once, before the new slot starts.
    """

    SLOT = "slot"
    SINGLETON = "singleton"
    SHARED = "shared"
    TASK = "task"


def awaited(services: Services) -> dict[str, str]:
    """Return the services for whose end another one waits, each with the first that does."""
    found: dict[str, str] = {}
    for name, service in services.items():
        for other, how in (service.get("depends_on") or {}).items():
            if other in services and (how or {}).get("condition") == COMPLETED:
                found.setdefault(other, name)
    return found
