"""A tiny app as an artifact for both runtimes, good or bad in one way, and an environment to release it to."""

import tarfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from deployments.candidate import Artifact, read_artifact
from deployments.environment import Environment
from deployments.rollout import Rollout
from deployments.runtimes.compose.projects import remove_everything
from deployments.runtimes.compose.runtime import ComposeRuntime
from evidence.bundle import Bundle, Image, Metrics, Process, Run, put_bundle, read_bundle
from evidence.signing import Keys
from evidence.statements import Checked, Kind, state
from gates.databases.form import PLAIN_FORM, DatabaseForm
from gates.migrations.statements import Kind as SqlKind
from gates.migrations.steps import Step
from gates.verdict import Action
from host.docker.engine import Engine
from host.docker.labels import owner
from host.home import Home
from host.ports import free_port
from host.sandbox.run import available
from settings.targets import Target

MARK = "slipway.test"
APP = """\
import http.server, json, os, pathlib, signal, socket, sys, threading, time
how = pathlib.Path(__file__).with_name("how").read_text().split()
argument = sys.argv[1]
if argument == "migrate":
    if "bad-migration" in how:
        sys.exit("cannot migrate with " + os.environ["TOKEN"])
    if "slow-migration" in how:
        time.sleep(60)
    print("migrated by " + how[0])
    sys.exit()
if argument == "seed":
    if "bad-seed" in how:
        sys.exit("cannot seed with " + os.environ["TOKEN"])
    print("seeded " + sys.argv[2] + " " + os.environ["SEED"])
    sys.exit()
if argument == "tick":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("ticking", flush=True)
    time.sleep(3600)
if argument in ("work", "beat"):
    def tell(what):
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.sendto(f"{what} {argument} {how[0]}".encode(), ("127.0.0.1", int(os.environ["EVENTS"])))
    def stop(*_):
        time.sleep(0.2)
        tell("stop")
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    tell("start")
    if argument == "work" and "weak" in how:
        sys.exit("no broker for " + os.environ["TOKEN"])
    while True:
        time.sleep(3600)
print("starting with " + os.environ.get("TOKEN", ""), flush=True)
if "crash" in how:
    sys.exit("it cannot start")
if "deaf" in how:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
answered = 0
kept = []
fat = bytearray(40 << 20 if "fat" in how else 0)
for page in range(0, len(fat), 4096):
    fat[page] = 1
if "busy" in how:
    def spin():
        while True:
            pass
    threading.Thread(target=spin, daemon=True).start()
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global answered
        while "leaks" in how and answered + 1 >= int(how[1]):
            kept.append(bytearray(8 << 20))
        if self.path == "/metrics":
            quick = 0 if "slow-query" in how else answered
            page = f'db_seconds_bucket{{le="0.1"}} {quick}\\ndb_seconds_bucket{{le="+Inf"}} {answered}\\n'
            raw = page.encode() if "no-histogram" not in how else b""
            self.send_response(200)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return
        if "slow" in how:
            time.sleep(0.3)
        sick = "never" in how or "flapping" in how and int(time.monotonic() * 5) % 2
        body = {"status": "unhealthy" if "lying" in how else "ok", "how": how, "uid": os.getuid()}
        body["greeting"] = os.environ.get("GREETING")
        raw = json.dumps(body).encode()
        self.send_response(503 if sick and self.path == "/health" else 200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        answered += 1
        if "dies" in how and answered >= int(how[1]):
            print("giving up", flush=True)
            os._exit(3)
    def log_message(self, *_):
        pass
host = "0.0.0.0" if os.environ.get("IN_CONTAINER") else "127.0.0.1"
server = http.server.ThreadingHTTPServer((host, int(argument)), Answer)
server.daemon_threads = True
if "deaf" not in how:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
os._exit(0)
"""
DOCKERFILE = """\
FROM python:3.11-slim
ENV IN_CONTAINER=1
WORKDIR /app
COPY app.py how ./
USER 10001
CMD ["python", "app.py", "8000"]
"""
ENTRYPOINT = """\
USER 0
COPY start.sh /opt/start.sh
RUN --network=none ln -s /opt/start.sh /start
USER 10001
ENTRYPOINT ["sh", "/start"]
"""
COMPOSE = """\
services:
  web:
    image: ${SLIPWAY_IMAGE}
    container_name: fixed
    labels: {slipway.role: slot}
    ports: ["8000:8000"]
    environment: [TOKEN]
    depends_on: [store]
    mem_limit: 64m
    stop_grace_period: 2s
    healthcheck: {test: [CMD, "true"], interval: 1s}
  ticker:
    image: ${SLIPWAY_IMAGE}
    labels: {slipway.role: singleton}
    command: [python, app.py, tick]
  store:
    image: python:3.11-slim
    container_name: the-store
    labels: {slipway.role: shared}
    command: [sleep, infinity]
    init: true
    volumes: ["data:/data"]
volumes: {data: {}}
"""
SETTINGS = """\
PORT={port}
RUNTIME={runtime}
PROJECT={project}
STRATEGY=blue-green
REQUIRED_GATES=
REQUIRED_ISOLATION=none
ALLOWED_BRANCHES=*
HEALTH_TIMEOUT_SECONDS=6
MIGRATION_TIMEOUT_SECONDS=20
VERIFY_SECONDS=0.3
BAKE_SECONDS=0.5
BAKE_MAX_SECONDS=10
BAKE_PROBES_PER_SECOND=10
MIN_REQUESTS=3
DRAIN_SECONDS=0.5
MAX_DOWNTIME_SECONDS=0
APP_GREETING=hello $world
SECRET_TOKEN=generated
"""


