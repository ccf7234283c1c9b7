"""Processes beside the web one, by a Procfile or Kamal's deploy.yml: [run.processes]."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gates.adopt.containers import BEAT, WORKER
from gates.adopt.draft import Draft
from gates.adopt.tree import Tree, joined, subtable, words

LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")
SHELL = frozenset("$&|;<>`")
NAME = re.compile("[^a-z0-9_-]+")
IGNORED = frozenset({"web", "release"})


@dataclass(frozen=True)
class Declared:
    """A process that a file declares."""

    name: str
    command: str
    because: str


@dataclass(frozen=True)
class Kamal:
    """What a deploy.yml of Kamal says."""

    file: str = ""
    processes: tuple[Declared, ...] = ()
    health: str = ""
    health_because: str = ""
    clear: Mapping[str, str] = field(default_factory=dict)
    secret: tuple[str, ...] = ()


def procfile(tree: Tree, folder: str) -> list[Declared]:
    """Return the processes of the app's Procfile. The one reader of such a file here."""
    name = next((one for one in dict.fromkeys((joined(folder, "Procfile"), "Procfile")) if one in tree.texts), "")
    found = []
    for number, line in enumerate(tree.texts.get(name, "").split("\n"), 1):
        if match := LINE.match(line.strip()):
            found.append(Declared(match[1], match[2].strip(), f"{name}:{number}"))
    return found


def kamal(tree: Tree) -> Kamal:
    """Return what Kamal's deploy.yml says; nothing of a file that is no such thing."""
    for file, yaml in sorted(tree.yamls.items()):
        value: Any = yaml.value
        if (
            not file.endswith("deploy.yml")
            or "/workflows/" in file
            or not subtable({"all": value}, "all").get("service")
        ):
            continue
        if not {"servers", "image"} & set(value):
            continue
        servers = subtable(value, "servers")
        found = [
            Declared(role, str(about["cmd"]), f"{file}:{yaml.line('servers', role, 'cmd')}")
            for role, about in servers.items()
            if isinstance(about, Mapping) and about.get("cmd")
        ]
        path = subtable(value, "proxy", "healthcheck").get("path") or subtable(value, "healthcheck").get("path")
        line = (
            yaml.line("proxy", "healthcheck", "path")
            if subtable(value, "proxy", "healthcheck")
            else yaml.line("healthcheck", "path")
        )
        clear = {str(key): str(one) for key, one in subtable(value, "env", "clear").items()}
        secret = tuple(words(subtable(value, "env").get("secret")))
        return Kamal(file, tuple(found), str(path or ""), f"{file}:{line}", clear, secret)
    return Kamal()


def propose_processes(declared: list[Declared], draft: Draft) -> None:
    """Propose [run.processes] of what is no web process: a worker for each slot, a scheduler once."""
    for one in declared:
        name = NAME.sub("-", one.name.lower()).strip("-")
        if name in IGNORED:
            if name == "release":
                draft.note(
                    f"{one.because}: `release: {one.command[:80]}` is not run: [run] migrate does what it is for"
                )
            continue
        if SHELL & set(one.command):
            draft.block(
                f"{one.because}: `{one.command[:60]}` is a line for a shell",
                f"write [run.processes.{name}] command as plain words",
                one.because,
            )
            continue
        try:
            command = tuple(shlex.split(one.command))
        except ValueError:
            draft.block(f"{one.because}: its quotes do not end", f"write [run.processes.{name}] by hand", one.because)
            continue
        role = "singleton" if BEAT.search(f"{name} {one.command}") else "slot"
        table = f"run.processes.{name}"
        kind = (
            "a scheduler must never run twice"
            if role == "singleton"
            else "a worker" if WORKER.search(one.command) else "beside the web process"
        )
        draft.put(table, "command", command, one.because)
        draft.put(table, "role", role, kind)
        draft.tell(f"process {name}", role, one.because)
