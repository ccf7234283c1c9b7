"""A commit's tests, tools, build steps and load test look for whatever listens on this host, and for a way out."""

import contextlib
import json
import os
import socket
import sys
import tarfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest
from prefect.logging import disable_run_logger

from evidence.bundle import Run
from gates.check import Outcome
from host.errors import SourceError
from host.ports import LOCAL, free_port
from host.probe import await_healthy
from host.sandbox import run as sandbox
from host.sandbox.run import Isolation
from settings.pipeline import BuildStep, Performance, Suite, Tool
from tasks.build.bundle import run_build_step
from tasks.checks.quality import look
from tasks.checks.suites import look_at_suite
from tasks.load.programs import prepared
from tasks.scans.revisions import read_revisions
from tasks.source.git import Source
from tasks.source.node_packages import node_packages
from tasks.source.workspace import Workspace
from tests.tasks.small_app import FEWER_PLUGINS, PYTEST, pipeline

pytestmark = pytest.mark.skipif(sandbox.available() is not Isolation.NAMESPACES, reason="promised with namespaces only")

PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
# Ends with 0 when nothing was reached and its own loopback answers.
ATTACK = r"""
import ctypes, glob, json, os, pathlib, socket, sys
TARGETS = json.loads(pathlib.Path(__file__).with_name("targets.json").read_text())
reached = []

def attempt(what, family, kind, address, sent=b""):
    try:
        with socket.socket(getattr(socket, family), getattr(socket, kind)) as client:
            client.settimeout(2)
            client.connect(tuple(address) if isinstance(address, list) else address)
            client.send(sent)
            if what != "udp":  # there only who listens can tell
                reached.append(what)
    except OSError:
        pass

def shown():
    # what /proc/net/tcp and tcp6 show as listening
    for name, family, local in (("tcp", "AF_INET", "127.0.0.1"), ("tcp6", "AF_INET6", "::1")):
        for line in pathlib.Path("/proc/net", name).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                yield family, local, int(words[1].rpartition(":")[2], 16)

def names():
    # abstract sockets that /proc/net/unix shows
    for line in pathlib.Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]:
        name = line.split()[-1]
        if name.startswith("@"):
            yield "\0" + name[1:]

def everything():
    for what, (family, kind, address) in TARGETS.items():
        attempt(what, family, kind, address, b"from a stranger")
    for family, local, port in list(shown()):
        attempt(f"/proc/net: {port}", family, "SOCK_STREAM", [local, port])
    for name in list(names()):
        attempt(f"/proc/net/unix: {name}", "AF_UNIX", "SOCK_STREAM", name)

everything()
for place in glob.glob("/proc/[0-9]*/ns/net"):  # into every network that can be seen
    try:
        descriptor = os.open(place, os.O_RDONLY)
    except OSError:
        continue
    if ctypes.CDLL(None).setns(descriptor, 0x40000000) == 0:
        everything()
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 5):
    own = True
print("reached:", *reached)
"""
IN_A_SUITE = ATTACK + "\ndef test_nothing_is_reached():\n    assert own and reached == []\n"
AS_A_PROGRAM = ATTACK + "\nsys.exit(bool(reached) or not own)\n"


@dataclass
class Canary:
    """Listeners of this host. Nobody connects to them but an attack that succeeds."""

    sockets: dict[str, socket.socket] = field(default_factory=dict)
    targets: dict[str, tuple[str, str, object]] = field(default_factory=dict)

    def listen(self, what: str, family: str, kind: str, address: tuple[str, int] | str) -> None:
        server = socket.socket(getattr(socket, family), getattr(socket, kind))
        server.bind(address)
        if kind == "SOCK_STREAM":
            server.listen()
        server.setblocking(False)
        self.sockets[what] = server
        name = server.getsockname()
        self.targets[what] = (family, kind, name.decode() if isinstance(name, bytes) else list(name))

    def reached(self) -> list[str]:
        """Return the listeners that somebody connected or sent to."""
        return [what for what, server in self.sockets.items() if _reached(server)]


def _reached(server: socket.socket) -> bool:
    try:
        if server.type is socket.SOCK_DGRAM:
            server.recv(100)
        else:
            server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def outside() -> str:
    """Return an address of this host that others reach, "" when it has none."""
    found = [one for addresses in psutil.net_if_addrs().values() for one in addresses if one.family is socket.AF_INET]
    return next((one.address for one in found if not one.address.startswith("127.")), "")


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    mark = f"slipway-canary-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        made.listen("127.0.0.1", "AF_INET", "SOCK_STREAM", ("127.0.0.1", 0))
        made.listen("another loopback address", "AF_INET", "SOCK_STREAM", ("127.8.8.8", 0))
        made.listen("udp", "AF_INET", "SOCK_DGRAM", ("127.0.0.1", 0))
        made.listen("abstract", "AF_UNIX", "SOCK_STREAM", f"\0{mark}")
        made.listen("abstract datagrams", "AF_UNIX", "SOCK_DGRAM", f"\0{mark}-datagrams")
        if socket.has_ipv6:
            made.listen("[::1]", "AF_INET6", "SOCK_STREAM", ("::1", 0))
        if address := outside():
            made.listen("outside", "AF_INET", "SOCK_STREAM", (address, 0))
        for server in made.sockets.values():
            stack.enter_context(server)
        yield made


