"""The version that is live, run on the schema that a commit brings: is an expanding migration one for it?

Between migration and switch the old code serves on the new schema, and after a rollback it does again.
"""

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from prefect.logging import get_run_logger

from deployments.candidate import read_artifact
from deployments.runtimes.layout import Installed, Layout
from gates.check import Check, Outcome, no_verdict
from gates.checks.reports import last_line
from gates.checks.summary import in_a_line
from gates.databases.form import DatabaseForm
from gates.migrations.steps import Step, pending
from gates.release.compatibility import NAME, Tried, judge_compatibility, nothing_to_try
from host.databases.redis import fresh_redis
from host.errors import SlipwayError, ToolError
from host.masking import masked, secret_values
from host.ports import LOCAL, free_port
from host.probe import await_healthy
from host.sandbox import run as sandbox
from host.sandbox.loopback import shared_loopback
from host.sandbox.run import AnyNetwork, Completed, Sandbox
from settings.database import DatabaseKind
from settings.pipeline import Pipeline
from tasks.checks.base_version import LiveVersion
from tasks.checks.cores import on_a_core
from tasks.checks.memory import key_of
from tasks.checks.syntax import code_digest
from tasks.retries import once
from tasks.source.background import running
from tasks.source.databases import FreshDatabase, fresh_database
from tasks.source.relays import entrance
from tasks.source.suite_services import SPARE_S, find_redis
from tasks.source.workspace import Looked, Workspace, tool_path

MIGRATION_S = 300
START_S = 60
SMOKE_S = 120


def compatibility_key(pipeline: Pipeline, workspace: Workspace, live: LiveVersion | None) -> str:
    """Return what a trial is kept under: the live version with its settings, and all that the commit means, since its
    migration may read any of it. "" when nothing is live: that is told at once.
    """
    if live is None:
        return ""
    source, load = workspace.source, pipeline.performance
    told = (live.digest, live.place.name, live.place.settings.app, sorted(live.place.settings.secrets))
    kind = live.place.settings.database
    given = (
        pipeline.run.model_dump(),
        pipeline.migrations.model_dump(),
        load and load.environment,
        workspace.environment.name,
    )
    return key_of(
        NAME,
        code_digest(source, source.files, measured=False),
        *told,
        *given,
        *([] if kind is DatabaseKind.EMBEDDED else [kind]),
        *(["redis"] if live.place.settings.redis_url else []),
    )


@once(NAME)
def run_compatibility(
    pipeline: Pipeline,
    workspace: Workspace,
    find: Callable[[], LiveVersion | None],
    steps: tuple[Step, ...] | None,
) -> Looked:
    """Try the live version, which `find` names, on the migrated schema and return the check. Leaves nothing behind.

    `steps` are the commit's migrations, judged; None when nobody could. Not applicable without a live version or a
    pending migration.

    Not repeated: a check that fails and then passes has failed. What keeps it from looking is `no verdict`.
    """
    looked = on_a_core(NAME, workspace, partial(_look, pipeline, workspace, find, steps))
    get_run_logger().info("%s", in_a_line(looked.check))
    return looked


def _look(
    pipeline: Pipeline, workspace: Workspace, find: Callable[[], LiveVersion | None], steps: Sequence[Step] | None
) -> Looked:
    began = monotonic()
    try:
        check = look_at_compatibility(pipeline, workspace, find(), steps)
    except SlipwayError as error:
        check = no_verdict(NAME, str(error))
    return Looked(check.model_copy(update={"seconds": round(monotonic() - began, 2)}))


def look_at_compatibility(
    pipeline: Pipeline, workspace: Workspace, live: LiveVersion | None, steps: Sequence[Step] | None
) -> Check:
    """Do what `run_compatibility` does, without a run around it."""
    artifact = read_artifact(live.place.store, live.digest) if live else None
    known = artifact.bundle.migrations if artifact else None
    nothing = nothing_to_try(live is not None, steps, known, pipeline.run.migrate is not None)
    if live is None or artifact is None or nothing:
        return Check(name=NAME, outcome=Outcome.NOT_APPLICABLE, reason=nothing)
    installed = Layout(live.place, runs_here=True).install(artifact)
    kind = live.place.settings.database
    with ExitStack() as stack:
        network = stack.enter_context(shared_loopback())
        forms = (installed.bundle.run.database, pipeline.run.database)
        joined = network if any(form.connection == "tcp" for form in forms) else None
        database = stack.enter_context(fresh_database(NAME, workspace, kind, network=joined))
        redis = stack.enter_context(_redis(workspace, network)) if live.place.settings.redis_url else {}
        trial = _Trial(pipeline, workspace, live, installed, database, network, redis)
        smoke, trouble = trial.run()
    revisions = tuple(step.revision for step in pending(steps or (), known or ()))
    version = f"{installed.bundle.version} ({live.digest[:12]})"
    return judge_compatibility(Tried(version, live.place.name, revisions, trouble, smoke))


