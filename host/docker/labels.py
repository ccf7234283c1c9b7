"""The labels by which containers, networks and volumes are known: the engine's own, and ours."""

import hashlib
from pathlib import Path

PROJECT = "com.docker.compose.project"


def owner(home: Path, environment: str) -> dict[str, str]:
    """Return the labels by which everything of an environment of this home is known."""
    mark = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return {"slipway.home": mark, "slipway.environment": environment}
