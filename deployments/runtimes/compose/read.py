"""Read a team's compose file with compose itself: only what lies in the artifact, secrets veiled."""

import json
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.runtimes.compose.contain import NOTHING, Contained, contain
from deployments.runtimes.compose.files import veil
from deployments.runtimes.compose.marks import take_marks
from deployments.runtimes.compose.one_by_one import Parts, read_parts
from deployments.runtimes.compose.parse import written
from deployments.runtimes.compose.problems import PARTIAL, PLACES, UNREAD, Unusable, placed
from deployments.runtimes.compose.variables import SETTING
from host.docker.engine import Engine
from host.errors import ConfigError
from host.masking import masked, secret_values

READ_TIMEOUT_S = 300  # compose reads files alone: only what hangs takes so long, on a busy host too
UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
VARIABLE_NAME = re.compile(r'in variable name \\?".*', re.DOTALL)
LARGEST = 2_000_000
UNNAMED = "a variable is set nowhere; set it with APP_ or SECRET_"


def read_model(
    engine: Engine, file: Path, top: Path, project: str, settings: Mapping[str, str], secrets: Collection[str]
) -> tuple[Mapping[str, Any], list[str], list[str]]:
    """Return the file's model: includes and extensions resolved, paths absolute, variables from `settings`; what of the
    file was kept from compose, each with the way out; and what compose was not given since it means nothing here.

    `top` is the directory of the artifact's files: nothing else is read. A secret's value never comes near: ${NAME} of
    one stays a reference. Where compose refuses some services the model is of the others (UNREAD, PARTIAL), and is good
    for nothing but to find what else is wrong. Unusable: compose takes no service of it. ConfigError: it is no YAML.
    """
    if not file.is_file():
        raise ConfigError(f"{file.name}: the artifact has no such compose file; see [image] of config/pipeline.toml")
    known = {*settings, *secrets}
    with tempfile.TemporaryDirectory(prefix="compose-") as scratch:
        found = contain(file, top, Path(scratch), known)
        # What the file must have and nobody sets is told; compose goes on with this.
        env = {**dict.fromkeys(found.needed, "1"), **settings, **{name: veil(name) for name in secrets}}
        asked = _Asked(engine, file.resolve().parent, Path(scratch), project, env, found)
        code, output, errors = asked(found.main)
        parts = read_parts(asked, found.main, errors) if code else Parts(output, {})
    overlooked = tuple(f".env: {name}: " for name in found.needed)  # told by its place in the file
    problems = [one for one in found.problems if not overlooked or not one.startswith(overlooked)]
    problems += [*_must_be_set(found), *_set_nowhere(found, set(UNSET.findall(errors)))]
    problems += placed(_refused(parts, problems), found.services)
    if not parts.output:
        raise Unusable(file.name, problems)
    model = _model(file, parts.output)
    model |= take_marks(model)
    model |= {PLACES: found.services, UNREAD: tuple(parts.refused), PARTIAL: bool(code or found.needed)}
    return model, [*problems, *placed(_unset(model, known), found.services)], found.left_out


@dataclass(frozen=True)
class _Asked:
    """Compose, asked about the values of files at `directory`. What it says is masked, and names our copies as the
    files that they are of.
    """

    engine: Engine
    directory: Path
    scratch: Path
    project: str
    env: Mapping[str, str]
    found: Contained

    def __call__(self, value: Mapping[str, Any]) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            copy = Path(folder, "file.yml")
            copy.write_text(written(value), encoding="utf-8")
            words = ["compose", "--env-file", NOTHING, "--project-directory", str(self.directory), "-p", self.project]
            words += ["-f", str(copy), "config", "--format", "json"]
            code, output, errors = self.engine.run(words, self.env, READ_TIMEOUT_S)
        names = {copy: self.found.names.get(self.found.copy or copy, copy.name), **self.found.names}
        for one, name in names.items():
            errors = errors.replace(str(one), name)
        if code:
            # The last words may be a part of a value.
            errors = VARIABLE_NAME.sub("in a file of variables", masked(errors.strip(), secret_values(self.found.told)))
        return code, output, errors


def _refused(parts: Parts, problems: Sequence[str]) -> Iterator[str]:
    """Tell what compose refuses, unless something is wrong there already: that may be why."""
    for name, said in parts.refused.items():
        if not any(f"service {name}: " in one for one in problems):
            yield f"service {name}: compose refuses it: {_short(said)}"
    if parts.whole and not problems:
        yield f"compose refuses it: {_short(parts.whole)}"


def _short(said: str) -> str:
    return said.strip()[-600:]


def _must_be_set(found: Contained) -> Iterator[str]:
    """Tell of the variables that the file must have and nobody sets."""
    for name, (place, shown) in found.needed.items():
        what = f"{name}: set nowhere; set APP_{name} or SECRET_{name}" if shown else UNNAMED
        yield f"{place}: {what} in config/<environment>.env; the file asks for it"


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
