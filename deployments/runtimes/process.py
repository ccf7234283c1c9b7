"""Runtime `process`: a slot is a bundle's server process on its own port, in a sandbox, owned by the place's
supervisor, with the bundle's other processes beside it. Singletons are one set of programs, of the live version only.
"""

import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import psutil

from deployments.candidate import Artifact, read_artifact
from deployments.journal.lease import Lease
from deployments.journal.ledger import Ledger
from deployments.place import Place
from deployments.runtimes import Orchestrator, beside, one_off
from deployments.runtimes.app_redis import AppRedis
from deployments.runtimes.databases import ProcessDatabase, database_of
from deployments.runtimes.layout import Installed, Layout, app_environment, app_secrets
from deployments.runtimes.programs import (
    SERVICE,
    of_slot,
    process_of,
    singleton_program,
    singletons,
    slot_of,
    slot_program,
)
from gates.release.operation import Live
from gates.release.verification import Usage
from host.listeners import held_by
from host.masking import masked
from host.ports import LOCAL, Endpoint, Endpoints, free_port
from host.resources.process_usage import cpu_s, memory_bytes, tree
from host.sandbox import run as sandbox
from host.sandbox.launcher import descendants
from host.sandbox.uids import environment_uid
from host.supervisor.program import Program, State

# of a singleton's program, not of the app: whose it is
LIVE = "SLIPWAY_LIVE"
RUNS = (State.RUNNING, State.STARTING)


