"""The app of the load tests: plain ASGI on uvicorn. The file `mode` beside it says what is wrong with it."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from prometheus_client import CollectorRegistry, Histogram, generate_latest

MODE = Path(__file__).with_name("mode").read_text()
REGISTRY = CollectorRegistry()
QUERIES = Histogram("db_seconds", "Queries", ["table"], buckets=(0.01, 0.1, 0.5, 1), registry=REGISTRY)
HELPERS = {
    "hog": "import time; block = bytearray(b'x') * 200_000_000; time.sleep(120)",
    "busy": "while True: pass",
    "fork": "import os, time; os.fork() or (os.setsid(), os.fork() or time.sleep(120))",
}
SLEEPS = {"slow": 0.4, "slow by half": 0.1}
counted = 0


async def answer(send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def work(send) -> None:
    global counted
    counted += 1
    QUERIES.labels("tasks").observe(0.8 if MODE == "slow queries" else 0.004)
    if MODE == "die" and counted == 10:
        print("giving up, password is", os.environ["LOAD_SECRET"], flush=True)
        os._exit(3)
    if MODE == "hang" and counted > 20:
        await asyncio.sleep(600)
    if MODE.startswith("slow"):
        await asyncio.sleep(SLEEPS.get(MODE, 0))
    await answer(send, 500 if MODE == "errors" and counted % 5 == 0 else 200, b"done")


async def app(scope, receive, send) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/health":
        await answer(send, 503 if MODE == "sick" else 200, b"{}")
    elif scope["path"] == "/metrics" and MODE != "no metrics":
        await answer(send, 200, b"\0 garbage {" if MODE == "bad metrics" else generate_latest(REGISTRY))
    elif scope["path"] == "/work":
        await work(send)
    else:
        await answer(send, 404, b"")


def redis_answer(address: str) -> bytes:
    where = urlsplit(address)
    family = socket.AF_UNIX if where.scheme == "unix" else socket.AF_INET
    with socket.socket(family) as client:
        client.connect(where.path if where.scheme == "unix" else (where.hostname, where.port))
        if where.password:
            client.sendall(f"AUTH {where.password}\r\n".encode())
            assert client.recv(100) == b"+OK\r\n"
        client.sendall(b"PING\r\n")
        return client.recv(100)


if __name__ == "__main__":
    if MODE == "exit":
        sys.exit("no, not today")
    if MODE in HELPERS:
        subprocess.Popen([sys.executable, "-c", HELPERS[MODE]])
    if MODE == "database":
        import psycopg

        url = os.environ["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")
        assert psycopg.connect(url).execute("SELECT count(*) FROM made_by_migration").fetchone() == (0,)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=600,  # a host that stands still for seconds does not look like an app that hangs up
    )
