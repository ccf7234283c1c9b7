"""Build the artifact, once for a commit: the frontend and whatever else the archive lacks, then the bundle."""

import hashlib
import os
import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path

from prefect.logging import get_run_logger

from evidence.bundle import Bundle, Command, Image, Metrics, put_bundle
from evidence.store import Store
from gates.migrations.steps import Step
from host.errors import ToolError, was_not_answered
from host.files import give, remove_tree
from host.home import Home
from host.sandbox.run import Completed, Isolation, Network, available, check_owner
from host.trees import UnsafeTree, copy_tree, entries_below, refuse_unsafe
from host.virtual_environments import COMPLETE
from settings.locks import LockChoice
from settings.pipeline import INSTALL, BuildStep, Pipeline
from tasks.checks.cores import once_on_a_core
from tasks.checks.memory import matching
from tasks.retries import repeatable
from tasks.source.app_locks import AppLocks, made_of
from tasks.source.dependencies import download_wheels
from tasks.source.git import Source, give_once
from tasks.source.kept import kept, own, tidy
from tasks.source.node_packages import copy_command, node_packages, node_tools, npm
from tasks.source.source_builds import build_sources, built_of
from tasks.source.workspace import Workspace, node_directory, tool_path

OFFLINE = "only-if-cached"  # what npm says when it would have to fetch
FILES = "files"  # the outputs, in what is kept of a build


@dataclass(frozen=True)
class ImageBuilt:
    """An image, and a folder with the compose files of this repository that the artifact takes along."""

    image: Image
    files: Path


@repeatable("build step", "build {step.name}")
def run_build_step(step: BuildStep, workspace: Workspace) -> Path:
    """Run one build step in the sandbox; return a folder that holds its outputs. Raises ToolError if it fails.

    It sees its inputs and its directory, and nothing else of the commit. What it made is kept by their content, the
    app's environment, Node, npm and the isolation: a commit that changes none of these builds nothing. No protected
    branch gets what another one's commits made, and none the cache of downloads of another.

    Its commands have no network unless it asks for it: `npm ci` takes the packages that its lock names from where they
    were fetched before, without a script of theirs.
    """
    log = get_run_logger()
    name = f"build-{step.name}"
    paths = seen(step, workspace.source)
    source = workspace.check_directory(name, paths)
    scope = workspace.source.scope
    made = kept("builds", scope, _key(step, source, paths, workspace))
    if (made / COMPLETE).exists():
        log.info("%s: unchanged inputs, built before", step.name)
        return made / FILES
    tidy("builds", log)
    # before the core is taken: what fetches takes one itself
    packages = node_packages(workspace, source, step.directory) if takes_packages(step) else None
    once_on_a_core(name, made, lambda: _build(step, workspace, source, made / FILES, packages), workspace.cancelled)
    return made / FILES


def seen(step: BuildStep, source: Source) -> tuple[str, ...]:
    """Return the paths of the commit that a step sees; none means all of it.

    Raises ToolError if a pattern of its inputs matches no file of the commit.
    """
    paths = _matching(step, source) if any(map(_is_pattern, step.inputs)) else {*map(posixpath.normpath, step.inputs)}
    if (directory := posixpath.normpath(step.directory)) != ".":
        paths.add(directory)
    return () if "." in paths else tuple(sorted(paths))


def _is_pattern(given: str) -> bool:
    return given.startswith("!") or any(character in given for character in "*?[")


def _matching(step: BuildStep, source: Source) -> set[str]:
    """Return the files of the commit that inputs with patterns among them name; a path without one is from the top."""
    lines = [one if _is_pattern(one) else posixpath.normpath(f"/{one}").replace("//", "/") for one in step.inputs]
    for given, line in zip(step.inputs, lines, strict=True):
        if not given.startswith("!") and not matching(source, ["*" if line == "/" else line]):
            raise ToolError(f"build step {step.name}: inputs: {given} matches no file of the commit")
    return set(matching(source, ["*" if line == "/" else line for line in lines]))


def _key(step: BuildStep, source: Path, paths: tuple[str, ...], workspace: Workspace) -> str:
    tools = node_tools() if node_directory() else "no Node"
    parts = [_inputs_digest(step, source, paths), workspace.environment.name, tools, str(available())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def takes_packages(step: BuildStep) -> bool:
    """Return whether a step gets the packages of its package-lock.json from us: it installs them, without network."""
    return not step.network and any(command[:2] == INSTALL for command in step.commands)


def _build(step: BuildStep, workspace: Workspace, source: Path, files: Path, packages: Path | None) -> None:
    """Run the commands of a step where its inputs are laid out, and take its outputs."""
    _make_room(step, source)
    node = node_directory()
    downloads = own("downloads", workspace.source.scope, step.name)
    give_once(downloads, check_owner())
    programs = [workspace.environment / "bin", *([node] if node else []), tool_path()]
    env = {"npm_config_cache": str(downloads), "CI": "true", "PATH": ":".join(map(str, programs))}
    env |= {} if step.network else {"npm_config_offline": "true"}  # else npm tries for a minute
    for command in step.commands:
        done = workspace.run(
            f"build-{step.name}",
            workspace.argv(build_command(command, packages)),
            env,
            step.timeout_seconds,
            writable=(downloads,),
            read_only=(*([node.parent] if node else []), *([packages] if packages else [])),
            directory=step.directory,
            network=Network.HOST if step.network else Network.LOOPBACK,
        )
        if done.failed:
            raise _failure(step, command, done)
    _keep(step, source, files)


def _make_room(step: BuildStep, source: Path) -> None:
    """Make the folders that the outputs go to, as the commit has them, and give all to the step."""
    try:
        for output in step.outputs:
            (source / output).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"build step {step.name}: its outputs have no place: {error}") from error
    give(source, check_owner())


