"""A stranger listens where the router, a slot or the Prefect server does, to be taken for it."""

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import pytest

import docker
from control.plane import Control
from control.plane import port as control_port
from control.server_process import ServerElsewhere
from deployments import health
from deployments.candidate import Artifact
from deployments.environment import Environment
from deployments.instance import Instance
from deployments.router.bootstrap import Edge
from deployments.router.container import RouterContainer
from deployments.router.router import Envoy
from deployments.runtimes.databases import OwnDatabase
from deployments.runtimes.process import ProcessRuntime
from deployments.slots import start_slot
from gates.release.condition import Condition, Look
from gates.release.operation import Live
from host import listeners as listeners_module
from host.docker.engine import Engine
from host.errors import ConfigError, HealthError, SupervisorError
from host.files import write_atomically
from host.home import Home
from host.ports import LOCAL, LOCAL6, Endpoint, free_port, is_free, loopback_twin
from host.process_marks import carriers
from host.sandbox import run as sandbox
from host.sandbox.run import Isolation
from host.sandbox.uids import environment_uid, router_uid
from host.supervisor import exec_program
from tests.deployments.shop import Shop, clean
from tests.deployments.stage import NO_IMAGE, StandInDatabase
from tests.pems import Issuer
from tests.waiting import wait_for

CANARY = "cookie-of-a-customer"
# Listens as often as it can at each "address port", says how often, and then answers itself and keeps what it is sent.
SHARER = """
import socket, sys
def listen(host, port):
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
        one.setsockopt(socket.SOL_SOCKET, option, 1)
    if ":" in host and sys.argv[1] == "v6only":
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        one.bind((host, int(port)))
        one.listen()
    except OSError as error:
        print(host, port, error.strerror, flush=True)
        one.close()
        return []
    return [one]
places = list(zip(sys.argv[2::2], sys.argv[3::2]))
shared = [one for _ in range(30) for place in places for one in listen(*place)]
print("bound", len(shared), flush=True)
import selectors
chosen = selectors.DefaultSelector()
for one in shared:
    chosen.register(one, selectors.EVENT_READ)
while shared:
    for key, _ in chosen.select():
        client = key.fileobj.accept()[0]
        print("stolen", client.recv(65536), flush=True)
        head = b"HTTP/1.1 200 OK\\r\\ncontent-length: 15\\r\\nconnection: close\\r\\n\\r\\n"
        client.sendall(head + b'{"status":"ok"}')
        client.close()
"""


class Stranger:
    """A program of an app, sandboxed, as a test or another environment's slot is. `uid`: of what it is like."""

    def __init__(self, mode: str, *places: tuple[str, int], uid: int, env: Mapping[str, str] | None = None) -> None:
        words = [str(word) for place in places for word in place]
        self._folder = TemporaryDirectory()
        command = sandbox.command(
            [f"{sys.base_prefix}/bin/python3", "-c", SHARER, mode, *words],
            cwd=Path("/"),
            env={"PATH": "/usr/bin:/bin", **(env or {})},
            sandbox=sandbox.Sandbox(sandbox.available(), uid=uid),
            spec_directory=Path(self._folder.name),
        )
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = ""

    def __enter__(self) -> "Stranger":
        assert self._process.stdout
        for line in self._process.stdout:
            self.said += line
            if line.startswith("bound"):
                break
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self.said += self._process.communicate()[0]
        self._folder.cleanup()


