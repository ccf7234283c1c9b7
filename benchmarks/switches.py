"""Switches under load: `python -m benchmarks.switches`.

Two backends (uvicorn), Envoy, and open-loop traffic (keep-alive, slow, uploads, SSE, WebSocket) in a directory of their
own; 20 switches between the two. Each is timed from written to confirmed; what is lost is what the traffic counts.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from deployments.router.bootstrap import Edge
from deployments.router.router import Envoy, Routing
from host.errors import SlipwayError, ToolError
from host.ports import LOCAL, Endpoint, free_port

CHECKOUT = Path(__file__).resolve().parent.parent
SWITCHES = 20
RATE = 100.0
PAUSE_S = 0.5
START_DEADLINE_S = 20.0
SLOTS = ("blue", "green")
PROFILE = """
[[request]]
name = "quick"
path = "/"
weight = 8
[[request]]
name = "slow"
path = "/slow"
weight = 1
[[request]]
name = "upload"
method = "POST"
path = "/upload"
weight = 1
slow_body = { chunks = 4, chunk_bytes = 4096, interval_s = 0.2 }
[[stream]]
name = "events"
path = "/events"
kind = "sse"
connections = 4
[[stream]]
name = "socket"
path = "/socket"
kind = "websocket"
connections = 2
"""


def run(switches: int = SWITCHES, rate: float = RATE) -> dict[str, Any]:
    """Do it and return the row's figures. Raises ToolError if something does not start."""
    with tempfile.TemporaryDirectory(prefix="switches-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        backends = {slot: (Endpoint(LOCAL, stack.enter_context(_backend(slot, directory))),) for slot in SLOTS}
        router = Envoy(directory / "router", directory / "run", Edge(free_port()))
        router.prepare()
        stack.enter_context(running("envoy", router.command(), directory))
        _wait("envoy", router.ready)
        router.publish(Routing("b0", backends, {SLOTS[0]: 100}, None, ""))
        seconds = []
        with traffic(router.edge.port, rate, directory) as read:
            for number in range(1, switches + 1):
                time.sleep(PAUSE_S)
                weights = {SLOTS[number % 2]: 100}
                seconds.append(router.publish(Routing(f"b{number}", backends, weights, None, "")))
            time.sleep(PAUSE_S)
        return _row(read(), seconds)


def _row(report: dict[str, Any], seconds: list[float]) -> dict[str, Any]:
    totals, streams = report["totals"], report["streams"].values()
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "switches": len(seconds),
        "sent": totals["sent"],
        "lost": totals["lost"],
        "not_sent": totals["not_sent"],
        "sent_late_p99_ms": report["sent_late_ms"]["p99"],
        "app_errors": totals["app_error"],
        "streams_broken": sum(stream["broken"] for stream in streams),
        "streams_ended": sum(stream["ended_cleanly"] for stream in streams),
        "confirmed_p50_ms": round(cuts[49] * 1000, 1),
        "confirmed_p99_ms": round(cuts[98] * 1000, 1),
    }


@contextlib.contextmanager
def running(
    name: str, command: list[str], directory: Path, *, cwd: Path = CHECKOUT, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while the block runs; its output goes to a log in `directory` that an error quotes."""
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    except SlipwayError as error:
        raise ToolError(f"{error}; {name} said: {log.read_text(errors='replace')[-500:]}") from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _backend(slot: str, directory: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.backend:app", "--port", str(port)]
    quiet = ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "1"]
    with running(slot, command + quiet, directory, env={**os.environ, "BACKEND_NAME": slot}):
        _wait(slot, lambda: _answers(f"http://127.0.0.1:{port}/"))
        yield port


@contextlib.contextmanager
def traffic(port: int, rate: float, directory: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Send traffic from a process of its own while the block runs; gives what reads its report, final after that."""
    profile, report = directory / "traffic.toml", directory / "traffic.json"
    profile.write_text(PROFILE)
    command = [sys.executable, "-m", "traffic.main", "--target", f"http://127.0.0.1:{port}"]
    command += ["--profile", str(profile), "--rate", str(rate), "--report", str(report)]
    with running("traffic", command, directory):
        _wait("traffic", report.exists)
        yield lambda: dict(json.loads(report.read_text()))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _wait(what: str, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + START_DEADLINE_S
    while not condition():
        if time.monotonic() > until:
            raise ToolError(f"benchmark: {what} did not start within {START_DEADLINE_S:g} s")
        time.sleep(0.05)


def main() -> int:
    """Print the row; 1 when anything was lost or not sent."""
    row = run()
    print("switches under load: " + ", ".join(f"{name} {value}" for name, value in row.items()))
    return 1 if row["lost"] or row["not_sent"] else 0


if __name__ == "__main__":
    sys.exit(main())
