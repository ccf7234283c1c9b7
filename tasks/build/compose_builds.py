"""Which images a commit needs: what the services of its compose files are built of, for every environment."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from deployments.environment import runs_images
from deployments.runtimes.compose.adopting.tree import STAND_IN
from deployments.runtimes.compose.builds import difference, read_builds
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import public_service
from deployments.runtimes.compose.problems import PARTIAL, Unusable
from deployments.runtimes.compose.read import read_model
from evidence.bundle import Build
from host.docker.engine import Engine
from host.errors import ConfigError
from host.home import CHECKOUT
from settings.environment import read_settings
from settings.pipeline import ImageBuild
from settings.targets import Target

RELEASE = "{release}/"
# Where the artifact keeps what comes from this repository and not from the app's.
TAKEN_ALONG = ".release"
MOST_IMAGES = 20
PROJECT = "build"
OF_A_BUILD = re.compile(r"service [^:]+: build\b")
AGAIN = "the bytes that passed in one environment are those that go to the next"


@dataclass(frozen=True)
class Plan:
    """What is built: the first image, others by name, and for each environment the name of what a service with a build
    runs, "" for the first.
    """

    first: Build
    others: Mapping[str, Build] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class FileBuilds:
    """What one environment's compose file wants built, by service; `public` is the one that answers the public."""

    name: str
    public: str
    builds: Mapping[str, Build]


def plan_builds(engine: Engine, wanted: ImageBuild, context: Path, scratch: Path, warn: Callable[[str], None]) -> Plan:
    """Return what is to be built of a commit, laid out at `context`. `scratch`: a folder for what is only read.

    Raises ConfigError, which names file, service and key of all that cannot be built, or if environments would not
    run the same first image. What an environment that runs no containers here has for a file is left out if it is
    unusable, and `warn` is told.
    """
    top = _with_ours(wanted, context, scratch)
    files, wrong = {}, []
    for target, name in wanted.compose.items():
        try:
            files[str(target)] = _read(engine, target, name, top)
        except ConfigError as error:
            if runs_images(read_settings(target)):
                wrong.append(str(error))
            else:
                warn(f"{target} runs no containers here, and its compose file is no use: {error}")
    _refuse(wrong)
    asked = _asked(files)
    plan = _named(_first(wanted, asked, files), asked, files)
    _refuse(_absent(name, build, context) for name, build in {"": plan.first, **plan.others}.items())
    return plan


def _refuse(problems: Iterable[str]) -> None:
    if wrong := list(dict.fromkeys(filter(None, problems))):
        raise ConfigError("; ".join(wrong))


def taken(name: str) -> str:
    """Return where the artifact has a compose file."""
    if name.startswith(RELEASE):
        return str(PurePosixPath(TAKEN_ALONG) / name.removeprefix(RELEASE))
    return str(PurePosixPath(name))


def _with_ours(wanted: ImageBuild, context: Path, scratch: Path) -> Path:
    """Return a folder with the commit and the compose files of this repository, as the artifact has them."""
    ours = [name for name in wanted.compose.values() if name.startswith(RELEASE)]
    if not ours:
        return context
    shutil.copytree(context, scratch, symlinks=True, copy_function=os.link)
    take_along(wanted, scratch)
    return scratch


def take_along(wanted: ImageBuild, folder: Path) -> None:
    """Put the compose files of this repository at their places in an artifact's folder."""
    for name in wanted.compose.values():
        if name.startswith(RELEASE):
            file = folder / taken(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkout_file(name), file)


def checkout_file(name: str) -> Path:
    """Return a file of this repository ({release}/...). Raises ConfigError if there is none."""
    file = (CHECKOUT / name.removeprefix(RELEASE)).resolve()
    if not file.is_file() or not file.is_relative_to(CHECKOUT.resolve()):
        raise ConfigError(f"config/pipeline.toml: image: this repository has no file {name.removeprefix(RELEASE)}")
    return file