def tls_router(directory: Path) -> Envoy:
    """Return a router with every kind of listener that there is."""
    public, inner, redirect = free_port(), free_port(), free_port()
    edge = Edge(public, tls=True, inner_port=inner, redirect_port=redirect, twin=loopback_twin(LOCAL))
    return Envoy(directory / "router", directory / "run", edge)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    directory = tmp_path_factory.mktemp("edge")
    envoy = tls_router(directory)
    envoy.prepare()
    chain, key = Issuer.make().pair()
    envoy.certify("1", chain.decode(), key.decode())
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(envoy.command(), stdout=log, stderr=log)
    try:
        wait_for(envoy.ready, f"Envoy; {(directory / 'log').read_text()[-800:]}")
        yield envoy
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> list[int]:
    """Return the statuses of 40 requests, each on a connection of its own, with something to steal."""
    fresh = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(trust_env=False, verify=False, limits=fresh, headers={"cookie": CANARY}, timeout=60) as client:
        return [client.get(url).status_code for _ in range(40)]


@pytest.mark.parametrize("listener", ["public", "inner", "redirect"])
def test_a_sandboxed_program_of_our_uid_shares_no_port_of_the_router(router: Envoy, listener: str) -> None:
    edge = router.edge
    port = {"public": edge.port, "inner": edge.inner_port, "redirect": edge.redirect_port}[listener]
    # nobody types the inner port, and our own requests go to 127.0.0.1
    hosts = [LOCAL, "0.0.0.0", "::"] + ["::1"] * (listener != "inner")
    with Stranger("dual", *((host, port) for host in hosts), uid=os.geteuid()) as stranger:
        assert "bound 0" in stranger.said
        for host in hosts:
            assert f"{host} {port} Address already in use" in stranger.said
        scheme = "https" if listener == "public" else "http"
        assert answers(f"{scheme}://{LOCAL}:{port}/") == [308 if listener == "redirect" else 503] * 40
    assert CANARY not in stranger.said


def test_who_types_localhost_comes_to_the_router_over_either_address(router: Envoy) -> None:
    port = router.edge.port
    with Stranger("v6only", ("::1", port), ("::", port), uid=os.geteuid()) as stranger:
        assert "bound 0" in stranger.said
        assert answers(f"https://localhost:{port}/") == answers(f"https://[::1]:{port}/") == [503] * 40
    assert CANARY not in stranger.said


# An honest app, by what it does at its port. Each serves for good once it listens.
SERVE = """
import http.server, json, os, signal, socket, sys, threading, time
port = int(sys.argv[1])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")
        if self.path == "/die":
            os._exit(3)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        if len(sys.argv) > 2:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
def serve():
    Server(("127.0.0.1", port), Answer).serve_forever()
"""
QUICK = SERVE + "serve()"
SLOW = SERVE + "time.sleep(1.2)\nserve()"  # the supervisor takes it for up, and starts it again for ever
FORKS = SERVE + "os.fork() and time.sleep(999)\nos.setsid()\nos.fork() and os._exit(0)\nserve()"


@dataclass
class Slots:
    """An environment whose supervisor runs, and an app that a stranger wants to be taken for."""

    place: Environment
    artifact: Artifact
    ports: list[int] = field(default_factory=list)  # what is chosen next

    def app(self, code: str, *more: str) -> Artifact:
        run = self.artifact.bundle.run.model_copy(update={"command": ("python", "-c", code, "{port}", *more)})
        return replace(self.artifact, bundle=self.artifact.bundle.model_copy(update={"run": run}))

    def start(self, code: str, *more: str) -> str:
        with self.place.lease("test") as lease:
            return start_slot(self.place, lease, "blue", self.app(code, *more))

    def instance(self) -> Instance:
        return Instance.now(self.place, "blue", self.place.ledger().slots["blue"].endpoints)

    @property
    def port(self) -> int:
        return self.place.ledger().slots["blue"].endpoints[0].port

    def choose(self) -> tuple[Endpoint]:
        return (Endpoint(LOCAL, self.ports.pop(0) if self.ports else free_port()),)

    def ask(self, path: str = "/health") -> None:
        with suppress(httpx.HTTPError):
            httpx.get(f"http://{LOCAL}:{self.port}{path}", trust_env=False, headers={"cookie": CANARY}, timeout=5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slots]:
    shop = Shop(tmp_path_factory.mktemp("slots"), "process", Engine())
    place = shop.place()
    place.directory.mkdir(mode=0o700, parents=True)
    runtime = place.runtime
    assert isinstance(runtime, ProcessRuntime)
    assert isinstance(runtime.database, OwnDatabase)
    runtime.database.postgres.socket_directory.mkdir(parents=True)
    runtime.database = StandInDatabase(runtime.database.postgres, place)
    place.supervisor.up()
    artifact = shop.read(shop.artifact("good", image=NO_IMAGE))
    runtime.install(artifact)
    made = Slots(place, artifact)
    runtime.choose_endpoints = made.choose  # type: ignore[method-assign]
    yield made
    place.supervisor.down()


