"""The seven security scans of the example: a part of `make bench`.

Against advisories served on this machine, as a host without internet has them: what the network takes is another
machine's figure. Only the ratios of one run mean anything.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cli.demo.story import make_repository, read_story
from cli.local import control_plane
from host.errors import ToolError
from host.home import CHECKOUT, Home
from host.ports import free_port
from services.osv import load, make_app
from tasks.scans.packages.advisories import CANARY
from tasks.scans.packages.npm import CANARY as NPM_CANARY

TIMEOUT_S = 900
COMMITS = 1_000
FILES = 50
BULK = "/-/npm/v1/security/advisories/bulk"


@dataclass(frozen=True)
class Figures:
    """Seconds: all seven side by side with nothing remembered (and each by itself in that run), again on the same day
    with nothing changed, the secrets scan of a history of COMMITS commits, and Kingfisher alone on that.
    """

    cold_s: float
    again_s: float
    each: dict[str, float]
    history_s: float
    kingfisher_s: float


def run() -> Figures:
    """Measure all of it. Raises ToolError if a scan could not look, or found something that blocks."""
    before = dict(os.environ)
    home = Home(Path(tempfile.mkdtemp(prefix="slipway-bench-")))
    try:
        os.environ |= {"SLIPWAY_HOME": str(home.root), "SLIPWAY_PREFECT_PORT": str(free_port())}
        repository, history = home.root / "demo" / "assistant", home.root / "history"
        make_repository(read_story(CHECKOUT / "examples" / "story"), repository)
        make_history(history)
        with advisories(home.root / "records") as url, control_plane(home):
            os.environ |= {"SLIPWAY_OSV_URL": url, "SLIPWAY_NPM_AUDIT_URL": url}
            argv = [sys.executable, "-m", "benchmarks.timed_scans", str(repository), str(history)]
            done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            raise ToolError(f"the timed scans ended with {done.returncode}: {done.stderr[-1500:]}")
        return Figures(**json.loads(done.stdout.splitlines()[-1]))
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home.root, ignore_errors=True)


def make_history(directory: Path) -> None:
    """Make a repository of COMMITS commits, each of which rewrites one of FILES files."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(directory)], check=True, timeout=60)
    stream = bytearray()
    for number in range(COMMITS):
        text = "".join(f"def step_{number}_{line}():\n    return {number * line}\n\n\n" for line in range(20)).encode()
        said = f"step {number}".encode()
        stream += b"commit refs/heads/main\ncommitter B <b@example.org> %d +0000\n" % (1_700_000_000 + number)
        stream += b"data %d\n%b\n" % (len(said), said)
        stream += b"M 644 inline part_%d.py\ndata %d\n%b\n" % (number % FILES, len(text), text)
    words = ("-C", str(directory))
    subprocess.run(["git", *words, "fast-import", "--quiet"], input=bytes(stream), check=True, timeout=60)
    subprocess.run(["git", *words, "reset", "-q", "--hard", "main"], check=True, timeout=60)


@contextmanager
def advisories(directory: Path) -> Iterator[str]:
    """Serve both canaries on this machine, and nothing else: what the example pins is clean by them."""
    directory.mkdir()
    affected = {"package": {"name": CANARY.name, "ecosystem": "PyPI"}, "versions": [CANARY.version]}
    record = {"id": "CANARY-1", "modified": datetime.now(UTC).isoformat(), "affected": [affected]}
    (directory / "canary.json").write_text(json.dumps(record), encoding="utf-8")
    app = Starlette(routes=[Route(BULK, _bulk, methods=["POST"])])
    app.mount("/", make_app(load(directory)))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started:
            if time.monotonic() > until:
                raise ToolError("the advisories cannot be served on this machine")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


async def _bulk(request: Request) -> JSONResponse:
    """Answer as a registry's audit endpoint does, knowing of the canary alone."""
    raw = await request.body()
    asked = json.loads(gzip.decompress(raw) if request.headers.get("content-encoding") == "gzip" else raw)
    name, version = NPM_CANARY
    known: dict[str, Any] = {"id": 1, "url": "https://advisories.invalid/GHSA-canary", "title": "the canary"}
    known |= {"severity": "critical", "vulnerable_versions": version}
    return JSONResponse({name: [known]} if version in asked.get(name, []) else {})