def _read(engine: Engine, target: Target, name: str, top: Path) -> FileBuilds:
    settings = read_settings(target)
    env = {**settings.app, "SLIPWAY_IMAGE": STAND_IN}
    model, problems, _ = read_model(engine, top / taken(name), top, PROJECT, env, settings.secrets)
    services: Mapping[str, Any] = model.get("services") or {}
    builds, wrong = read_builds(services, Reach(PROJECT, str(top.resolve())))
    wrong += [f"service {one}: build: it is given SLIPWAY_IMAGE, which is not there yet" for one in _circular(builds)]
    if found := [*(one for one in problems if model[PARTIAL] or OF_A_BUILD.search(one)), *wrong]:
        raise Unusable(name, found)
    try:
        return FileBuilds(name, public_service(services) if builds else "", builds)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _circular(builds: Mapping[str, Build]) -> list[str]:
    return [name for name, build in builds.items() if STAND_IN in build.key]


def _asked(files: Mapping[str, FileBuilds]) -> tuple[str, Build] | None:
    """Return the build of the public service and where it stands, None when no file has one."""
    found = [
        (f"{one.name} ({target}): service {one.public}", one.builds[one.public])
        for target, one in files.items()
        if one.public in one.builds
    ]
    _refuse(
        f"{where}: build: it differs from that of {found[0][0]} in {why}; {AGAIN}: write the same"
        for where, build in found[1:]
        if (why := difference(build, found[0][1]))
    )
    return found[0] if found else None


def _first(wanted: ImageBuild, asked: tuple[str, Build] | None, files: Mapping[str, FileBuilds]) -> Build:
    """Return what the first image is built of: as the public service says, by the Dockerfile of [image]."""
    if asked is None:
        return Build(dockerfile=_dockerfile(wanted))
    where, build = asked
    if wanted.dockerfile.startswith(RELEASE):
        return build.model_copy(update={"dockerfile": wanted.dockerfile})
    if "dockerfile" in wanted.model_fields_set and _dockerfile(wanted) != build.dockerfile:
        raise ConfigError(
            f"{where}: build.dockerfile: got {build.dockerfile}, and [image] dockerfile of config/pipeline.toml says "
            f"{wanted.dockerfile}; write the same in both"
        )
    return build


def _dockerfile(wanted: ImageBuild) -> str:
    return wanted.dockerfile if wanted.dockerfile.startswith(RELEASE) else str(PurePosixPath(wanted.dockerfile))


def _named(first: Build, asked: tuple[str, Build] | None, files: Mapping[str, FileBuilds]) -> Plan:
    """Return the plan: each distinct build is an image, called after the first service that has it."""
    names = {first.key: ""} | ({asked[1].key: ""} if asked else {})
    others: dict[str, Build] = {}
    services: dict[str, dict[str, str]] = {}
    for target, one in files.items():
        services[target] = {}
        for service, build in one.builds.items():
            if build.key not in names:
                name = _free(service, others)
                names[build.key], others[name] = name, build
            services[target][service] = names[build.key]
    if len(others) >= MOST_IMAGES:
        raise ConfigError(f"the compose files want {len(others) + 1} different images, expected {MOST_IMAGES} at most")
    return Plan(first, others, services)


def _free(service: str, others: Mapping[str, Build]) -> str:
    """Return a name that no image has yet, and that a tag may have."""
    plain = re.sub(r"[^A-Za-z0-9_.-]|^[.-]+", "_", service)[:80]
    names = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
    return next(name for name in names if name not in others)


def _absent(name: str, build: Build, context: Path) -> str:
    """Return what a build needs that the commit lacks, "" when it has all."""
    what = f"service {name}" if name else "image"
    folders = {"context": build.context, **{f"additional_contexts.{key}": path for key, path in build.contexts.items()}}
    missing = [
        f"{key}: the commit has no folder {path}" for key, path in folders.items() if not (context / path).is_dir()
    ]
    if not build.dockerfile.startswith(RELEASE) and not (context / build.dockerfile).is_file():
        missing.append(f"dockerfile: the commit has no file {build.dockerfile}")
    way = "a service that runs the image of [image] says so by image: ${SLIPWAY_IMAGE}, without build"
    return f"{what}: build.{'; build.'.join(missing)}; add it, or correct the build; {way}" if missing else ""
