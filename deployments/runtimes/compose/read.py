"""Read a team's compose file with compose itself, secrets veiled."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from deployments.runtimes.compose.files import veil
from host.docker.engine import Engine
from host.errors import ConfigError

READ_TIMEOUT_S = 30
UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
LARGEST = 2_000_000


def read_model(
    engine: Engine, file: Path, project: str, settings: Mapping[str, str], secrets: Collection[str]
) -> Mapping[str, Any]:
    """Return the file's model: includes and extensions resolved, paths absolute, variables from `settings`.

    A secret's value never comes near: ${NAME} of one stays a reference. ConfigError: compose refuses the file, or it
    names a variable that is set nowhere, which compose itself takes for an empty one.
    """
    if not file.is_file():
        raise ConfigError(f"{file.name}: the artifact has no such compose file; see [image] of config/pipeline.toml")
    env = {**settings, **{name: veil(name) for name in secrets}}
    words = ["compose", "--project-directory", str(file.parent), "-f", str(file), "-p", project, "config"]
    code, output, errors = engine.run([*words, "--format", "json"], env, READ_TIMEOUT_S)
    if unset := sorted(set(UNSET.findall(errors))):
        raise ConfigError(
            f"{file.name}: {', '.join(unset)}: set nowhere; set APP_{unset[0]} or SECRET_{unset[0]} in "
            "config/<environment>.env, or give it a default: ${NAME:-default}"
        )
    if code:
        raise ConfigError(f"{file.name}: compose refuses it: {errors.strip()[-600:]}")
    try:
        model = json.loads(output) if len(output) <= LARGEST else None
    except ValueError as error:
        raise ConfigError(f"{file.name}: compose printed no JSON: {error}") from error
    if not isinstance(model, dict):
        raise ConfigError(f"{file.name}: compose printed no model of at most {LARGEST} bytes")
    _refuse_unset(file, model, env)
    return model


def _refuse_unset(file: Path, model: Mapping[str, Any], known: Collection[str]) -> None:
    for name, service in (model.get("services") or {}).items():
        for variable, value in (service.get("environment") or {}).items():
            if value is None and variable not in known:
                raise ConfigError(
                    f"{file.name}: service {name}: {variable} has no value; set APP_{variable} or SECRET_{variable} in "
                    "config/<environment>.env"
                )
