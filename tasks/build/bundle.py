"""Build the artifact, once for a commit: the frontend and whatever else the archive lacks, then the bundle."""

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from prefect.logging import get_run_logger

from evidence.bundle import Bundle, Command, Image, Metrics, put_bundle
from host.trees import UnsafeTree, copy_tree, entries_below, refuse_unsafe
from evidence.store import Store
from gates.release.migrations import Step
from host.errors import ToolError, was_not_answered
from host.home import Home
from host.sandbox.run import Completed, Isolation, Network, available, check_owner
from settings.pipeline import INSTALL, BuildStep, Pipeline
from tasks.checks.cores import core
from tasks.checks.tool_caches import writers
from tasks.retries import repeatable
from tasks.source.dependencies import download_wheels
from tasks.source.git import give_once
from tasks.source.node_packages import copy_command, node_packages, npm
from tasks.source.workspace import Workspace, node_directory, tool_path

# What npm says when it would have to fetch.
OFFLINE = "only-if-cached"


@dataclass(frozen=True)
class ImageBuilt:
    """An image, and a folder with the compose files of this repository that the artifact takes along."""

    image: Image
    files: Path


@repeatable("build step", "build {step.name}")
def run_build_step(step: BuildStep, workspace: Workspace) -> Path:
    """Run one build step in the sandbox; return a folder that holds its outputs. Raises ToolError if it fails.

    Kept by the content of its inputs: a commit that does not touch them builds nothing. A build can read other files
    than its inputs, and may write into the cache of downloads: no branch gets what another one's commits made.

    Its commands have no network unless it asks for it: `npm ci` takes the packages that its lock names from where they
    were fetched before, without a script of theirs.
    """
    log = get_run_logger()
    name = f"build-{step.name}"
    source = workspace.check_directory(name)
    mark = writers(workspace.source)
    kept = Home.find().cache / "builds" / mark / _inputs_digest(step, source)
    if kept.exists():
        log.info("%s: unchanged inputs, built before", step.name)
        return kept
    node = node_directory()
    downloads = Home.find().cache / "downloads" / mark / step.name
    give_once(downloads, check_owner())
    env = {"npm_config_cache": str(downloads), "CI": "true", "PATH": f"{node}:{tool_path()}" if node else tool_path()}
    packages = None
    if not step.network:
        env["npm_config_offline"] = "true"  # else it tries for a minute
        if any(command[:2] == INSTALL for command in step.commands):
            packages = node_packages(workspace, source, step.directory)
    with core(name, workspace.cancelled):
        for command in step.commands:
            done = workspace.run(
                name,
                build_command(command, packages),
                env,
                step.timeout_seconds,
                writable=(downloads,),
                read_only=(*([node.parent] if node else []), *([packages] if packages else [])),
                directory=step.directory,
                network=Network.HOST if step.network else Network.LOOPBACK,
            )
            if done.failed:
                raise _failure(step, command, done)
    _keep(step, source, kept)
    return kept


def build_command(command: Command, packages: Path | None) -> list[str]:
    """Return what is run for a command of a build step. `npm ci` takes `packages`, when there are any."""
    if packages and command[:2] == INSTALL:
        return copy_command(packages)
    return [*npm(), *command[1:]] if command[0] == "npm" else list(command)


def _failure(step: BuildStep, command: Command, done: Completed) -> ToolError:
    trouble = done.output.strip()[-600:]
    unanswered = was_not_answered(trouble) or OFFLINE in trouble
    alone = not step.network and available() is Isolation.NAMESPACES
    hint = f". It has no network; if it must fetch: `network = true` in the step {step.name} of config/pipeline.toml"
    return ToolError(
        f"build step {step.name}: {' '.join(command)} {done.how}: {trouble}{hint if unanswered and alone else ''}",
        transient=unanswered and not alone,
    )


