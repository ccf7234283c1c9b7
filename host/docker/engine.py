"""A Docker engine: containers and images through its API, compose through its own command."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from gates.release.verification import Usage
from host.docker.containers import Container, errors, file_at, read_usage
from host.errors import ToolError, was_not_answered
from host.resources.patience import Patience

LOGIN_FILE = "config.json"  # so does the docker command call it
API_TIMEOUT_S = 30
POLL_S = 0.5
PULL_TIMEOUT_S = 600
# What the docker command needs to find its configuration, and nothing else of ours.
PASSED_ON = ("PATH", "HOME", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR")
LOOK_S = 1.0
LONGEST_LOG = 20_000
DEATHS_S = 600
# Of a container that only lends us its files.
LOOKING = {"slipway.looking": "true"}


class Engine:
    """The engine at `host` (unix://, tcp:// or ssh://); without it the one that DOCKER_HOST names, or this host's.

    `login`: a directory that may hold a registry's login for what is pulled; without it this user's own logins count.
    """

    def __init__(self, host: str = "", login: Path | None = None) -> None:
        self.host = host or os.environ.get("DOCKER_HOST", "")
        self._login = login / LOGIN_FILE if login else None

    @property
    def name(self) -> str:
        """Return its address for people."""
        return self.host or "unix:///var/run/docker.sock"

    @property
    def is_here(self) -> bool:
        """Return whether its containers are processes of this host."""
        return self.name.startswith("unix://")

    @property
    def uid(self) -> int:
        """Return as whom it runs, by its socket: root, or a user who runs one without. Of another host's: root."""
        socket = self.name.removeprefix("unix://")
        try:
            return os.stat(socket).st_uid if socket != self.name else 0
        except OSError:
            return 0

    @cached_property
    def _client(self) -> Any:
        import docker

        return docker.DockerClient(base_url=self.host or "unix:///var/run/docker.sock", timeout=API_TIMEOUT_S)

    @contextmanager
    def _asking(self, what: str) -> Iterator[Any]:
        """Yield the API; raises ToolError, which says whether the engine is away or refused."""
        try:
            yield self._client.api
        except errors().APIError as error:
            raise ToolError(
                f"the Docker engine at {self.name}: {what}: {error.explanation or error}",
                transient=error.is_server_error(),
            ) from error
        # OSError: that is what the exceptions of requests, with which the SDK asks, are
        except (errors().DockerException, OSError) as error:
            raise ToolError(
                f"the Docker engine at {self.name} does not answer ({what}): {str(error)[:300]}; "
                "start it (systemctl start docker), or correct DOCKER_HOST",
                transient=True,
            ) from error

    def info(self) -> Mapping[str, Any]:
        """Return the engine's answer to `info`: version, storage, live-restore, ..."""
        with self._asking("info") as api:
            return dict(api.info())

    def wait(self, wait_s: float) -> None:
        """Wait until the engine answers. Raises ToolError if it does not within `wait_s` (patience.py)."""
        patience = Patience(wait_s, others=True)
        while True:
            try:
                self.info()
                return
            except ToolError:
                if patience.over():
                    raise
            time.sleep(POLL_S)

    def image(self, reference: str) -> Mapping[str, Any] | None:
        """Return what the engine knows of an image, None when it has none of that name or id."""
        with self._asking(f"image {reference}") as api:
            try:
                return dict(api.inspect_image(reference))
            except errors().ImageNotFound:
                return None

    def files_of(self, image: str, paths: Sequence[str], largest: int) -> dict[str, bytes]:
        """Return what an image has at these paths, links followed; what is absent, no file or larger is left out.

        For that a container is made, never started, and removed.
        """
        found: dict[str, bytes] = {}
        if not paths:
            return found
        with self._asking(f"files of {image}") as api:
            made = api.create_container(image, entrypoint=["/nothing"], network_disabled=True, labels=LOOKING)["Id"]
            try:
                for path in paths:
                    if (content := file_at(api, made, path, largest)) is not None:
                        found[path] = content
            finally:
                api.remove_container(made, v=True, force=True)
        return found

    def paths_of(self, image: str, paths: Sequence[str]) -> set[str]:
        """Return those of the paths that an image has, whatever they are. For that a container is made, never
        started, and removed.
        """
        found = set()
        with self._asking(f"paths of {image}") as api:
            made = api.create_container(image, entrypoint=["/nothing"], network_disabled=True, labels=LOOKING)["Id"]
            try:
                for path in paths:
                    with suppress(errors().NotFound):
                        chunks, _ = api.get_archive(made, path)
                        chunks.close()
                        found.add(path)
            finally:
                api.remove_container(made, v=True, force=True)
        return found

    def pull(self, reference: str) -> None:
        """Fetch an image by digest from its registry. Raises ToolError, which says what the registry said."""
        login = ["--config", str(self._login.parent)] if self._login and self._login.exists() else []
        code, output, errors = self.run([*login, "pull", "--quiet", reference], {}, PULL_TIMEOUT_S)
        if code:
            said = (errors or output).strip()[-600:]
            raise ToolError(f"the image {reference} cannot be pulled: {said}", transient=was_not_answered(said))

    def in_registry(self, reference: str) -> str | None:
        """Return why a registry does not give us an image, None when it does. Pulls nothing."""
        try:
            with self._asking(f"registry, for {reference}") as api:
                if self._login and self._login.exists():
                    api.reload_config(str(self._login))
                api.inspect_distribution(reference)
        except ToolError as error:
            return str(error)
        return None

    def tag(self, image: str, name: str, tag: str) -> None:
        """Give an image a name, which also keeps `docker image prune` from it."""
        with self._asking(f"tag {image}") as api:
            api.tag(image, name, tag)

    def names(self, name: str) -> list[str]:
        """Return all images of a name, each as `name:tag`."""
        with self._asking(f"images {name}") as api:
            found = api.images(name)
        return sorted(one for image in found for one in image["RepoTags"] or () if one.rpartition(":")[0] == name)

    def remove_image(self, image: str) -> bool:
        """Remove an image by id with all its names, or by a name; return whether it went. Not one in use."""
        with self._asking(f"image {image}") as api:
            if api.containers(all=True, filters={"ancestor": image}):
                return False
            try:
                api.remove_image(image, force=True)  # it may have several names
            except errors().ImageNotFound:
                return False
        return True

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """Return the containers, running or not, that carry all these labels, by name."""
        with self._asking("list of containers") as api:
            wanted = {"label": [f"{key}={value}" for key, value in labels.items()]}
            found = []
            for one in api.containers(all=True, filters=wanted):
                try:
                    found.append(Container.read(api.inspect_container(one["Id"])))
                except errors().NotFound:
                    continue
        return sorted(found, key=lambda container: container.name)

    def container(self, name: str) -> Container | None:
        """Return the container of that name or id, None when there is none."""
        with self._asking(f"container {name}") as api:
            try:
                return Container.read(api.inspect_container(name))
            except errors().NotFound:
                return None

    def last_death(self, container: Container) -> Container:
        """Return a container that was restarted as it was when it last ended, as far as the engine remembers."""
        with self._asking(f"events of {container.name}") as api:
            wanted = {"container": [container.id], "event": ["die", "oom"]}
            now = time.time()
            # As text: the client cuts what it converts to whole seconds, and with it the newest events.
            events = list(api.events(since=f"{now - DEATHS_S:.6f}", until=f"{now:.6f}", filters=wanted, decode=True))
        codes = [one["Actor"]["Attributes"].get("exitCode", "") for one in events if one["Action"] == "die"]
        code = int(codes[-1]) if codes and codes[-1].isdecimal() else container.exit_code
        return replace(container, exit_code=code, oom=container.oom or any(one["Action"] == "oom" for one in events))

    def usage(self, container: Container) -> Usage:
        """Return what a running container uses of its limits now, as the kernel's control groups count it."""
        with self._asking(f"figures of {container.name}") as api:
            try:
                said = api.stats(container.id, stream=False, one_shot=True)
                given = api.inspect_container(container.id)["HostConfig"]
            except errors().NotFound as error:
                raise ToolError(f"{container.name} is gone") from error
        return read_usage(container.service, said, given, time.monotonic())

    def log_tail(self, container: Container, lines: int) -> str:
        """Return the last lines that a container printed. Not masked yet."""
        with self._asking(f"log of {container.name}") as api:
            try:
                said = api.logs(container.id, tail=lines, stdout=True, stderr=True)
            except errors().NotFound:
                return ""
        return bytes(said).decode(errors="replace")[-LONGEST_LOG:].strip()

    def stop(self, containers: Sequence[Container], wait_s: float) -> None:
        """Stop containers side by side: TERM, each its own grace period, KILL. `wait_s` bounds our waiting."""
        self._each(containers, lambda api, one: api.stop(one.id), wait_s, "stop")

    def restart(self, containers: Sequence[Container], wait_s: float) -> None:
        """Stop and start containers side by side, keeping their ports."""
        self._each(containers, lambda api, one: api.restart(one.id, timeout=int(wait_s)), wait_s, "restart")

    def start(self, containers: Sequence[Container]) -> None:
        """Start containers that were stopped."""
        self._each(containers, lambda api, one: api.start(one.id), API_TIMEOUT_S, "start")

    def rename(self, name: str, to: str) -> None:
        """Give a container another name."""
        with self._asking(f"rename {name}") as api:
            api.rename(name, to)

    def remove(self, containers: Sequence[Container]) -> None:
        """Remove containers with their anonymous volumes, killing what still runs."""
        self._each(containers, lambda api, one: api.remove_container(one.id, v=True, force=True), API_TIMEOUT_S, "rm")

    def _each(self, containers: Sequence[Container], act: Any, wait_s: float, what: str) -> None:
        def one(container: Container) -> None:
            import docker

            client = docker.APIClient(base_url=self.host or None, timeout=wait_s + API_TIMEOUT_S, version="auto")
            with self._asking(f"{what} {container.name}"):
                try:
                    act(client, container)
                except errors().NotFound:
                    pass  # gone already, which is what was wanted
                finally:
                    client.close()

        if containers:
            with ThreadPoolExecutor(max_workers=min(8, len(containers))) as pool:
                for _ in pool.map(one, containers):
                    pass

    def ensure_network(self, name: str, internal: bool, labels: Mapping[str, str]) -> None:
        """Create a bridge network unless one of that name is there; an existing one is used as it is."""
        with self._asking(f"network {name}") as api:
            if not any(one["Name"] == name for one in api.networks(names=[name])):
                api.create_network(name, driver="bridge", internal=internal, labels=dict(labels))

    def remove_networks(self, labels: Mapping[str, str]) -> None:
        """Remove the networks that carry all these labels; one that is in use stays."""
        with self._asking("networks") as api:
            for one in api.networks(filters={"label": [f"{key}={value}" for key, value in labels.items()]}):
                try:
                    api.remove_network(one["Id"])
                except errors().APIError:
                    continue

    def ensure_volume(self, name: str, labels: Mapping[str, str], options: Mapping[str, Any] | None = None) -> None:
        """Create a named volume unless it is there; an existing one keeps its data and labels."""
        with self._asking(f"volume {name}") as api:
            try:
                api.inspect_volume(name)
            except errors().NotFound:
                given = {key: str(value) for key, value in (options or {}).items()}
                api.create_volume(name, driver="local", driver_opts=given, labels=dict(labels))

    def labels(self, kind: str, name: str) -> Mapping[str, str] | None:
        """Return the labels of a `volume` or `network`, None when there is none of that name."""
        with self._asking(f"{kind} {name}") as api:
            if kind == "network":
                found = [one for one in api.networks(names=[name]) if one["Name"] == name]
                return dict(found[0].get("Labels") or {}) if found else None
            try:
                return dict(api.inspect_volume(name).get("Labels") or {})
            except errors().NotFound:
                return None

    def volumes(self, labels: Mapping[str, str]) -> list[str]:
        """Return the names of the volumes that carry all these labels."""
        with self._asking("volumes") as api:
            found = api.volumes(filters={"label": [f"{key}={value}" for key, value in labels.items()]})
            return [str(one["Name"]) for one in found.get("Volumes") or ()]

    def remove_volumes(self, labels: Mapping[str, str]) -> None:
        """Remove the volumes that carry all these labels, and their data; one that is in use stays."""
        for name in self.volumes(labels):
            with self._asking("volumes") as api:
                try:
                    api.remove_volume(name)
                except errors().APIError:
                    continue

    def run(self, words: Sequence[str], env: Mapping[str, str], timeout_s: float) -> tuple[int, str, str]:
        """Run the docker command with exactly this environment; return its exit code, output and error output.

        Raises ToolError if it is not installed, or did not end in time.
        """
        code, output, trouble = self._run(words, env, subprocess.PIPE, timeout_s)
        return code, output.decode(errors="replace"), trouble

    def run_into(self, words: Sequence[str], file: Path, timeout_s: float) -> tuple[int, str]:
        """Run the docker command with its output going into an existing file; return exit code and error output."""
        with open(file, "wb") as output:
            code, _, trouble = self._run(words, {}, output, timeout_s)
        return code, trouble

    def _run(
        self, words: Sequence[str], env: Mapping[str, str], stdout: int | BinaryIO, timeout_s: float
    ) -> tuple[int, bytes, str]:
        program, ours = self._program()
        # A session of its own: `docker compose` is a process of its own, which outlives the one that started it.
        with subprocess.Popen(
            [program, *words],
            env={**env, **ours},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            patience = Patience(timeout_s, process.pid, others=True)  # the engine does the work
            try:
                while True:
                    try:
                        output, trouble = process.communicate(timeout=min(timeout_s, LOOK_S))
                        break
                    except subprocess.TimeoutExpired as error:
                        if patience.over():
                            said = f"docker {' '.join(words[:4])} did not end within {timeout_s:g} s"
                            raise ToolError(said) from error
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        return process.returncode, output or b"", trouble.decode(errors="replace")

    def _program(self) -> tuple[str, dict[str, str]]:
        program = shutil.which("docker")
        if program is None:
            raise ToolError("docker is not installed on this host; install docker, docker-compose-v2 and buildx")
        ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return program, ours | ({"DOCKER_HOST": self.host} if self.host else {})