def build_command(command: Command, packages: Path | None) -> Command:
    """Return what is run for a command of a build step. `npm ci` takes `packages`, when there are any."""
    if packages and command[:2] == INSTALL:
        return tuple(copy_command(packages))
    return (*npm(), *command[1:]) if command[0] == "npm" else command


def _failure(step: BuildStep, command: Command, done: Completed) -> ToolError:
    trouble = done.output.strip()[-600:]
    unanswered = was_not_answered(trouble) or OFFLINE in trouble
    alone = not step.network and available() is Isolation.NAMESPACES
    fetching = (
        f". It has no network; if it must fetch: `network = true` in the step {step.name} of config/pipeline.toml"
    )
    sight = f" (it sees of the commit only its inputs, {', '.join(step.inputs)}, and its directory)"
    more = f"{sight}{fetching if unanswered and alone else _way_out(step, command, done, trouble)}"
    return ToolError(
        f"build step {step.name}: {' '.join(command)} {done.how}: {trouble}{more}",
        transient=unanswered and not alone,
    )


def _way_out(step: BuildStep, command: Command, done: Completed, trouble: str) -> str:
    """Return what to do about a common fault of a build step, after a full stop; "" for any other."""
    where = f"the step {step.name} of config/pipeline.toml"
    if done.timed_out:
        return f". If it needs more time: `timeout_seconds` in {where}"
    if done.exceeded:
        return ". What checks and builds may use: `shares` under [app] of config/pipeline.toml"
    if "No module named" in trouble:
        return ". It runs in the environment of the lock `ci`: the package must be pinned there"
    if done.returncode in (126, 127):
        return (
            f". It has this host's programs, Node with npm, and python with the programs of the lock `ci`: pin"
            f" {posixpath.basename(command[0])} there, or install it on this host"
        )
    if "No such file or directory" in trouble or "ENOENT" in trouble:
        return f". If a file of the commit is missing: add it to `inputs` in {where}"
    return ""


def _inputs_digest(step: BuildStep, source: Path, paths: tuple[str, ...]) -> str:
    """Return a digest of the step and of every file that it sees. Raises ToolError if the commit lacks an input."""
    digest = hashlib.sha256(step.model_dump_json().encode())
    named = () if any(map(_is_pattern, step.inputs)) else step.inputs
    for name in sorted({*named, *(paths or ".")}):
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


def _keep(step: BuildStep, source: Path, files: Path) -> None:
    """Keep the outputs of a step. Raises ToolError if one is no folder with files, or holds what is never laid out."""
    files.mkdir(parents=True)
    for output in step.outputs:
        try:
            copy_tree(source, files, output)
        except UnsafeTree as error:
            raise ToolError(f"build step {step.name}: it made no folder {output} that is taken: {error}") from error
        if not any((files / output).iterdir()):
            raise ToolError(f"build step {step.name}: it made no folder {output}, or left it empty")


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
    log, store = get_run_logger(), Store(Home.find().store)
    source = workspace.source
    remove_tree(workspace.root / "bundle")  # of an attempt before this one
    tree = source.lay_out(workspace.root / "bundle" / "source", 0)
    locks = AppLocks.of(pipeline, tree)
    build_sources(locks, source.scope, once_on_a_core)  # before this, in the same run: here only laid beside this tree
    lock = locks.file(pipeline.locks.runtime)
    wheels = _wheels(store, locks, pipeline.locks.runtime, source)
    smoke = locks.file(pipeline.locks.smoke) if pipeline.locks.smoke else None
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
            lock=store.put_file(lock),
            wheels=wheels,
            smoke_lock=store.put_file(smoke) if smoke else None,
            smoke_wheels=_wheels(store, locks, pipeline.locks.smoke, source) if pipeline.locks.smoke else {},
            run=pipeline.run,
            image=built.image if built else None,
            migrations=migrations,
            metrics=_metrics(pipeline),
            made_of=made_of(locks),
            built=built_of(locks, pipeline.locks.shipped, source.scope),
        ),
    )
    log.info("bundle %s: %d wheels, source and build outputs", digest[:12], len(wheels))
    return digest


def _metrics(pipeline: Pipeline) -> Metrics | None:
    """Return where a release reads the app's query times: where the load test does."""
    load = pipeline.performance
    return Metrics(path=load.metrics_path, query=load.query_metric) if load and load.query_metric else None


def _wheels(store: Store, locks: AppLocks, lock: LockChoice, source: Source) -> dict[str, str]:
    folder = download_wheels(locks.file(lock), locks.python, source.scope, locks.wheels(lock))
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
