"""Read a team's compose file with compose itself: only what lies in the artifact, secrets veiled."""

import json
import re
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from deployments.runtimes.compose.contain import NOTHING, contain
from deployments.runtimes.compose.files import veil
from host.docker.engine import Engine
from host.errors import ConfigError

READ_TIMEOUT_S = 30
UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
LARGEST = 2_000_000


def read_model(
    engine: Engine, file: Path, top: Path, project: str, settings: Mapping[str, str], secrets: Collection[str]
) -> tuple[Mapping[str, Any], list[str]]:
    """Return the file's model: includes and extensions resolved, paths absolute, variables from `settings`; and what
    of the file was kept from compose, each with the way out.

    `top` is the directory of the artifact's files: nothing else is read. A secret's value never comes near: ${NAME} of
    one stays a reference. ConfigError: the file is no plain YAML, compose refuses it, or it names a variable that is
    set nowhere, which compose itself takes for an empty one.
    """
    if not file.is_file():
        raise ConfigError(f"{file.name}: the artifact has no such compose file; see [image] of config/pipeline.toml")
    known = {*settings, *secrets}
    with tempfile.TemporaryDirectory(prefix="compose-") as scratch:
        found = contain(file, top, Path(scratch), known)
        env = {**settings, **{name: veil(name) for name in secrets}}
        words = ["compose", "--env-file", NOTHING, "--project-directory", str(file.resolve().parent), "-p", project]
        words += ["-f", str(found.copy), "config", "--format", "json"]
        code, output, errors = engine.run(words, env, READ_TIMEOUT_S)
    for copy, name in found.names.items():
        errors = errors.replace(str(copy), name)
    problems = list(found.problems)
    if unset := sorted(set(UNSET.findall(errors))):
        problems.append(
            f"{', '.join(unset)}: set nowhere; set APP_{unset[0]} or SECRET_{unset[0]} in config/<environment>.env, or "
            "give it a default: ${NAME:-default}"
        )
    if code and not problems:
        problems.append(f"compose refuses it: {errors.strip()[-600:]}")
    if code:
        raise ConfigError(f"{file.name}: " + "; ".join(problems))
    model = _model(file, output)
    return model, [*problems, *_unset(model, known)]


def _model(file: Path, output: str) -> Mapping[str, Any]:
    try:
        model = json.loads(output) if len(output) <= LARGEST else None
    except ValueError as error:
        raise ConfigError(f"{file.name}: compose printed no JSON: {error}") from error
    if not isinstance(model, dict):
        raise ConfigError(f"{file.name}: compose printed no model of at most {LARGEST} bytes")
    return model


def _unset(model: Mapping[str, Any], known: Collection[str]) -> list[str]:
    return [
        f"service {name}: {variable} has no value; set APP_{variable} or SECRET_{variable} in config/<environment>.env"
        for name, service in (model.get("services") or {}).items()
        for variable, value in (service.get("environment") or {}).items()
        if value is None and variable not in known
    ]