@pytest.fixture
def slots(world: Slots) -> Iterator[Slots]:
    world.ports.clear()
    yield world
    world.place.runtime.stop("blue")


@pytest.mark.parametrize("host, mode", [(LOCAL, "dual"), ("::1", "v6only")])
def test_who_has_the_port_before_the_slot_is_not_taken_for_it(slots: Slots, host: str, mode: str) -> None:
    port = free_port()
    slots.ports = [port]
    with Stranger(mode, (host, port), uid=environment_uid(slots.place.home, slots.place.name)) as stranger:
        assert "bound 30" in stranger.said
        said = slots.start(QUICK)
        assert f"({sys.base_prefix}/bin/python3 -c" in said and f":{port}, and is not the slot's" in said
        assert slots.port != port
        slots.ask()
    assert CANARY not in stranger.said


def test_who_has_every_port_costs_a_release_and_is_named(slots: Slots) -> None:
    ports = [free_port() for _ in range(4)]
    slots.ports = list(ports)
    with Stranger("dual", *((LOCAL, port) for port in ports), uid=sandbox.APP_UID):
        with pytest.raises(HealthError) as refused:
            slots.start(SLOW)
    for port in ports[:3]:
        assert f"listens on {LOCAL}:{port}, and is not the slot's" in str(refused.value)
    assert "pid " in str(refused.value) and f"{LOCAL}:{ports[3]}" not in str(refused.value)


def test_the_marks_and_words_of_a_slot_make_no_stranger_the_slot(slots: Slots) -> None:
    slots.start(QUICK)
    (value,) = {
        value
        for _, value in carriers(exec_program.MARK, f"{slots.place.supervisor.directory}/")
        if value.endswith("/slot-blue")
    }
    slots.ports = [free_port()]
    with Stranger("dual", (LOCAL, slots.ports[0]), uid=sandbox.APP_UID, env={exec_program.MARK: value}):
        assert "is not the slot's" in slots.start(QUICK)


def test_who_shares_the_port_with_an_app_that_lets_him_is_found_out(slots: Slots) -> None:
    slots.start(QUICK, "shared")
    instance = slots.instance()
    assert instance.problem() is None
    with Stranger("dual", (LOCAL, slots.port), uid=environment_uid(slots.place.home, slots.place.name)) as stranger:
        assert "bound 30" in stranger.said
        problem = instance.problem()
        assert problem and f"listens on {LOCAL}:{slots.port}, and is not the slot's" in problem
        look = look_at_slot(slots)
        assert look.condition is Condition.UNHEALTHY and "is not the slot's" in look.reason


def look_at_slot(slots: Slots) -> Look:
    """Return what `watch` would say of the slot, were it live."""
    version = slots.artifact.version
    return health._slot(slots.place, slots.place.ledger(), Live(version, "blue", datetime.now(UTC)))


def test_who_waits_for_the_slot_to_die_gains_nothing(slots: Slots) -> None:
    slots.start(QUICK)
    instance = slots.instance()
    slots.ask("/die")
    wait_for(lambda: instance.gone() is not None, "the death to be noticed")
    wait_for(lambda: not is_free(slots.port), "the supervisor to start it again")
    # It runs and answers as before: for the release that started it, it is gone all the same.
    wait_for(lambda: slots.instance().problem() is None, "the new process to listen")
    assert instance.problem() and "the supervisor started it again" in (instance.gone() or "")