@contextmanager
def _redis(workspace: Workspace, network: AnyNetwork) -> Iterator[dict[str, str]]:
    """Give the variable that names an empty Redis in the trial's network, while the block runs."""
    directory = workspace.root / NAME / f"redis-{uuid.uuid4().hex[:8]}"
    lifetime_s = 2 * MIGRATION_S + START_S + 2 * SMOKE_S + SPARE_S
    with fresh_redis(find_redis(), directory, lifetime_s, network) as url:
        yield {"REDIS_URL": url}


class _Bad(SlipwayError):
    """What the live version or the migration did wrong: found out, and bad."""


@dataclass(frozen=True)
class _Trial:
    pipeline: Pipeline
    workspace: Workspace
    live: LiveVersion
    installed: Installed
    database: FreshDatabase
    network: AnyNetwork
    redis: Mapping[str, str]

    def run(self) -> tuple[str, str]:
        """Return what the smoke tests said, and what went wrong ("" when nothing did)."""
        environment = self._environment(self.installed.bundle.run.database)
        try:
            self._migrate_as_before(environment)
            self._migrate_to_the_commit(self._environment(self.pipeline.run.database))
            return self._serve(environment), ""
        except _Bad as error:
            return "", str(error)

    def _environment(self, form: DatabaseForm) -> dict[str, str]:
        """Return what a version is told: its environment's settings, secrets of this trial's own, and the database."""
        settings, load = self.live.place.settings, self.pipeline.performance
        made = {name: secrets.token_urlsafe(24) for name in settings.secrets}
        own = {**self.redis, **self.database.told(form), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**settings.app, **made, **(load.environment if load else {}), **own}

    def _migrate_as_before(self, environment: Mapping[str, str]) -> None:
        """Make the schema that the live version has. ToolError: then nothing was tried."""
        if command := self.installed.bundle.run.migrate:
            done = self._as_before(self.installed.command(command), environment, MIGRATION_S)
            if done.failed:
                raise ToolError(f"the live version's own migration {self._how(done)}")

    def _migrate_to_the_commit(self, environment: Mapping[str, str]) -> None:
        argv = self.workspace.argv(self.pipeline.run.migrate or ())
        directory, visible = self.pipeline.run.directory, self.database.read_only
        done = self.workspace.run(
            NAME, argv, environment, MIGRATION_S, read_only=visible, directory=directory, network=self.network
        )
        if done.failed:
            raise _Bad(f"the migration {self._how(done)}")

    def _serve(self, environment: Mapping[str, str]) -> str:
        port = free_port()
        url = f"http://{LOCAL}:{port}"
        argv = self.installed.command(self.installed.bundle.run.command, port)
        env = {"PATH": tool_path(), "LANG": "C.UTF-8", **environment, "PORT": str(port)}
        log = self.workspace.root / f"{NAME}-app.log"
        total_s = START_S + SMOKE_S + 30
        with (
            running(
                argv, cwd=self.installed.working_directory, env=env, box=self._box(), timeout_s=total_s, log=log
            ) as app,
            entrance(self.workspace, NAME, self.network, port) as way,
        ):
            run = self.installed.bundle.run
            try:
                await_healthy(url, run.health, START_S, gone=lambda: _ended(app.ended), through=way, rules=run.rules)
            except SlipwayError as error:
                said = masked(last_line(log.read_text(errors="replace") if log.exists() else ""), secret_values(env))
                raise _Bad(f"{error}; it said: {said[-300:] or 'nothing'}") from error
            return self._smoke(url)

    def _smoke(self, url: str) -> str:
        command = self.installed.bundle.run.smoke
        if command is None:
            return "it is healthy; it names no smoke tests"
        env = {"BASE_URL": url, "SMOKE_HEADERS": "{}", "PYTHONDONTWRITEBYTECODE": "1"}
        done = self._as_before(self.installed.command(command, smoke=True), env, SMOKE_S)
        if done.failed:
            raise _Bad(f"its smoke tests: {self._how(done)}")
        return f"its smoke tests: {last_line(done.output).strip('= ')}"

    def _as_before(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
        env = {"PATH": tool_path(), "LANG": "C.UTF-8", **environment}
        return sandbox.run(
            list(argv),
            cwd=self.installed.working_directory,
            env=env,
            sandbox=self._box(),
            timeout_s=timeout_s,
            cancelled=self.workspace.cancelled,
            others=True,  # the app and its database
        )

    def _box(self) -> Sandbox:
        installed = self.installed
        shared = (
            installed.directory,
            installed.environment(),
            installed.environment(smoke=True),
            *self.database.read_only,
        )
        bound, scratch = tuple(dict.fromkeys(shared)), self.workspace.scratch(NAME)
        return sandbox.for_check(self.workspace.shares, read_only=bound, writable=(scratch,), network=self.network)

    @staticmethod
    def _how(done: Completed) -> str:
        said = " ".join(done.output.strip().splitlines()[-3:])
        return f"{done.how}: {said[-400:]}"


def _ended(done: Completed | None) -> str | None:
    return f"it ended with {done.returncode}" if done else None
