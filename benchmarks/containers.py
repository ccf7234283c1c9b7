"""Releases of containers under load, Slipway's beside what one would do without: `python -m benchmarks.containers`.

One image, one load (open-loop: keep-alive, slow answers, uploads, SSE, WebSockets) and 20 releases for each of

- Slipway, runtime `compose`, the steps and the order of flows/release.py without approval and bake;
- `docker compose up -d --wait`, which recreates the container;
- blue-green behind an nginx that is told the new port and reloads.

The floor is what nobody can go below: `docker run` of the image until its health address answers.
"""

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import releases
from benchmarks.rivals import NginxReload, Recreate, cleared, docker
from benchmarks.switches import CHECKOUT, traffic
from deployments.environment import Environment
from deployments.journal.entries import EventKind
from deployments.runtimes.compose.projects import remove_everything
from evidence.bundle import Bundle, Image, Run, put_bundle
from evidence.store import Store
from host.docker.labels import owner
from host.errors import SlipwayError
from host.ports import free_port
from host.probe import await_healthy

RELEASES = 20
RATE = 50.0
PAUSE_S = 0.5
FLOORS = 5
DRAIN_S = 3  # streams never end by themselves
SLIPWAY = "slipway, compose"
RECREATE = "docker compose up -d"
NGINX = "blue-green, nginx reload"
# Put into the image as they are installed here, so that building it needs no package index.
PACKAGES = ("uvicorn", "h11", "click", "websockets")
DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app
COPY . .
USER 10001
ENV PYTHONUNBUFFERED=1
CMD ["python", "-m", "uvicorn", "backend:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", \
"--log-level", "warning", "--timeout-graceful-shutdown", "5"]
"""
HEALTH = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/', timeout=2)"
SERVICE: dict[str, Any] = {
    "stop_grace_period": "10s",
    "mem_limit": "256m",
    "healthcheck": {
        "test": ["CMD", "python", "-c", HEALTH],
        "interval": "10s",
        "timeout": "3s",
        "start_period": "30s",
        "start_interval": "0.5s",
    },
}
COMPOSE = "services: {web: {image: '${SLIPWAY_IMAGE}', labels: {slipway.role: slot}, ports: ['8000'], \
mem_limit: 256m, stop_grace_period: 10s}}\n"


@dataclass
class Row:
    """One way to release, and what became of the traffic. `seconds`: command to served and checked, by release."""

    name: str
    seconds: list[float] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def streams_ended(self) -> int:
        return sum(one["broken"] + one["ended_cleanly"] for one in self.report["streams"].values())


@dataclass
class Figures:
    """All rows; the floor, and Slipway's warm rollbacks: begun to confirmed, and from the typed command."""

    floor: list[float]
    rows: list[Row]
    warm: list[float]
    typed: list[float]


def run(number: int = RELEASES, rate: float = RATE) -> Figures:
    """Do it. Needs a Docker engine; leaves nothing on it. Raises ToolError if something does not start."""
    with _image() as image:
        floor = [_floor(image) for _ in range(FLOORS)]
        slipway, warm, typed = _slipway(image, number, rate)
        rows = [slipway]
        for name, rival in ((RECREATE, Recreate), (NGINX, NginxReload)):
            project = f"bench{uuid.uuid4().hex[:8]}"
            with tempfile.TemporaryDirectory(prefix="rival-") as folder, cleared(project):
                other = rival({**SERVICE, "image": image}, project, Path(folder), free_port())
                rows.append(_rival(name, other, number, rate))
    return Figures(floor, rows, warm, typed)


def _rival(name: str, rival: Recreate | NginxReload, number: int, rate: float) -> Row:
    row = Row(name)
    rival.release(0)
    await_healthy(f"http://127.0.0.1:{rival.port}", ("/",), 30)
    with traffic(rival.port, rate, rival.directory) as read:
        for one in range(1, number + 1):
            time.sleep(PAUSE_S)
            began = time.monotonic()
            rival.release(one)
            row.seconds.append(time.monotonic() - began)
        time.sleep(PAUSE_S)
    row.report = read()
    return row