class ProcessRuntime:
    """Installs, migrates, starts and stops bundles in one place."""

    runs_images: ClassVar[bool] = False
    orchestrator: Orchestrator | None = None

    def __init__(self, place: Place) -> None:
        self.place = place
        self.database: ProcessDatabase = database_of(place)
        self._layout = Layout(place, runs_here=True)

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        run = artifact.bundle.run if artifact else None
        return beside([SERVICE, *run.of_role("slot")], list(run.of_role("singleton"))) if run else []

    def prepare(self) -> None:
        self.database.prepare()

    def up(self, ledger: Ledger) -> None:
        """Start the database, if it is ours. The slots are the supervisor's: it brought them up with itself."""
        self.database.up()

    def install(self, artifact: Artifact) -> Installed:
        return self._layout.install(artifact)

    def installed(self, artifact: Artifact) -> Installed:
        return self._layout.installed(artifact)

    def sandbox(self, installed: Installed) -> sandbox.Sandbox:
        """Return what the app may see: its bundle and the sockets of its database and its Redis, all read-only; and a
        file that is its database.
        """
        bound = (installed.directory, installed.environment(), *self.database.read_only)
        bound += AppRedis(self.place).read_only
        uid = environment_uid(self.place.home, self.place.name)
        return sandbox.Sandbox(sandbox.available(), read_only=bound, writable=self.database.writable, uid=uid)

    def _environment(self, installed: Installed, port: int | None = None) -> dict[str, str]:
        extra = {"PORT": str(port)} if port else {}
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **app_environment(self.place, self.database.variables(installed.bundle.run)),
            **extra,
        }

    def migrate(self, installed: Installed, lease: Lease) -> str:
        """Run the bundle's migration against the environment's database; return the last line it printed.

        Raises MigrationError when it fails or takes longer than the environment allows.
        """
        once = partial(self._once, installed, lease)
        self.database.settle(installed.bundle.run)
        timeout_s, undone = self.place.settings.migration_timeout_seconds, self.database.undoes_failures
        return one_off.migrate(installed.bundle.run, once, {}, timeout_s, undone=undone)

    def seed(self, installed: Installed, kind: str, lease: Lease) -> str:
        once = partial(self._once, installed, lease)
        return one_off.seed(installed.bundle.run, kind, once, self.place.settings.seed_timeout_seconds)

    def _once(
        self, installed: Installed, lease: Lease, command: Sequence[str], env: Mapping[str, str], timeout_s: float
    ) -> tuple[str, str]:
        """Run a command of the app to its end; return how that was when it was not good, and what it printed."""
        done = sandbox.run(
            installed.command(command),
            cwd=installed.working_directory,
            env={**self._environment(installed), **env},
            sandbox=self.sandbox(installed),
            timeout_s=timeout_s,
            epoch=lease.mark,
            others=True,  # the database
        )
        said = self._masked(done.output)
        if done.timed_out:
            return f"did not end within {timeout_s:g} s and was stopped", said
        return (f"failed with exit code {done.returncode}" if done.returncode else ""), said

    def choose_endpoints(self) -> Endpoints:
        return (Endpoint(LOCAL, free_port()),)

    def start(self, slot: str, installed: Installed, endpoints: Endpoints) -> None:
        """Start the bundle in a slot: its service, and its processes of the role `slot`. The supervisor keeps them
        running from here on, across our own death.
        """
        run = installed.bundle.run
        programs = [self._program(slot_program(slot), installed, run.command, run.stop_seconds, endpoints[0].port)]
        for name, process in run.of_role("slot").items():
            programs.append(self._program(slot_program(slot, name), installed, process.command, process.stop_seconds))
        for program in programs:
            self._declare(program)

    def _program(
        self, name: str, installed: Installed, command: Sequence[str], stop_s: float, port: int | None = None
    ) -> Program:
        """Return a process of a bundle as a program of the supervisor; its settings and secrets are written down."""
        argv = sandbox.command(
            installed.command(command, port),
            cwd=installed.working_directory,
            env=self._environment(installed, port),
            sandbox=self.sandbox(installed),
            spec_directory=self._specs(slot_of(name) or name),
        )
        return Program(name, tuple(argv), installed.working_directory, {}, stop_wait_s=int(stop_s), priority=50)

    def _declare(self, program: Program) -> None:
        self.place.supervisor.set_log_aside(program.name)
        self.place.supervisor.declare(program)

    def restart(self, slot: str) -> None:
        """Stop a slot's service and start the same again on the same port: what still hangs on it ends."""
        self.place.supervisor.stop(slot_program(slot))
        self.place.supervisor.start(slot_program(slot))

    def stop(self, slot: str) -> None:
        """Stop a slot's programs (SIGTERM, their stop times, SIGKILL) and forget them, their secrets too. Safe to
        repeat.
        """
        self.place.supervisor.remove(*of_slot(self.place.supervisor.declared(), slot))
        shutil.rmtree(self._specs(slot), ignore_errors=True)

    def follow(self, live: Live | None) -> None:
        """Have exactly the live version's singletons: first all others are stopped, then these start. Each has one name
        at the supervisor, which runs a name once.

        They are marked with version and slot: the same version released again, as for other settings, starts them anew.
        """
        artifact = read_artifact(self.place.store, live.version.digest) if live else None
        wanted = artifact.bundle.run.of_role("singleton") if artifact else {}
        mark = {LIVE: f"{live.version.digest}/{live.slot}"} if live else {}
        supervisor = self.place.supervisor
        missing = {name: one for name, one in wanted.items() if not supervisor.keeps(singleton_program(name), mark)}
        kept = [singleton_program(name) for name in wanted if name not in missing]
        others = [program for program in singletons(supervisor.declared()) if program not in kept]
        supervisor.remove(*others)
        for program in others:
            shutil.rmtree(self._specs(program), ignore_errors=True)
        if artifact and missing:
            installed = self.installed(artifact)
            for name, one in missing.items():
                made = self._program(singleton_program(name), installed, one.command, one.stop_seconds)
                self._declare(replace(made, env=mark))

    def programs(self, slot: str | None = None) -> Mapping[str, str]:
        declared = self.place.supervisor.declared()
        names = singletons(declared) if slot is None else of_slot(declared, slot)
        return {process_of(name): self._condition(name) for name in names}

    def _condition(self, name: str) -> str:
        state = self.place.supervisor.state(name)
        if state is None:
            return "not declared"
        return "running" if state.state in RUNS else state.state.value.lower()

    def gone(self, slot: str, since: str | None = None) -> str | None:
        """Return which of a slot's programs is not running, or not the one of `since`, with its last output; else
        None.
        """
        marks = dict(mark.rsplit(" ", 1) for mark in since.split(",")) if since is not None else {}
        for name in of_slot([*self.place.supervisor.declared(), *marks], slot):
            if why := self._why_gone(name, None if since is None else marks.get(name, "")):
                process = process_of(name)
                return why if process == SERVICE else f"its process {process}: {why}"
        return None

    def _why_gone(self, name: str, since: str | None) -> str | None:
        supervisor = self.place.supervisor
        state = supervisor.state(name)
        if state and state.state in RUNS:
            if since in (None, supervisor.generation(name)):
                return None
            how = f"it ended with exit status {state.exit_status}, and the supervisor started it again"
        else:
            how = state.state if state else "not declared"
        return f"{how}; it said: {self._masked(supervisor.log_tail(name, 15))}"

    def generation(self, slot: str) -> str:
        names = of_slot(self.place.supervisor.declared(), slot)
        return ",".join(f"{name} {self.place.supervisor.generation(name)}" for name in names)

    def listening(self, slot: str, endpoints: Endpoints, *, alone: bool) -> frozenset[str]:
        """Return the inodes of the sockets that the slot's processes listen with: the supervisor's own child, which is
        the sandbox's launcher, and all that descends from it. The launcher collects what detaches itself, so nothing
        of the slot lies elsewhere. A mark in the environment would not do: a stranger can carry it.
        """

        def processes() -> list[int]:
            state = self.place.supervisor.state(slot_program(slot))
            return [state.pid, *descendants(state.pid)] if state and state.pid else []

        found = [held_by(processes, endpoint, alone=alone) for endpoint in endpoints]
        return frozenset(str(inode) for inodes in found for inode in inodes) if all(found) else frozenset()

    def usage(self, slot: str) -> tuple[Usage, ...]:
        """Return what each of the slot's programs uses, with those below it. It has no limits: MAX_MEMORY_MB and one
        CPU.
        """
        return tuple(used for name in of_slot(self.place.supervisor.declared(), slot) for used in self._usage(name))

    def _usage(self, name: str) -> tuple[Usage, ...]:
        state = self.place.supervisor.state(name)
        if state is None or not state.pid:
            return ()
        # The launcher, and with namespaces the init below it, are ours.
        ours = 2 if sandbox.available() is sandbox.Isolation.NAMESPACES else 1
        with contextlib.suppress(psutil.Error):
            processes = tree(psutil.Process(state.pid))[ours:]
            limit = int(self.place.settings.max_memory_mb * 10**6)
            return (Usage(name, memory_bytes(processes), limit, cpu_s(processes), 1.0, time.monotonic()),)
        return ()

    def _masked(self, text: str) -> str:
        return masked(text, app_secrets(self.place, self.database.secrets()))

    def _specs(self, name: str) -> Path:
        """Return the directory for what the sandbox's launcher reads: of a slot, or of a singleton's program."""
        return self.place.directory / "slots" / name
