"""What would make a start of the final files fail: found before anything is touched."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployments.runtimes.compose.projects import Projects
from deployments.runtimes.compose.read import READ_TIMEOUT_S
from host.docker.labels import PROJECT
from host.ports import ALL, is_free, who_listens

WAY_OUT = (
    'containers reach each other without a published port: remove it, or give each environment its own: "127.0.0.1:'
    '${{{name}_PORT:-{port}}}:{target}" with APP_{name}_PORT in config/<environment>.env'
)


def obstacles(projects: Projects, file: Mapping[str, Any]) -> Iterator[str]:
    """Yield which names, volumes and networks that a file needs are somebody else's on the engine."""
    yield from projects.strangers(file)
    yield from projects.foreign(file)


def refused(projects: Projects, file: Mapping[str, Any], secrets: Mapping[str, str]) -> Iterator[str]:
    """Yield why compose would refuse a file, which is read as `up` would read it.

    `secrets`: names that the file may refer to; their values do not count.
    """
    project = file["name"]
    with tempfile.TemporaryDirectory(prefix="compose-") as scratch:
        copy = Path(scratch) / f"{project}.yml"
        copy.write_text(projects.text(file), encoding="utf-8")
        words = ["compose", "-p", project, "-f", str(copy), "config", "--quiet"]
        code, output, errors = projects.engine.run(words, dict.fromkeys(secrets, "secret"), READ_TIMEOUT_S)
    if code:
        said = (errors or output).strip().replace(str(copy), f"{project}.yml")
        yield f"compose refuses the file of {project} that would run: {said[-600:]}; see: make compose"


def taken_ports(projects: Projects, file: Mapping[str, Any]) -> Iterator[str]:
    """Yield which fixed ports of a file's services somebody else has on the engine's host, and the way out."""
    wanted: dict[tuple[str, str, str], str] = {}
    for name, service in file["services"].items():
        for port in service.get("ports") or ():
            published = str(port.get("published") or "")
            if not published.isdecimal():
                continue
            key = (str(port.get("host_ip") or ALL), published, str(port.get("protocol") or "tcp"))
            way = WAY_OUT.format(name=name.upper().replace("-", "_"), port=published, target=port.get("target"))
            if key in wanted:
                yield f"service {name}: port {key[0]}:{published} is the service {wanted[key]}'s, too; {way}"
            elif who := _who_has(projects, file["name"], *key):
                yield f"service {name}: port {key[0]}:{published} is taken by {who}; {way}"
            wanted[key] = name


def _who_has(projects: Projects, project: str, host: str, port: str, protocol: str) -> str | None:
    for one in projects.engine.containers({}):
        if any(_clash(host, port, published) for published in one.published):
            ours = one.labels.get(PROJECT) == project and projects.is_ours(one)
            project_of_it = one.labels.get(PROJECT, "none")
            before = ", which ran before Slipway: docs/adopt.md, 7" * (project_of_it == projects.names.project)
            return None if ours else f"the container {one.name} (project {project_of_it}{before})"
    local = projects.engine.name.startswith("unix://")
    if protocol != "tcp" or not local or is_free(int(port), host):
        return None
    return who_listens(int(port), "" if host in (ALL, "::") else host) or "another program"


def _clash(host: str, port: str, published: str) -> bool:
    other, _, number = published.rpartition(":")
    everywhere = (ALL, "::", "[::]")
    return number == port and (other.strip("[]") == host.strip("[]") or other in everywhere or host in everywhere)
