"""The Prefect server for several hosts, as docker/docker-compose.server.yml and -tls.yml start it."""

import json
import os
import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from host.docker.engine import Engine
from host.home import CHECKOUT
from host.ports import free_port
from tests.pems import Issuer

pytestmark = [pytest.mark.docker, pytest.mark.gauntlet]
AUTH = ("slipway", "the-servers-test-login")
PASSWORD = "the-databases-test-password"


NAME = "prefect.example"


@dataclass(frozen=True)
class Server:
    """Its addresses in plain HTTP and in TLS, whom to trust, and the project's name."""

    plain: str
    tls: str
    trusted: ssl.SSLContext
    project: str


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[Server]:
    """Yield the server. The files lie in a copy: secrets are files beside them."""
    shutil.copytree(CHECKOUT / "docker", tmp_path / "docker")
    shutil.copytree(CHECKOUT / "requirements", tmp_path / "requirements")
    secrets, issuer = tmp_path / "docker" / "secrets", Issuer.make()
    secrets.mkdir(mode=0o711)
    chain, key = (pem.decode() for pem in issuer.pair(NAME))
    for name, value in {
        "prefect_auth": ":".join(AUTH),
        "prefect_database_password": PASSWORD,
        "tls_certificate": chain,
        "tls_key": key,
    }.items():
        (secrets / name).write_text(value + "\n")
        (secrets / name).chmod(0o444)
    for file in (tmp_path / "docker", *(tmp_path / "docker").iterdir()):
        file.chmod(0o755)
    project, port, tls_port = f"server{uuid.uuid4().hex[:8]}", free_port(), free_port()
    files = [tmp_path / "docker" / f"docker-compose.{name}.yml" for name in ("server", "server-tls")]
    argv = ["docker", "compose", "-p", project, *(word for file in files for word in ("-f", str(file)))]
    env = {
        **os.environ,
        "SLIPWAY_PREFECT_PORT": str(port),
        "SLIPWAY_SERVER_TLS_PORT": str(tls_port),
        "SLIPWAY_SERVER_IMAGE": f"slipway-server:{project}",
    }
    try:
        up = [*argv, "up", "-d", "--build", "--wait", "--wait-timeout", "180"]
        done = subprocess.run(up, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        trusted = ssl.create_default_context(cadata=issuer.root_pem.decode())
        yield Server(f"http://127.0.0.1:{port}/api", f"https://127.0.0.1:{tls_port}/api", trusted, project)
    finally:
        subprocess.run([*argv, "down", "-v", "-t", "5"], env=env, capture_output=True, timeout=600, check=False)
        subprocess.run(["docker", "image", "rm", env["SLIPWAY_SERVER_IMAGE"]], capture_output=True, check=False)


def docker(*argv: str) -> str:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=600, check=True).stdout


def test_the_server_answers_with_the_login_only_and_keeps_state_and_messages_outside(server: Server) -> None:
    url, project = server.plain, server.project
    assert httpx.post(f"{url}/flows/count", json={}, trust_env=False).status_code == 401
    with httpx.Client(auth=AUTH, trust_env=False, timeout=600) as client:
        made = client.post(f"{url}/flows/", json={"name": "made by a test"})
        assert made.status_code == 201
        assert client.post(f"{url}/flows/count", json={}).json() == 1
    _speaks_tls(server)
    counted = docker(
        "exec", f"{project}-postgres-1", "psql", "-U", "prefect", "-h", "/tmp", "-tAc", "select count(*) from flow"
    )
    assert counted.strip() == "1"
    assert docker("exec", f"{project}-redis-1", "redis-cli", "--scan").strip()
    for name in docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split():
        shown = docker("inspect", name)
        assert PASSWORD not in shown and AUTH[1] not in shown and "PRIVATE KEY" not in shown


def _speaks_tls(server: Server) -> None:
    """By the name that the certificate is for, with the login, and with the WebSocket that workers hold."""
    as_named = {"extensions": {"sni_hostname": NAME}}
    with httpx.Client(verify=server.trusted, trust_env=False, timeout=600) as client:
        refused = client.post(f"{server.tls}/flows/count", json={}, **as_named)  # type: ignore[arg-type]
        assert refused.status_code == 401 and "strict-transport-security" in refused.headers
        counted = client.post(f"{server.tls}/flows/count", json={}, auth=AUTH, **as_named)  # type: ignore[arg-type]
        assert counted.json() == 1
    with pytest.raises(httpx.ConnectError):  # nobody that it knows signed this
        httpx.get(f"{server.tls}/health", trust_env=False)
    with connect(
        server.tls.replace("https", "wss") + "/events/in",
        ssl=server.trusted,
        server_hostname=NAME,
        subprotocols=[Subprotocol("prefect")],
    ) as socket:
        socket.send(json.dumps({"type": "auth", "token": ":".join(AUTH)}))
        assert json.loads(socket.recv(timeout=600))["type"] == "auth_success"
