"""Build the container images, once for a commit, from the files and wheels that were checked."""

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from prefect.logging import get_run_logger

from deployments.environment import images_run
from deployments.runtimes.compose.builds import WHEELS
from evidence.bundle import Build, Image, OtherImage
from evidence.scopes import Scope
from host.docker.engine import Engine
from host.errors import ConfigError, ToolError, was_not_answered
from host.files import remove_tree
from host.locks import read_lock_file, write_lock_file
from settings.pipeline import ImageBuild, Pipeline
from tasks.build.bundle import ImageBuilt, lay_over
from tasks.build.compose_builds import RELEASE, checkout_file, plan_builds, take_along, taken
from tasks.build.docker_blocks import engine_address, registry_login
from tasks.checks.cores import core, once_on_a_core
from tasks.retries import repeatable
from tasks.source.app_locks import AppLocks, is_converted
from tasks.source.dependencies import download_wheels
from tasks.source.source_builds import build_sources
from tasks.source.workspace import Workspace

PUSH_TIMEOUT_S = 600


@repeatable("build image")
def build_image(pipeline: Pipeline, workspace: Workspace, outputs: list[Path]) -> ImageBuilt | None:
    """Build the images with BuildKit; push them when a registry is named. None when no environment runs containers.

    Safe to repeat: unchanged layers come from the engine's cache. A build sees the commit's files, the build outputs
    and, as the context "wheels", the wheels that the lock names, checked by hash. No secret is handed to it. ToolError
    carries the last lines of what failed.
    """
    wanted = pipeline.image
    if wanted is None or not image_wanted(pipeline):
        return None
    engine = Engine(engine_address(wanted))
    top = workspace.root / "image"
    remove_tree(top)  # of an attempt before this one
    context = workspace.source.lay_out(top / "context", os.geteuid())
    lay_over(context, outputs)
    _rewrite_locks(pipeline, context, workspace.source.scope)
    _readable(context)
    _check_files(wanted, context)
    plan = plan_builds(engine, wanted, context, top / "read", get_run_logger().warning)
    made = {
        name: _build(engine, pipeline, workspace, Order(name, build, context))
        for name, build in {"": plan.first, **plan.others}.items()
    }
    first = made.pop("")
    image = Image(
        id=first.id,
        reference=first.reference,
        compose={environment: taken(file) for environment, file in wanted.compose.items()},
        build=first.build,
        others=made,
        services={environment: dict(runs) for environment, runs in plan.services.items()},
    )
    return ImageBuilt(image, _take_along(wanted, top / "files"))


@dataclass(frozen=True)
class Order:
    """One image to be built of the files at `top`. The first one's name is ""."""

    name: str
    build: Build
    top: Path


def _build(engine: Engine, pipeline: Pipeline, workspace: Workspace, order: Order) -> OtherImage:
    """Build one image; push it if a registry is named."""
    wanted = pipeline.image
    assert wanted  # nosec B101  # for mypy
    what = f"the image of {order.name}" if order.name else "the image"
    name = f"slipway/{pipeline.app.name}"
    tag = "-".join(filter(None, (workspace.source.commit[:12], order.name)))
    words = _build_words(pipeline, workspace, order) + ["-t", f"{name}:{tag}", str(order.top / order.build.context)]
    epoch = {"SOURCE_DATE_EPOCH": str(_commit_time(workspace.source.archive))}
    with core("image", workspace.cancelled):
        code, output, errors = engine.run(words, epoch, wanted.timeout_seconds)
    if code:
        trouble = (errors or output).strip()[-1500:]
        raise ToolError(f"{what} could not be built: {trouble}", transient=was_not_answered(trouble))
    found = engine.image(f"{name}:{tag}")
    if found is None:
        raise ToolError(f"{what} was built but {engine.name} does not have it; use buildx's docker driver")
    reference = _push(engine, wanted, found["Id"], tag) if wanted.registry else None
    get_run_logger().info(
        "%s: %s, %d MB%s", what, found["Id"][:19], found["Size"] // 10**6, f" at {reference}" * bool(reference)
    )
    return OtherImage(id=found["Id"], reference=reference, build=order.build)


def image_wanted(pipeline: Pipeline) -> bool:
    """Say whether artifacts need an image: config/pipeline.toml has [image] and some environment RUNTIME=compose."""
    return pipeline.image is not None and images_run()