def _slipway(image: str, number: int, rate: float) -> tuple[Row, list[float], list[float]]:
    row, warm, typed = Row(SLIPWAY), [], []
    settings = {
        "RUNTIME": "compose",
        "PROJECT": f"bench{uuid.uuid4().hex[:8]}",
        "DRAIN_SECONDS": str(DRAIN_S),
        "APP_BACKEND_NAME": "slipway",
    }
    with releases.opened(settings) as place, _removed(place), tempfile.TemporaryDirectory() as folder:
        releases.release(place, _version(place.store, image))
        with traffic(place.settings.port, rate, Path(folder)) as read:
            for _ in range(number):
                time.sleep(PAUSE_S)
                steps = releases.release(place, _version(place.store, image))
                row.seconds.append(sum(took for step, took in steps.items() if step != "drain"))
            time.sleep(PAUSE_S)
        row.report = read()
        for _ in range(FLOORS):
            typed.append(releases.roll_back(place))
            entries = place.journal.entries()
            begun = max(at for at, one in enumerate(entries) if one.kind == EventKind.BEGIN)
            routed = next(one for one in entries[begun:] if one.kind == EventKind.ROUTED)
            warm.append((routed.time - entries[begun].time).total_seconds())
            releases.release(place, _version(place.store, image))
    return row, warm, typed


@contextmanager
def _removed(place: Environment) -> Iterator[None]:
    try:
        yield
    finally:
        remove_everything(place.directory / "compose", owner(place.home.root, place.name))


def _version(store: Store, image: str) -> str:
    """Return an artifact of the image, new to the environment each time."""
    commit = uuid.uuid4().hex + uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tree").mkdir()
        (folder / "tree" / "compose.yml").write_text(COMPOSE)
        (folder / "lock").write_text("")
        with tarfile.open(folder / "source.tar", "w") as tar:
            tar.add(folder / "tree", ".")
        bundle = Bundle(
            app=releases.EXAMPLE.name,
            commit=commit,
            version=f"b{commit[:8]}",
            python="3.11",
            source=store.put_file(folder / "source.tar"),
            lock=store.put_file(folder / "lock"),
            wheels={},
            image=Image(id=image, compose={"production": "compose.yml"}),
            run=Run(command=("unused",), health=("/",), stop_seconds=10),
        )
    return put_bundle(store, bundle)


@contextmanager
def _image() -> Iterator[str]:
    """Build the image of benchmarks/backend.py; give its id; remove it after the block."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        context = Path(name)
        shutil.copy(CHECKOUT / "benchmarks" / "backend.py", context)
        for package in PACKAGES:
            spec = importlib.util.find_spec(package)
            assert spec and spec.origin
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(Path(spec.origin).parent, context / package, ignore=ignored)
        (context / "Dockerfile").write_text(DOCKERFILE)
        for folder, _, files in os.walk(context):
            os.chmod(folder, 0o755)
            for file in files:
                Path(folder, file).chmod(0o644)
        image = docker("buildx", "build", "-q", "--load", "--provenance=false", name)
    try:
        yield image
    finally:
        subprocess.run(["docker", "rmi", "-f", image], capture_output=True, timeout=60, check=False)


def _floor(image: str) -> float:
    """Start a container of the image, and nothing else; return the seconds until its health address answers."""
    port, began = free_port(), time.monotonic()
    container = docker("run", "-d", "--memory", "256m", "-p", f"127.0.0.1:{port}:8000", image)
    try:
        await_healthy(f"http://127.0.0.1:{port}", ("/",), 60)
        return time.monotonic() - began
    finally:
        docker("rm", "-f", container)


def main() -> int:
    """Print the figures; 1 when Slipway lost a request."""
    figures = run(int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES)
    print(f"floor {statistics.median(figures.floor):.2f} s, load {os.getloadavg()[0]:.1f}")
    for row in figures.rows:
        totals = row.report["totals"]
        print(
            f"{row.name}: {len(row.seconds)} releases, sent {totals['sent']}, lost {totals['lost']}, "
            f"not sent {totals['not_sent']}, streams ended {row.streams_ended}, median {row.median:.2f} s, "
            f"p99 {totals['latency_ms']['p99']} ms"
        )
        for lost in row.report["lost"][:3]:
            print("   ", lost)
    print(f"warm rollback {statistics.median(figures.warm):.2f} s, typed {statistics.median(figures.typed):.2f} s")
    return 1 if figures.rows[0].report["totals"]["lost"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SlipwayError as error:
        sys.exit(f"{type(error).__name__}: {error}")
