"""What the services of compose files are built of: which Dockerfile, and what the build gives it."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from gates.scans.compose_reach import mapping
from gates.scans.compose_tree import Part, extended
from gates.scans.dockerfiles.judge import filled
from gates.scans.dockerfiles.stages import Asked


def builds_of(part: Part, documents: Mapping[str, Any]) -> Iterator[tuple[str, Asked]]:
    """Yield the Dockerfile, as a path in the tree, and what the build asks of it, for each service that is built.

    `documents` are all of the tree. What is no plain path (variables, addresses) names no file of the commit, and a
    release refuses it. Raises ReportError for a service that extends what is not there.
    """
    names = dict.fromkeys(name for file in part.files for name in mapping(mapping(documents.get(file)).get("services")))
    for name in names:
        build = extended(part, name, documents).get("build")
        if isinstance(build, dict):
            paths = [build.get("context") or ".", build.get("dockerfile") or "Dockerfile"]
            texts = [
                path for path in paths if isinstance(path, str) and not set("$\0") & set(path) and "://" not in path
            ]
            if len(texts) == len(paths):
                yield posixpath.normpath(posixpath.join(part.folder, *texts)), _asked(build)


def _asked(build: Mapping[str, Any]) -> Asked:
    target = filled(str(build.get("target") or ""), {})
    given = {str(name): _value(value) for name, value in mapping(build.get("args")).items()}
    # where a variable decides the stage, the last one is looked at: compose_reach.py tells of it
    contexts = map(str, mapping(build.get("additional_contexts")))
    return Asked.of("" if "$" in target else target, given, contexts)


def _value(given: Any) -> str | None:
    """Return an argument's value, None where it comes from a variable that nobody here knows."""
    text = filled(given, {}) if isinstance(given, str) else given
    if text is None or isinstance(text, str) and "$" in text.replace("$$", ""):
        return None
    return str(text).replace("$$", "$") if isinstance(text, str | int | float) else None