class Shop:
    """One environment, and the artifacts that are made for it."""

    def __init__(
        self, directory: Path, runtime: str, engine: Engine, more: str = "", target: Target = Target("production")
    ) -> None:
        self.directory = directory
        self.target = target
        self.engine = engine
        self.project = f"shop{uuid.uuid4().hex[:8]}"
        self.home = Home(directory / "home")
        self.home.create()
        Keys(self.home.keys).create()
        self.settings = directory / "config" / f"{target}.env"
        self.settings.parent.mkdir(exist_ok=True)
        self.settings.write_text(SETTINGS.format(port=free_port(), runtime=runtime, project=self.project) + more)

    def place(self) -> Environment:
        """Open the environment anew, as the next command would."""
        return Environment.open(self.target, "shop", self.home, self.settings.parent)

    @property
    def compose(self) -> ComposeRuntime:
        runtime = self.place().runtime
        assert isinstance(runtime, ComposeRuntime)
        return runtime

    def artifact(
        self,
        how: str,
        compose: str = COMPOSE,
        image: Image | None = None,
        migrations: Sequence[Step] | None = None,
        metrics: Metrics | None = None,
        start: str = "",
        directory: str = ".",
        processes: Mapping[str, Process] | None = None,
        app: str = APP,
        database: DatabaseForm = PLAIN_FORM,
    ) -> str:
        """Make a version of the app that is `how`; return its digest. `start`: a script that its image starts with;
        `directory`: where it lies in its repository.
        """
        store = self.place().store
        tree = self.directory / uuid.uuid4().hex
        folder = tree / directory
        folder.mkdir(parents=True)
        files = {"app.py": app, "how": how, "Dockerfile": DOCKERFILE, "compose.yml": compose}
        if start:
            files |= {"start.sh": start, "Dockerfile": DOCKERFILE + ENTRYPOINT}
        for name, content in files.items():
            file = (tree if name == "compose.yml" else folder) / name
            file.write_text(content)
            file.chmod(0o644)
        archive = tree.with_suffix(".tar")
        with tarfile.open(archive, "w") as tar:
            tar.add(tree, ".")
        lock = tree / "lock"
        lock.write_text("")
        made = image or Image(id=self.image(folder), compose={str(self.target): "compose.yml"})
        python = ("python", "app.py")
        bundle = Bundle(
            app="shop",
            commit=uuid.uuid4().hex + "0" * 8,
            version=how.split()[0],
            python="3.11",
            source=store.put_file(archive),
            lock=store.put_file(lock),
            wheels={},
            image=made,
            run=Run(
                command=(*python, "{port}"),
                migrate=(*python, "migrate"),
                seed=(*python, "seed", "{seed}"),
                stop_seconds=2,
                directory=directory,
                processes=dict(processes or {}),
                database=database,
            ),
            migrations=None if migrations is None else tuple(migrations),
            metrics=metrics,
        )
        return put_bundle(store, bundle)

    def read(self, digest: str) -> Artifact:
        """Return a version that `artifact` made."""
        return read_artifact(self.place().store, digest)

    def vouched(self, how: str, image: Image) -> str:
        """Make a version of the app with signed evidence of its checks and a migration; return its digest."""
        migration = Step(revision=how, kind=SqlKind.EXPAND, reason="CREATE TABLE a")
        place, digest = self.place(), self.artifact(how, image=image, migrations=[migration])
        bundle = read_bundle(place.store, digest)
        checked = Checked(
            commit=bundle.commit,
            version=bundle.version,
            branch="main",
            clean=True,
            isolation=str(available()),
            at=datetime.now(UTC),
            run="run-1",
            checks=(),
        )
        state(place.store, place.keys, digest, "shop", Kind.CHECKS, checked)
        return digest

    def image(self, tree: Path) -> str:
        """Build the image of a tree; return its id."""
        words = ["buildx", "build", "-q", "--load", "--provenance=false", "--label", f"{MARK}={self.project}"]
        code, output, errors = self.engine.run([*words, str(tree)], {}, 120)
        assert code == 0, errors
        return output.strip()

    def release(self, digest: str) -> str:
        """Release a version as the flow does; return what went wrong, "" when nothing did."""
        place = self.place()
        with place.lease("test") as lease:
            rollout = Rollout.begin(place, lease, self.read(digest), "release")
            try:
                for step in (
                    rollout.install,
                    rollout.migrate,
                    rollout.seed,
                    rollout.run_tasks,
                    rollout.start,
                    rollout.verify,
                    rollout.switch,
                ):
                    step()
                rollout.check_public()
                verdict = rollout.bake()
                assert verdict.action is Action.PROMOTE, verdict.reason
                rollout.drain()
            except Exception as error:
                rollout.end("restored", f"{error}; {rollout.restore()}")
                return f"{type(error).__name__}: {error}"
            rollout.end("promoted", "good")
            return ""

    @contextmanager
    def set(self, key: str, value: str) -> Iterator[None]:
        """Change a setting for a while."""
        before = self.settings.read_text()
        others = [line for line in before.splitlines() if not line.startswith(f"{key}=")]
        self.settings.write_text("\n".join([*others, f"{key}={value}", ""]))
        try:
            yield
        finally:
            self.settings.write_text(before)

    def says(self) -> list[str]:
        """Return what the version at the public address says that it is."""
        words: list[str] = httpx.get(self.place().url, timeout=120, trust_env=False).json()["how"]
        return words


@contextmanager
def shop(
    directory: Path, runtime: str, engine: Engine, more: str = "", target: Target = Target("production")
) -> Iterator[Shop]:
    """Yield an environment that is up, with `more` settings; leave nothing of it."""
    made = Shop(directory, runtime, engine, more, target)
    try:
        made.place().up()
        yield made
    finally:
        made.place().supervisor.down()
        clean(made)


def clean(made: Shop) -> None:
    """Remove what the engine has of an environment."""
    remove_everything(made.home.place(made.target) / "compose", owner(made.home.root, made.target))
    _, listed, _ = made.engine.run(["image", "ls", "-aq", "--filter", f"label={MARK}={made.project}"], {}, 60)
    if ids := listed.split():
        made.engine.run(["image", "rm", "-f", *ids], {}, 60)
