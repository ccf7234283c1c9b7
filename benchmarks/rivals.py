"""What a team with compose would do instead of Slipway: recreate the container, or blue-green behind an nginx."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.errors import ToolError
from host.ports import free_port

TIMEOUT_S = 120
NGINX = """
worker_processes 2;
pid /tmp/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path /tmp; proxy_temp_path /tmp; fastcgi_temp_path /tmp; uwsgi_temp_path /tmp; scgi_temp_path /tmp;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream app {{ server 127.0.0.1:{backend}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 60s;
    }}
  }}
}}
"""


def docker(*argv: str) -> str:
    """Run the docker command; return its output. Raises ToolError, which says what it said."""
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise ToolError(f"benchmark: docker {' '.join(argv[:4])}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout.strip()


@dataclass
class Recreate:
    """`docker compose up -d --wait` of the next version, in place of the one before."""

    service: dict[str, Any]
    project: str
    directory: Path
    port: int

    def release(self, number: int) -> None:
        """Take the next version out."""
        _up(self.project, self.directory, self.service, self.port, number)


@dataclass
class NginxReload:
    """Two projects; the next version is started and healthy, nginx is told and reloads, the old one is stopped."""

    service: dict[str, Any]
    project: str
    directory: Path
    port: int

    def release(self, number: int) -> None:
        """Take the next version out."""
        new, old = (f"{self.project}-{slot}" for slot in (("blue", "green") if number % 2 else ("green", "blue")))
        backend = free_port()
        _up(new, self.directory, self.service, backend, number)
        (self.directory / "nginx.conf").write_text(NGINX.format(backend=backend, port=self.port))
        name = f"{self.project}-nginx"
        if number == 0:
            mounted = ("--volume", f"{self.directory}:/conf:ro", "--user", str(os.geteuid()))
            start = ("--network", "host", *mounted, "nginx", "nginx", "-c", "/conf/nginx.conf", "-g", "daemon off;")
            docker("run", "-d", "--name", name, *start)
            return
        docker("exec", name, "nginx", "-c", "/conf/nginx.conf", "-s", "reload")
        docker("compose", "-p", old, "-f", str(self.directory / f"{old}.json"), "down")


def _up(project: str, directory: Path, service: dict[str, Any], port: int, number: int) -> None:
    made = {**service, "ports": [f"127.0.0.1:{port}:8000"], "environment": {"BACKEND_NAME": f"v{number}"}}
    file = directory / f"{project}.json"
    file.write_text(json.dumps({"services": {"web": made}}))
    words = ("compose", "--progress", "quiet", "-p", project, "-f", str(file), "up", "-d")
    docker(*words, "--wait", "--wait-timeout", "60")


@contextlib.contextmanager
def cleared(project: str) -> Iterator[None]:
    """Remove the projects, and nginx, after the block."""
    try:
        yield
    finally:
        found = {f"{project}-nginx"} if docker("ps", "-aq", "--filter", f"name=^{project}-nginx$") else set()
        for one in (project, f"{project}-blue", f"{project}-green"):
            wanted = f"label=com.docker.compose.project={one}"
            found |= set(docker("ps", "-aq", "--filter", wanted).split())
        if found:
            docker("rm", "-fv", *sorted(found))
        for one in (project, f"{project}-blue", f"{project}-green"):
            if networks := docker("network", "ls", "-q", "--filter", f"label=com.docker.compose.project={one}"):
                docker("network", "rm", *networks.split())
