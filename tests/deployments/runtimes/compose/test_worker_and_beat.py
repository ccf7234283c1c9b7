"""What people run with compose, released under traffic: an app, its worker and beat, PostgreSQL and Redis."""

import subprocess
from pathlib import Path

import pytest

from deployments.rollback import roll_back
from host.docker.engine import Engine
from tests.deployments.asking import Asking
from tests.deployments.shop import Shop, shop
from tests.waiting import NEVER_S, wait_for

pytestmark = pytest.mark.docker
# Each request is a job in Redis, which a worker does; the beat notes there when it starts and when it has ended.
APP = """\
import http.server, json, os, pathlib, signal, socket, struct, sys, threading, time
how = pathlib.Path(__file__).with_name("how").read_text().split()

def read(answer):
    line = answer.readline().rstrip().decode()
    if line[0] == "*":
        return [read(answer) for _ in range(int(line[1:]))]
    return answer.read(int(line[1:]) + 2)[:-2].decode() if line[0] == "$" and line != "$-1" else line[1:]

def redis(*words):
    with socket.create_connection(("redis", 6379), timeout=600) as connection:
        sent = "".join(f"${len(word)}\\r\\n{word}\\r\\n" for word in words)
        connection.sendall(f"*{len(words)}\\r\\n{sent}".encode())
        return read(connection.makefile("rb"))

def database():
    with socket.create_connection(("db", 5432), timeout=600) as connection:
        connection.sendall(struct.pack("!ii", 8, 80877103))  # may it be TLS? PostgreSQL says one letter
        return connection.recv(1) in (b"N", b"S")

def beat():
    def stop(*_):
        time.sleep(0.2)
        redis("RPUSH", "beats", "stop " + how[1])
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    redis("RPUSH", "beats", "start " + how[1])
    time.sleep(36000)

def work():
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    while going:
        if isinstance(redis("BRPOP", "jobs", "1"), list):
            redis("INCR", "done by " + how[1])

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        good = database() and redis("PING") == "PONG" if self.path == "/health" else redis("LPUSH", "jobs", "one")
        raw = json.dumps({"how": how, "status": "ok"}).encode()
        self.send_response(200 if good else 503)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
    def log_message(self, *_):
        pass

def serve():
    server = http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Answer)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    os._exit(0)

{"work": work, "beat": beat, "migrate": lambda: print("migrated")}.get(sys.argv[1], serve)()
"""
FILE = """\
services:
  web:
    image: ${SLIPWAY_IMAGE}
    ports: ["8000:8000"]
    labels: {slipway.role: slot}
    depends_on: {db: {condition: service_healthy}, redis: {condition: service_started}}
    deploy: {resources: {limits: {memory: 256m, cpus: "0.5"}}}
  worker:
    image: ${SLIPWAY_IMAGE}
    command: [python, app.py, work]
    labels: {slipway.role: slot}
    depends_on: [redis]
  beat:
    image: ${SLIPWAY_IMAGE}
    command: [python, app.py, beat]
    labels: {slipway.role: singleton}
    depends_on: [redis]
  db:
    image: postgres:16
    environment: {POSTGRES_HOST_AUTH_METHOD: trust}
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], interval: 1s, retries: 600}
    labels: {slipway.role: shared}
    volumes: ["data:/var/lib/postgresql/data"]
  redis:
    image: redis:7
    command: [redis-server, --bind, 0.0.0.0, --protected-mode, "no"]
    labels: {slipway.role: shared}
volumes: {data: {}}
"""


def in_redis(made: Shop, *words: str) -> list[str]:
    (container,) = [one.id for one in made.compose.projects.all() if one.service == "redis"]
    argv = ["docker", "exec", container, "redis-cli", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=NEVER_S, check=True).stdout.split("\n")[:-1]


def test_a_release_and_a_rollback_lose_no_request_and_no_job_and_the_beat_is_never_there_twice(
    engine: Engine, tmp_path: Path
) -> None:
    with shop(tmp_path, "compose", engine) as made:
        one, two = (made.artifact(how, compose=FILE, app=APP) for how in ("good one", "good two"))
        assert made.compose.problems(made.read(one)) == []
        assert made.release(one) == ""
        with Asking(made.place().url) as asking:
            asking.more(20)
            assert made.release(two) == ""
            asking.more(20)
            assert made.says() == ["good", "two"]
            place = made.place()
            with place.lease("test") as lease:
                roll_back(place, lease, None, None, "test", lambda _: None)
            asking.more(20)
        assert made.says() == ["good", "one"]
        assert asking.errors == [] and asking.asked >= 60
        told = ["start one", "stop one", "start two", "stop two", "start one"]
        wait_for(lambda: len(in_redis(made, "LRANGE", "beats", "0", "-1")) >= len(told), "the beat is there again")
        assert in_redis(made, "LRANGE", "beats", "0", "-1") == told
        wait_for(lambda: in_redis(made, "LLEN", "jobs") == ["0"], "all jobs are done")
        assert all(int(in_redis(made, "GET", f"done by {how}")[0]) > 0 for how in ("one", "two"))