@dataclass(frozen=True)
class Stranger:
    """Who commits files, and has them checked as every commit is."""

    root: Path
    canary: Canary

    def workspace(self, files: dict[str, str], runnable: tuple[str, ...] = ()) -> Workspace:
        tree = self.root / "tree"
        for name, content in {**files, "targets.json": json.dumps(self.canary.targets)}.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(textwrap.dedent(content))
            target = (tree / name).parent / "targets.json"
            target.write_text(json.dumps(self.canary.targets))
        for name in runnable:
            (tree / name).chmod(0o755)
        with tarfile.open(self.root / "source.tar", "w") as archive:
            archive.add(tree, ".")
        source = Source("0" * 40, "1", "main", (), self.root / "source.tar")
        return Workspace(self.root, source, Path(sys.prefix))


@pytest.fixture
def stranger(tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> Stranger:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return Stranger(tmp_path, canary)


def suite(stranger: Stranger) -> str:
    """Attack at the import of a test."""
    asked = Suite(command=PYTEST, timeout_seconds=60, environment=FEWER_PLUGINS)
    check = look_at_suite("unit", asked, stranger.workspace({"tests/test_a.py": IN_A_SUITE})).check
    return "" if check.outcome is Outcome.PASSED else check.reason


def plugin(stranger: Stranger) -> str:
    """Attack before any test is there: a conftest, with another suite's name."""
    asked = Suite(command=PYTEST, timeout_seconds=60, environment=FEWER_PLUGINS, alone=True)
    files = {
        "tests/conftest.py": AS_A_PROGRAM.replace("sys.exit(", "assert not ("),
        "tests/test_a.py": "def test(): pass",
    }
    check = look_at_suite("speed", asked, stranger.workspace(files)).check
    return "" if check.outcome is Outcome.PASSED else check.reason


def quality_tool(stranger: Stranger) -> str:
    tool = Tool(command=("python", "attack.py"), inputs=("*.py",))
    check = look("lines", tool, stranger.workspace({"attack.py": AS_A_PROGRAM})).check
    return "" if check.outcome is Outcome.PASSED else check.reason


def build_step(stranger: Stranger) -> str:
    made = "; import pathlib; pathlib.Path('out').mkdir(); pathlib.Path('out/a').touch()"
    commands = ((PYTHON, "attack.py"), (PYTHON, "-c", made.removeprefix("; ")))
    step = BuildStep(name="page", commands=commands, inputs=("attack.py", "targets.json"), outputs=("out",))
    with disable_run_logger():
        run_build_step.fn(step, stranger.workspace({"attack.py": AS_A_PROGRAM}))
    return ""


def migrations(stranger: Stranger) -> str:
    """Attack from env.py, which Alembic imports to write SQL down."""
    files = {
        "alembic.ini": "[alembic]\nscript_location = migrations\n",
        "migrations/env.py": AS_A_PROGRAM.replace("sys.exit(", "assert not ("),
        "migrations/versions/.keep": "",
    }
    workspace = stranger.workspace(files)
    named = replace(workspace, source=replace(workspace.source, files=dict.fromkeys(files, "")))
    read_revisions(pipeline({}), named, "migrations")
    return ""


SERVE = """
import http.server

class Told(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if reached or not own else 200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Told).serve_forever()
"""


def load_test(stranger: Stranger) -> str:
    """Attack as the app under load, which Slipway itself must reach."""
    run = Run(command=("python", "app.py", "{port}"), health=("/",))
    asked, port = Performance(locustfile="app.py"), free_port()
    workspace = stranger.workspace({"app.py": ATTACK + SERVE})
    with prepared(asked, workspace, run) as test, test.app(port, 60) as app, test.entrance(port) as through:
        await_healthy(f"http://{LOCAL}:{port}", run.health, 20, gone=lambda: test.gone(app), through=through)
        with pytest.raises(OSError), socket.create_connection((LOCAL, port), 5):
            pass
    return ""


@pytest.mark.parametrize("lock_version", [2, 3])
def test_what_fetches_packages_runs_no_program_of_the_commit(stranger: Stranger, lock_version: int) -> None:
    """npm has the network, and .npmrc may name the program that is git."""
    where = f"git+ssh://git@127.0.0.1/x/x.git#{'0' * 40}"
    manifest = {"name": "page", "version": "1.0.0", "dependencies": {"x": where}}
    modules = {"node_modules/x": {"version": "1.0.0", "resolved": where}}
    lock = {**manifest, "lockfileVersion": lock_version, "requires": True, "packages": {"": manifest, **modules}}
    files = {
        "package.json": json.dumps(manifest),
        "package-lock.json": json.dumps(lock),
        ".npmrc": "#!/bin/sh\ngit=./.npmrc\nx=$(touch proof)\n",
    }
    workspace = stranger.workspace(files, runnable=(".npmrc",))
    with pytest.raises(SourceError, match=r"\.npmrc: line 2: git is not accepted; .*git\+ssh://127"):
        node_packages(workspace, workspace.check_directory("page"), ".")
    assert list(workspace.root.rglob("proof")) == []


@pytest.mark.parametrize(
    "way", [suite, plugin, quality_tool, build_step, migrations, load_test], ids=lambda way: way.__name__
)
def test_nothing_of_the_host_is_reached(stranger: Stranger, way: Callable[[Stranger], str]) -> None:
    trouble = way(stranger)
    assert stranger.canary.reached() == []
    assert trouble == ""