def test_who_takes_the_port_of_a_slot_that_died_is_named(slots: Slots) -> None:
    slots.start(QUICK)
    instance = slots.instance()
    slots.place.supervisor.stop("slot-blue")
    with Stranger("dual", (LOCAL, slots.port), uid=environment_uid(slots.place.home, slots.place.name)) as stranger:
        assert "bound 30" in stranger.said
        with suppress(SupervisorError):
            slots.place.supervisor.start("slot-blue", wait_s=0)
        assert "is not the slot's" in (instance.problem() or "")
        assert "is not the slot's" in (slots.instance().problem() or "")


def test_a_worker_that_left_its_parent_is_still_the_slots(slots: Slots) -> None:
    assert "given up" not in slots.start(FORKS)
    assert slots.instance().problem() is None
    assert look_at_slot(slots).condition is Condition.HEALTHY


def test_what_cannot_be_seen_is_not_healthy_and_says_what_to_do(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    slots.start(QUICK)

    def closed(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(listeners_module.os, "scandir", closed)
    problem = slots.instance().problem() or ""
    assert f"listens on {LOCAL}:{slots.port}, and cannot be seen to be the slot's" in problem
    assert "CAP_SYS_PTRACE" in problem


class NoServer(ServerElsewhere):
    """Stands for a Prefect server that starts: it is what "localhost" leads to that is looked at."""

    kind = "process"

    def running(self) -> bool:
        return False


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", str(free_port()))
    monkeypatch.setattr(Control, "server", NoServer())
    home = Home(tmp_path)
    home.create()
    made = Control(home)
    made.create_auth()
    yield made
    made.supervisor.down()


def test_nobody_can_listen_where_people_type_localhost_for_the_login_of_prefect(control: Control) -> None:
    control.start_server()
    wait_for(lambda: not is_free(control_port(), LOCAL6), "the port to be kept")
    control.start_server()  # safe to repeat
    with Stranger("v6only", (LOCAL6, control_port()), ("::", control_port()), uid=os.geteuid()) as stranger:
        assert "bound 0" in stranger.said
    control.stop_server()
    assert is_free(control_port(), LOCAL6)


def test_no_server_starts_beside_a_stranger_at_the_other_localhost(control: Control) -> None:
    with Stranger("v6only", (LOCAL6, control_port()), uid=sandbox.CHECK_UID):
        with pytest.raises(
            ConfigError, match=f"port {control_port()} .*on ::1.* is taken by pid .*SLIPWAY_PREFECT_PORT"
        ):
            control.start_server()
    assert not control.supervisor.answers()


@pytest.mark.docker
def test_who_has_a_containers_port_is_not_taken_for_it(engine: Engine, tmp_path: Path) -> None:
    shop = Shop(tmp_path, "compose", engine)
    try:
        place = shop.place()
        place.runtime.prepare()
        taken, other = free_port(), free_port()
        made = Slots(place, shop.read(shop.artifact("good")), [taken, other])
        place.runtime.choose_endpoints = made.choose  # type: ignore[method-assign]
        place.runtime.install(made.artifact)
        with Stranger("dual", (LOCAL, taken), uid=sandbox.APP_UID) as stranger, place.lease("test") as lease:
            said = start_slot(place, lease, "blue", made.artifact)
        assert f":{taken}, and is not the slot's" in said and made.port == other
        assert CANARY not in stranger.said
        instance = made.instance()
        assert instance.problem() is None
        engine.stop(engine.containers({"com.docker.compose.project": f"{shop.project}-blue"}), 30)
        with Stranger("dual", (LOCAL, other), uid=sandbox.APP_UID):
            assert "is not the slot's" in (instance.problem() or "")
            assert look_at_slot(made).condition is Condition.UNHEALTHY
    finally:
        clean(shop)


# ---- a router that somebody took over


TAKEN_OVER = """
import json, os, socket, sys
places = json.load(open(sys.argv[sys.argv.index("-c") + 1]))["places"]
seen = {}
for name, path in places.items():
    try:
        if name.startswith("connect"):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(path)
            seen[name] = "connected"
        elif name.startswith("write"):
            with open(path, "a") as file:
                file.write("x")
            seen[name] = "written"
        else:
            seen[name] = open(path).read()
    except OSError as error:
        seen[name] = error.strerror
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
seen["uids"] = status["Uid"].split()
seen["capabilities"] = int(status["CapEff"], 16), int(status["CapBnd"], 16) and status["NoNewPrivs"].strip()
seen["processes"] = sum(name.isdigit() for name in os.listdir("/proc"))
seen["environment"] = sorted(os.environ)
print("SEEN", json.dumps(seen), flush=True)
"""


@dataclass(frozen=True)
class Taken:
    """Production's router with another program in its place, and what it says that it can reach."""

    envoy: Envoy
    home: Home

    def sees(self, **places: Path) -> dict[str, Any]:
        self.envoy.prepare()
        wanted = {name: str(path) for name, path in places.items()}
        write_atomically(self.envoy.directory / "bootstrap.json", json.dumps({"places": wanted}).encode(), 0o644)
        done = subprocess.run(self.envoy.command(), capture_output=True, text=True, check=False)
        line = next((line for line in done.stdout.splitlines() if line.startswith("SEEN ")), "")
        assert line, done.stdout + done.stderr
        seen: dict[str, Any] = json.loads(line.removeprefix("SEEN "))
        return seen


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taken:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    home = Home.find()
    home.create()
    program = tmp_path / "envoy"
    program.write_text(f"#!{sys.base_prefix}/bin/python3\n{TAKEN_OVER}")
    program.chmod(0o755)
    place, sockets = home.place("production"), home.sockets("production")
    uid = router_uid(home, "production") if os.geteuid() == 0 else os.geteuid()
    return Taken(Envoy(place / "router", sockets, Edge(free_port()), program, uid=uid), home)


SECRET_PLACES = (
    "keys/evidence.key",
    "keys/prefect-auth",
    "environments/production/secrets/SESSION_KEY",
    "environments/production/preview.secret",
    "environments/production/slots/blue/sandbox-1.json",
    "environments/production/postgres/superuser",
    "environments/staging/router/dyn/sds.json",
    "store/artifacts/1",
    "control/postgres/roles/prefect",
    ".env",
)


@pytest.mark.skipif(sandbox.available() is not Isolation.NAMESPACES, reason="promised with namespaces only")
@pytest.mark.parametrize("secret", SECRET_PLACES)
def test_a_router_that_was_taken_over_reads_nothing_of_ours(taken: Taken, secret: str) -> None:
    file = taken.home.root / secret
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CANARY)
    file.chmod(0o644)  # the modes are not what keeps it out
    seen = taken.sees(secret=file)
    assert seen["secret"] == "No such file or directory" and CANARY not in str(seen)


@pytest.mark.skipif(sandbox.available() is not Isolation.NAMESPACES, reason="promised with namespaces only")
def test_a_router_that_was_taken_over_reaches_no_supervisor_and_changes_no_file(taken: Taken) -> None:
    supervisors = taken.home.sockets("production") / "supervisor.sock"
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(supervisors))
        daemon.listen()
        supervisors.chmod(0o777)
        routes = taken.envoy.directory / "dyn" / "rds.json"
        seen = taken.sees(
            connect=supervisors, write=routes, write_bootstrap=taken.envoy.directory / "bootstrap.json", routes=routes
        )
    assert seen["connect"] == "No such file or directory"
    assert {seen["write"], seen["write_bootstrap"]} <= {"Read-only file system", "Permission denied"}
    assert "version_info" in seen["routes"]
    # Itself, and process 1 of its sandbox.
    assert seen["processes"] == 2
    assert set(seen["environment"]) <= {"PATH", "LANG", "HOME", "LC_CTYPE"}


