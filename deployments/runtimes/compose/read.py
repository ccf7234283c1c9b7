"""Read a team's compose file with compose itself: only what lies in the artifact, secrets veiled."""

import json
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from deployments.runtimes.compose.contain import NOTHING, Contained, contain
from deployments.runtimes.compose.files import veil
from deployments.runtimes.compose.marks import take_marks
from deployments.runtimes.compose.model import told
from deployments.runtimes.compose.variables import SETTING
from host.docker.engine import Engine
from host.errors import ConfigError
from host.masking import masked, secret_values

READ_TIMEOUT_S = 300  # compose reads files alone: only what hangs takes so long, on a busy host too
UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
VARIABLE_NAME = re.compile(r'in variable name \\?".*', re.DOTALL)
LARGEST = 2_000_000


def read_model(
    engine: Engine, file: Path, top: Path, project: str, settings: Mapping[str, str], secrets: Collection[str]
) -> tuple[Mapping[str, Any], list[str], list[str]]:
    """Return the file's model: includes and extensions resolved, paths absolute, variables from `settings`; what of the
    file was kept from compose, each with the way out; and what compose was not given since it means nothing here.

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
    problems = [*found.problems, *_set_nowhere(found, set(UNSET.findall(errors)))]
    if code and not problems:
        # The last words are a part of a value.
        said = VARIABLE_NAME.sub("in a file of variables", masked(errors.strip(), secret_values(found.told)))
        problems.append(f"compose refuses it: {said[-600:]}")
    if code:
        raise ConfigError(f"{file.name}: {told(problems)}")
    model = _model(file, output)
    model |= take_marks(model)
    return model, [*problems, *_unset(model, known)], found.left_out


def _set_nowhere(found: Contained, unset: Collection[str]) -> Iterator[str]:
    """Tell of the variables that compose takes for empty ones, where each stands and the way out."""
    for name in sorted(set(unset) - (found.dangling - set(found.places))):
        place, shown = found.places.get(name, ("", bool(SETTING.fullmatch(name))))
        if shown:
            yield (
                f"{place}{': ' * bool(place)}{name}: set nowhere; set APP_{name} or SECRET_{name} in "
                "config/<environment>.env, give it a default: ${NAME:-default}, or write $$ for a plain $"
            )
        else:
            yield (
                f'{place or "the file"}: a "$" begins a variable that is set nowhere; write $$ for a plain $, or '
                "${NAME} in capitals with APP_NAME or SECRET_NAME in config/<environment>.env"
            )


def _model(file: Path, output: str) -> dict[str, Any]:
    try:
        model = json.loads(output) if len(output) <= LARGEST else None
    except (ValueError, RecursionError) as error:
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
