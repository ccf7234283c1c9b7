"""Where Prometheus and the log shipper find what moves: slots change ports with every release.

The form is Prometheus's HTTP service discovery (https://prometheus.io/docs/prometheus/latest/http_sd/): a list of
{"targets": [...], "labels": {...}}.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployments.environment import Environment
from deployments.runtimes.programs import slot_of
from host.home import Home
from services.exporter.measures.journal import Reading

Group = dict[str, Any]


def _up(place: Environment) -> bool:
    return place.supervisor.directory.exists()


def app_targets(readings: Sequence[Reading], metrics_path: str) -> list[Group]:
    """Return the slots that run, each with its environment, slot, version and digest."""
    found = []
    for one in readings:
        for slot, what in sorted(one.ledger.slots.items()):
            if what.running and _up(one.place):
                version = one.ledger.versions.get(what.digest)
                labels = {
                    "environment": one.place.name,
                    "slot": slot,
                    "version": version.version if version else "",
                    "digest": what.digest,
                    "__metrics_path__": metrics_path,
                }
                found.append({"targets": [str(endpoint) for endpoint in what.endpoints], "labels": labels})
    return found


def router_targets(readings: Sequence[Reading], address: str) -> list[Group]:
    """Return each environment's router: its admin socket is ours alone, so the exporter at `address` hands it on."""
    return [
        {
            "targets": [address],
            "labels": {"environment": one.place.name, "__metrics_path__": f"/router/{one.place.name}"},
        }
        for one in readings
        if _up(one.place)
    ]


def log_targets(home: Home, readings: Sequence[Reading]) -> list[Group]:
    """Return the log files of this installation, each with its environment, program, slot and release."""
    found = [_log(file, {"environment": "control"}) for file in _logs(home.control / "supervisor")]
    for one in readings:
        for file in _logs(one.place.supervisor.directory):
            labels = {"environment": one.place.name}
            slot = slot_of(file.stem)
            if slot in one.ledger.slots:
                version = one.ledger.versions.get(one.ledger.slots[slot].digest)
                labels |= {"slot": slot, "release": version.version if version else ""}
            found.append(_log(file, labels))
    return found


def _logs(supervisor: Path) -> list[Path]:
    return sorted(file for file in (supervisor / "log").glob("*.log") if not file.stem.endswith(".previous"))


def _log(file: Path, labels: dict[str, str]) -> Group:
    return {"targets": ["localhost"], "labels": {"__path__": str(file), "program": file.stem, **labels}}