def _build_words(pipeline: Pipeline, workspace: Workspace, order: Order) -> list[str]:
    """Return a build's command, without the image's name and the context."""
    source, build, top = workspace.source, order.build, order.top
    locks, runtime = AppLocks.of(pipeline, top), pipeline.locks.runtime
    wheels = download_wheels.fn(locks.file(runtime), pipeline.app.python, source.scope, locks.wheels(runtime))
    labels = {
        "org.opencontainers.image.title": pipeline.app.name,
        "org.opencontainers.image.version": source.version,
        "org.opencontainers.image.revision": source.commit,
        # Evidence is signed about the artifact that names this image, and so after it: it is found by the commit.
        "slipway.evidence": f"slipway verify {source.commit}",
        "slipway.pipeline": pipeline.digest,  # the rules by which it was checked
    }
    # BuildKit's cache mounts are one for all builds of an engine: each scope has its own.
    arguments = {"PYTHON": pipeline.app.python, **build.args, "BUILDKIT_CACHE_MOUNT_NS": source.scope.writes}
    contexts = {**{name: top / path for name, path in build.contexts.items()}, WHEELS: wheels}
    return [
        *("buildx", "build", "--progress", "plain", "--load", "--provenance", "false"),
        *("--file", str(_file(build.dockerfile, top))),
        *(word for name, path in contexts.items() for word in ("--build-context", f"{name}={path}")),
        *(word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")),
        *(("--target", build.target) if build.target else ()),
        *(("--platform", build.platform) if build.platform else ()),
        *("--metadata-file", str(workspace.root / "image" / f"{order.name or 'built'}.json")),
        *(word for key, value in {**build.labels, **labels}.items() for word in ("--label", f"{key}={value}")),
    ]


def _rewrite_locks(pipeline: Pipeline, context: Path, scope: Scope) -> None:
    """Put locks of our own writing in place of the commit's: a Dockerfile hands them to pip. They have the hashes of
    the wheels that were built from source. Another tool's lock stays: only that tool reads it. Raises SourceError.
    """
    locks = AppLocks.of(pipeline, context)
    build_sources(locks, scope, once_on_a_core)
    for choice in pipeline.locks.shipped:
        if not is_converted(choice):
            lock = read_lock_file(locks.file(choice))
            (context / choice.file).unlink()
            write_lock_file(lock, context / choice.file)


def _readable(context: Path) -> None:
    """Give every file the mode that git would, whatever our umask: the image's user is another one."""
    for folder, _, files in os.walk(context):
        os.chmod(folder, 0o755)  # nosec B103  # it lies in a home that is 0700
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _file(name: str, context: Path) -> Path:
    """Return a file of this repository ({release}/...) or of the commit. Raises ConfigError if there is none."""
    if name.startswith(RELEASE):
        return checkout_file(name)
    file = (context / name).resolve()
    if not file.is_file() or not file.is_relative_to(context.resolve()):
        raise ConfigError(f"config/pipeline.toml: image: the commit has no file {name}")
    return file


def _check_files(wanted: ImageBuild, context: Path) -> None:
    for name in wanted.compose.values():
        _file(name, context)
    if "dockerfile" in wanted.model_fields_set:
        _file(wanted.dockerfile, context)


def _take_along(wanted: ImageBuild, folder: Path) -> Path:
    """Return a folder with the compose files that come from this repository, at their place in the artifact."""
    folder.mkdir()
    take_along(wanted, folder)
    return folder


def _commit_time(archive: Path) -> int:
    """Return the commit's time (epoch seconds): `git archive` gives it to every file."""
    with tarfile.open(archive) as tar:
        return max((int(member.mtime) for member in tar), default=0)


def _push(engine: Engine, wanted: ImageBuild, image: str, tag: str) -> str:
    """Push an image; return its reference by digest. Raises ToolError, which says what the registry said."""
    engine.tag(image, wanted.registry, tag)
    with registry_login(wanted) as options:
        words = [*options, "push", "--quiet", f"{wanted.registry}:{tag}"]
        code, output, errors = engine.run(words, {}, PUSH_TIMEOUT_S)
    if code:
        trouble = (errors or output).strip()[-600:]
        raise ToolError(
            f"the image could not be pushed to {wanted.registry}: {trouble}", transient=was_not_answered(trouble)
        )
    found = engine.image(image) or {}
    by_digest = [one for one in found.get("RepoDigests") or () if one.startswith(f"{wanted.registry}@")]
    if not by_digest:
        raise ToolError(f"{wanted.registry} took the image but gave no digest for it")
    return str(by_digest[0])
