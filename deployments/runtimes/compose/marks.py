"""What of a service compose does not print: carried through it by labels that no file can hold."""

import re
from collections.abc import Mapping
from typing import Any

from deployments.runtimes.compose.judge import SENTINEL

# What an image is called by hand, where a variable names it: compose puts the variable's value in its place.
DEFAULT = "x-slipway-defaults"
# Where a service says `read_only: false`.
READ_ONLY = "x-slipway-read-only"
_LABELS = {DEFAULT: SENTINEL.format("DEFAULT"), READ_ONLY: SENTINEL.format("READ_ONLY")}
_DEFAULTED = re.compile(r"\$\{(\w+):?-(.*)\}", re.DOTALL)


def with_marks(service: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a service with labels that say which variable names its image, with its name without that, and the
    place where it says that it is not read-only.
    """
    marks = {}
    if "image" in service:
        found = _DEFAULTED.fullmatch(service["image"]) if isinstance(service["image"], str) else None
        marks[_LABELS[DEFAULT]] = f"{found[1]} {found[2]}" if found else ""
    if isinstance(service.get("read_only"), bool):
        marks[_LABELS[READ_ONLY]] = "" if service["read_only"] else place.replace("$", "$$")
    labels = service.get("labels") or {}
    if not marks or not isinstance(labels, list | Mapping):
        return dict(service)
    if isinstance(labels, list):
        return {**service, "labels": [*labels, *(f"{key}={value}" for key, value in marks.items())]}
    return {**service, "labels": {**labels, **marks}}


def take_marks(model: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Take the labels of `with_marks` out of a model as compose printed it; return what they say, by service."""
    found: dict[str, dict[str, str]] = {mark: {} for mark in _LABELS}
    for name, service in (model.get("services") or {}).items():
        labels = service.get("labels") or {}
        for mark, label in _LABELS.items():
            if text := labels.pop(label, ""):
                found[mark][name] = str(text)
        if "labels" in service and not labels:
            del service["labels"]
    return found