def _inputs_digest(step: BuildStep, source: Path) -> str:
    """Return a digest of the step and of every file below its inputs."""
    digest = hashlib.sha256(step.model_dump_json().encode())
    for name in sorted(step.inputs):
        top = source / name
        if not top.exists():
            raise ToolError(f"build step {step.name}: the commit has no {name}, which its inputs name")
        for file in sorted([top, *top.rglob("*")]):
            if file.is_symlink():
                digest.update(
                    b"link\0%b\0%b\0" % (os.fsencode(file.relative_to(source)), os.fsencode(os.readlink(file)))
                )
            elif file.is_file():
                runs = bool(file.stat().st_mode & 0o100)
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(b"file\0%b\0%d\0%b\0" % (os.fsencode(file.relative_to(source)), runs, content.encode()))
    return digest.hexdigest()[:32]


def _keep(step: BuildStep, source: Path, kept: Path) -> None:
    """Keep the outputs of a step. Raises ToolError if one is no folder with files, or holds what is never laid out."""
    part = kept.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for output in step.outputs:
        try:
            copy_tree(source, part, output)
        except UnsafeTree as error:
            raise ToolError(f"build step {step.name}: it made no folder {output} that is taken: {error}") from error
        if not any((part / output).iterdir()):
            raise ToolError(f"build step {step.name}: it made no folder {output}, or left it empty")
    part.rename(kept)


@repeatable("bundle")
def make_bundle(
    pipeline: Pipeline,
    workspace: Workspace,
    outputs: list[Path],
    built: ImageBuilt | None = None,
    migrations: tuple[Step, ...] | None = None,
) -> str:
    """Put source, build outputs, locks and wheels into the store; return the artifact's digest. Safe to repeat.

    The same commit, outputs, wheels, image and judged migrations give the same digest.
    """
    log = get_run_logger()
    store = Store(Home.find().store)
    source = workspace.source
    shutil.rmtree(workspace.root / "bundle", ignore_errors=True)  # of an attempt before this one
    tree = source.lay_out(workspace.root / "bundle" / "source", 0)
    wheels = _wheels(store, tree / pipeline.locks.runtime, pipeline.app.python)
    smoke = tree / pipeline.locks.smoke if pipeline.locks.smoke else None
    digest = put_bundle(
        store,
        Bundle(
            app=pipeline.app.name,
            commit=source.commit,
            version=source.version,
            python=pipeline.app.python,
            source=store.put_file(
                _archive(tree, [*outputs, *([built.files] if built else [])], workspace.root / "bundle" / "source.tar")
            ),
            lock=store.put_file(tree / pipeline.locks.runtime),
            wheels=wheels,
            smoke_lock=store.put_file(smoke) if smoke else None,
            smoke_wheels=_wheels(store, smoke, pipeline.app.python) if smoke else {},
            run=pipeline.run,
            image=built.image if built else None,
            migrations=migrations,
            metrics=_metrics(pipeline),
        ),
    )
    log.info("bundle %s: %d wheels, source and build outputs", digest[:12], len(wheels))
    return digest


def _metrics(pipeline: Pipeline) -> Metrics | None:
    """Return where a release reads the app's query times: where the load test does."""
    load = pipeline.performance
    return Metrics(path=load.metrics_path, query=load.query_metric) if load and load.query_metric else None


def _wheels(store: Store, lock: Path, python: str) -> dict[str, str]:
    folder = download_wheels(lock, python)
    return {wheel.name: store.put_file(wheel) for wheel in sorted(folder.glob("*.whl"))}


def _archive(tree: Path, outputs: list[Path], archive: Path) -> Path:
    """Pack the commit's files and the build outputs over them: sorted, without owners and times, so by content
    alone. Raises ToolError like `lay_over`.
    """
    lay_over(tree, outputs)
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(tree.rglob("*")):
            info = tar.gettarinfo(file, str(file.relative_to(tree)))
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
            if info.isreg():
                with open(file, "rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
    return archive


def lay_over(tree: Path, outputs: list[Path]) -> None:
    """Copy the build outputs over a commit's files, in order, through no link.

    Raises ToolError if a link stands where an output goes, or when the whole tree then holds what may not be laid out.
    """
    try:
        for folder in outputs:
            refuse_unsafe(entries_below(folder))
            copy_tree(folder, tree)
        refuse_unsafe(entries_below(tree))
    except UnsafeTree as error:
        raise ToolError(f"the build outputs cannot be laid over the commit: {error}") from error