def test_a_router_has_a_uid_of_its_own_and_one_privilege(taken: Taken) -> None:
    if os.geteuid() != 0:
        pytest.skip("where we are no root all programs have our uid, as security.md says")
    seen = taken.sees()
    others = {environment_uid(taken.home, name) for name in ("production", "staging")}
    others |= {router_uid(taken.home, "staging"), 0, sandbox.APP_UID, sandbox.CHECK_UID}
    assert set(seen["uids"]) == {str(taken.envoy.uid)} and taken.envoy.uid not in others
    assert seen["capabilities"] == [1 << 10, "1"]


def test_a_router_below_root_listens_on_a_low_port(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user needs net.ipv4.ip_unprivileged_port_start, as the refusal says")
    low = next(port for port in range(700, 1024) if is_free(port))
    envoy = Envoy(tmp_path / "router", tmp_path / "run", Edge(low))
    envoy.prepare()
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(envoy.command(), stdout=log, stderr=log)
    try:
        wait_for(envoy.ready, "Envoy")
        assert answers(f"http://{LOCAL}:{low}/") == [503] * 40
        listening = {one.uids().effective for one in psutil.Process(process.pid).children(recursive=True)[-1:]}
        assert listening == {sandbox.ROUTER_UID}
        wait_for(lambda: b'"status":503' in (tmp_path / "log").read_bytes(), "its access log")
    finally:
        process.kill()
        process.wait()


@pytest.mark.docker
def test_a_router_in_a_container_is_given_its_own_files_alone(
    engine: Engine, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    envoy = Envoy(tmp_path / "router", tmp_path / "run", Edge(free_port()))
    envoy.prepare()
    labels = {"slipway.test": str(tmp_path)}
    container = RouterContainer(engine, f"router-{uuid.uuid4().hex[:8]}", labels, "envoyproxy/envoy:v1.40-latest")
    try:
        container.up(envoy)
        wait_for(envoy.ready, "Envoy in its container")
        inspected = docker_client.containers.get(container.name).attrs
        mounts = {mount["Source"]: mount["RW"] for mount in inspected["Mounts"]}
        assert mounts == {str(envoy.directory): False, str(envoy.admin_socket.parent): True}
        assert inspected["Config"]["User"] == f"{envoy.uid}:{envoy.group}"
        assert os.geteuid() != 0 or envoy.uid not in (0, sandbox.APP_UID, sandbox.CHECK_UID)
    finally:
        engine.remove(engine.containers(labels))


@pytest.mark.docker
@pytest.mark.parametrize("shared, uid", [(True, sandbox.APP_UID), (False, os.geteuid())])
def test_no_program_of_an_app_shares_the_port_of_a_router_in_a_container(
    engine: Engine, tmp_path: Path, shared: bool, uid: int
) -> None:
    if shared and os.geteuid() != 0:
        pytest.skip("only root's router shares its ports with its replacement")
    envoy = Envoy(tmp_path / "router", tmp_path / "run", Edge(free_port(), twin=LOCAL6, shared=shared))
    envoy.prepare()
    labels = {"slipway.test": str(tmp_path)}
    image = "envoyproxy/envoy:v1.40-latest"
    container = RouterContainer(engine, f"router-{uuid.uuid4().hex[:8]}", labels, image)
    try:
        container.up(envoy)
        wait_for(envoy.ready, "Envoy in its container")
        port = envoy.edge.port
        with Stranger("v6only", (LOCAL, port), (LOCAL6, port), ("0.0.0.0", port), ("::", port), uid=uid) as stranger:
            assert "bound 0" in stranger.said
            assert answers(f"http://localhost:{port}/") == [503] * 40
        assert CANARY not in stranger.said
    finally:
        engine.remove(engine.containers(labels))
