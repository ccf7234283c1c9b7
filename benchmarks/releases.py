"""Seconds of a release and of a rollback, step by step, beside the floor: a part of `make bench`.

The example service in a home of its own, released with the steps and in the order of flows/release.py (without approval
and bake, which last as long as one sets), and rolled back by the command that a person would type. The floor is what
nobody can go below: the same bundle's server as a bare process, from its start until its health addresses answer.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prefect.logging import disable_run_logger

from benchmarks.switches import CHECKOUT, running
from deployments.candidate import read_artifact
from deployments.environment import Environment
from deployments.journal.entries import EventKind
from deployments.rollout import Rollout
from deployments.runtimes.layout import app_environment
from deployments.slots import stop_slot
from evidence.bundle import Bundle, put_bundle, read_bundle
from evidence.scopes import OURS
from evidence.store import Store
from gates.release.operation import OperationKind, Outcome
from host.errors import ConfigError, ToolError
from host.home import Home
from host.ports import free_port
from host.probe import await_healthy
from settings.pipeline import Pipeline, read_pipeline
from settings.targets import Target
from tasks.source.dependencies import download_wheels

TIMES = 5
EXAMPLE = CHECKOUT / "examples" / "assistant"
NOT_SHIPPED = shutil.ignore_patterns("node_modules", "__pycache__", ".*_cache", ".coverage*", "static", ".venv")
STEPS = ("install", "migrate", "start", "verify", "switch", "check", "drain")
FLOOR = "floor: bare process, start to healthy"
TOTAL = "release, without approval and bake"
BEYOND = "release, beyond the floor"
WARM = "warm rollback, command to confirmed"
COLD = "cold rollback, command to confirmed"
COMMAND_TIMEOUT_S = 120


@dataclass
class Row:
    """One row of figures in seconds; `median` is what is shown."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def run(times: int = TIMES) -> list[Row]:
    """Do it `times` times, the floor and all others in turn, and return the rows. Stops and removes what it made."""
    seconds: dict[str, list[float]] = defaultdict(list)
    with opened() as place:
        first = _bundle(place.store, read_pipeline())
        release(place, first)
        for _ in range(times):
            seconds[FLOOR].append(_floor(place, first))
            for step, took in release(place, _next(place.store, first)).items():
                seconds[step].append(took)
            seconds[WARM].append(roll_back(place))
            release(place, _next(place.store, first))
            _cool_down(place)
            seconds[COLD].append(roll_back(place))
    seconds[TOTAL] = [sum(one) for one in zip(*(seconds[step] for step in STEPS), strict=True)]
    seconds[BEYOND] = [total - floor for total, floor in zip(seconds[TOTAL], seconds[FLOOR], strict=True)]
    return [Row(name, seconds[name]) for name in (FLOOR, *STEPS, TOTAL, BEYOND, WARM, COLD)]


@contextmanager
def opened(settings: Mapping[str, str] | None = None) -> Iterator[Environment]:
    """Give production in a home of its own, up, on a port of its own, while the block runs. `settings` override."""
    # A short path: those of unix sockets may not be long.
    before = dict(os.environ)
    home = Home(Path(tempfile.mkdtemp(prefix="slipway-bench-")))
    try:
        given = {"PORT": str(free_port()), **(settings or {})}
        os.environ.update({f"SLIPWAY_PRODUCTION_{key}": value for key, value in given.items()})
        place = Environment.open(Target("production"), read_pipeline().app.name, home)
        home.create()
        place.keys.create()
        try:
            place.up()
            yield place
        finally:
            place.supervisor.down()
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home.root)


def _bundle(store: Store, pipeline: Pipeline) -> str:
    """Make the example's bundle, without the frontend, from the checkout's files; return its digest.

    Wheels are fetched once, into the cache of this checkout's own home.
    """
    if pipeline.app.name != EXAMPLE.name:
        raise ConfigError(
            f"config/pipeline.toml: app.name: got {pipeline.app.name!r}, the benchmark releases {EXAMPLE.name!r}; "
            "run it in another checkout"
        )
    smoke = pipeline.locks.smoke or pipeline.locks.runtime
    with tempfile.TemporaryDirectory() as name:
        tree, archive = Path(name) / "tree", Path(name) / "source.tar"
        shutil.copytree(EXAMPLE, tree, ignore=NOT_SHIPPED)
        with tarfile.open(archive, "w") as tar:
            tar.add(tree, ".")
        bundle = Bundle(
            app=pipeline.app.name,
            commit="0" * 40,
            version="b0",
            python=pipeline.app.python,
            source=store.put_file(archive),
            lock=store.put_file(tree / pipeline.locks.runtime.file),
            wheels=_wheels(store, tree / pipeline.locks.runtime.file, pipeline.app.python),
            smoke_lock=store.put_file(tree / smoke.file),
            smoke_wheels=_wheels(store, tree / smoke.file, pipeline.app.python),
            run=pipeline.run,
        )
    return put_bundle(store, bundle)


def _wheels(store: Store, lock: Path, python: str) -> dict[str, str]:
    with disable_run_logger():
        folder = download_wheels.fn(lock, python, OURS)
    return {wheel.name: store.put_file(wheel) for wheel in sorted(folder.glob("*.whl"))}


def _next(store: Store, digest: str) -> str:
    """Return another version of the same: new to the place, with the same dependencies, as most releases are."""
    commit = uuid.uuid4().hex + uuid.uuid4().hex[:8]
    return put_bundle(
        store, read_bundle(store, digest).model_copy(update={"commit": commit, "version": f"b{commit[:8]}"})
    )


def release(place: Environment, digest: str) -> dict[str, float]:
    """Take a version to the place; return the seconds of each step."""
    with place.lease("benchmark: release") as lease:
        rollout = Rollout.begin(place, lease, read_artifact(place.store, digest), OperationKind.RELEASE)
        rollout.install()
        rollout.migrate()
        rollout.start()
        rollout.verify()
        rollout.switch()
        rollout.check_public()
        rollout.drain()
        rollout.end(Outcome.PROMOTED, "benchmark")
    # The first release finds no old slot to drain.
    return {"drain": 0.0, **rollout.seconds}


def _cool_down(place: Environment) -> None:
    """Stop the warm old slot, as `watch` does after the rollback window."""
    with place.lease("benchmark: retire the old slot") as lease:
        stop_slot(place, lease, place.ledger().idle_slot)


def roll_back(place: Environment) -> float:
    """Type the command; return the seconds from there until the router confirmed the switch."""
    known = len(place.journal.entries())
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "rollback", place.name],
        cwd=CHECKOUT,
        env={**os.environ, "SLIPWAY_HOME": str(place.home.root)},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise ToolError(f"benchmark: the rollback failed: {(done.stdout + done.stderr)[-600:]}")
    routed = [entry for entry in place.journal.entries()[known:] if entry.kind == EventKind.ROUTED]
    return routed[-1].time.timestamp() - began


def _floor(place: Environment, digest: str) -> float:
    """Start the bundle's server bare: no sandbox, supervisor, journal or router; return the seconds until healthy."""
    installed = place.runtime.installed(read_artifact(place.store, digest))
    port = free_port()
    command = installed.command(installed.bundle.run.command, port)
    env = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        **app_environment(place, place.runtime.database.variables(installed.bundle.run)),
        "PORT": str(port),
    }
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        with running("floor", command, Path(name), cwd=installed.working_directory, env=env):
            await_healthy(f"http://127.0.0.1:{port}", installed.bundle.run.health, COMMAND_TIMEOUT_S)
            return time.monotonic() - began
