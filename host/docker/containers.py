"""What a Docker engine tells of a container: how it is, what it uses, its files."""

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from gates.release.verification import Usage
from host.ports import Endpoint

NEVER = "0001-01-01"  # Go's time of nothing
GO_DIRECTORY = 1 << 31  # Go's os.ModeDir, in which the engine tells modes


@dataclass(frozen=True)
class Container:
    """One container as the engine sees it. `health` is empty without a health check; `oom`: the kernel ended it.

    `published`: where the engine listens for it on its host, each as "127.0.0.1:8080"; none while it does not run.
    `pid`: its first process as the engine's host numbers it, 0 while it has none.
    """

    id: str
    name: str
    service: str
    labels: Mapping[str, str]
    state: str
    exit_code: int
    oom: bool
    restarts: int
    started: str
    health: str
    memory_limit: int
    image: str
    published: tuple[str, ...] = ()
    pid: int = 0

    def age_s(self) -> float:
        """Return for how many seconds it has been running since its last start, by this host's clock."""
        return (datetime.now(UTC) - self.started_at()).total_seconds()

    def started_at(self) -> datetime:
        """Return when it was last started."""
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", self.started))

    @property
    def never_ran(self) -> bool:
        """Say whether it was made and could not be started: it holds no data."""
        return self.state == "created" and self.started.startswith(NEVER)

    @classmethod
    def read(cls, info: Mapping[str, Any]) -> "Container":
        """Read the engine's answer to `inspect`."""
        state, labels = info["State"], info["Config"].get("Labels") or {}
        return cls(
            id=info["Id"],
            name=info["Name"].lstrip("/"),
            service=labels.get("slipway.service") or labels.get("com.docker.compose.service", ""),
            labels=labels,
            state=state["Status"],
            exit_code=state["ExitCode"],
            oom=bool(state.get("OOMKilled")),
            restarts=info.get("RestartCount", 0),
            started=state.get("StartedAt", ""),
            health=(state.get("Health") or {}).get("Status", ""),
            memory_limit=info["HostConfig"].get("Memory", 0),
            image=info["Image"],
            published=_published(info),
            pid=state.get("Pid") or 0,
        )


def _published(info: Mapping[str, Any]) -> tuple[str, ...]:
    ports = (info.get("NetworkSettings") or {}).get("Ports") or {}
    bound = [one for bindings in ports.values() for one in bindings or ()]
    return tuple(str(Endpoint(one["HostIp"], int(one["HostPort"]))) for one in bound)


def read_usage(service: str, said: Mapping[str, Any], given: Mapping[str, Any], at: float) -> Usage:
    """Read the engine's answer to `stats`. Page cache that can be given back does not count, as `docker stats` has it.

    Without a limit of its own a container may use what the host has.
    """
    memory, cpu = said.get("memory_stats") or {}, said.get("cpu_stats") or {}
    details = memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))  # control groups v1, v2
    quota = given.get("CpuQuota") or 0
    cpus = (given.get("NanoCpus") or 0) / 1e9 or (quota / (given.get("CpuPeriod") or 100_000) if quota > 0 else 0)
    return Usage(
        service=service,
        memory_bytes=max(0, memory.get("usage", 0) - cache),
        memory_limit_bytes=memory.get("limit", 0),
        cpu_s=(cpu.get("cpu_usage") or {}).get("total_usage", 0) / 1e9,
        cpus=cpus or float(cpu.get("online_cpus") or 1),
        at=at,
    )


def errors() -> Any:
    """Return the SDK's errors. It is imported when an engine is asked: most of our processes never ask one."""
    import docker.errors

    return docker.errors


def file_at(api: Any, container: str, path: str, largest: int, depth: int = 4) -> bytes | None:
    """Return a file of a container, up to `depth` links followed; None: absent, no file, or larger than that."""
    try:
        chunks, about = api.get_archive(container, path)
    except errors().NotFound:
        return None
    if about.get("linkTarget") and depth:
        target = str(PurePosixPath(path).parent / about["linkTarget"])
        return file_at(api, container, target, largest, depth - 1)
    if about["mode"] & GO_DIRECTORY or about["size"] > largest:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        member = tar.next()
        content = tar.extractfile(member) if member and member.isreg() else None
        return content.read() if content else None
