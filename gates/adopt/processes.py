"""Processes beside the web one, by a Procfile or Kamal's deploy.yml: [run.processes]."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gates.adopt.draft import Draft
from gates.adopt.roles import CONSUMER, SCHEDULER
from gates.adopt.tree import Tree, joined, subtable, words
from gates.procfile import RELEASE, WEB, read_procfile
from gates.shell_syntax import ShellSyntax, command_words

NAME = re.compile("[^a-z0-9_-]+")
# As evidence/bundle.py has it: part of a program's name.
PROCESS = re.compile("[a-z][a-z0-9_-]{0,24}")
IGNORED = frozenset({WEB, RELEASE})


@dataclass(frozen=True)
class Declared:
    """A process that a file declares: its words, or why they cannot be read."""

    name: str
    command: tuple[str, ...]
    because: str
    problem: str = ""

    @classmethod
    def of_line(cls, name: str, line: str, because: str) -> "Declared":
        """Return what a line for a shell declares."""
        try:
            return cls(name, command_words(line), because)
        except ShellSyntax as error:
            return cls(name, (), because, str(error))


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
    """Return the processes of the app's Procfile, and its lines that cannot be read."""
    file = next((one for one in dict.fromkeys((joined(folder, "Procfile"), "Procfile")) if one in tree.texts), "")
    read = read_procfile(tree.texts.get(file, ""))
    found = [Declared(name, command, tree.where(file, rf"^\s*{name}\s*:")) for name, command in read.commands.items()]
    # How the web process is started is read by gates/adopt/started.py; [run] migrate does what `release` is for.
    others = [one for one in read.problems if not re.match(rf"Procfile:[0-9]+: ({WEB}|{RELEASE}): ", one)]
    return found + [Declared("", (), file, problem.removeprefix("Procfile:")) for problem in others]


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
            Declared.of_line(role, str(about["cmd"]), f"{file}:{yaml.line('servers', role, 'cmd')}")
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
    seen = set[str]()
    for one in declared:
        name = NAME.sub("-", one.name.lower()).strip("-")
        line = shlex.join(one.command)
        if not one.problem and name not in IGNORED and (name in seen or not PROCESS.fullmatch(name)):
            what = "stands there twice" if name in seen else "cannot be a process's name"
            draft.block(f"{one.because}: {one.name!r} {what}", "write its [run.processes.NAME] by hand", one.because)
        elif one.problem and name not in IGNORED:
            cure = f"write [run.processes.{name or 'NAME'}] command as plain words, or leave it out"
            draft.block(f"{one.because}:{one.problem if not name else f' {one.problem}'}", cure, one.because)
        elif name == RELEASE:
            draft.note(f"{one.because}: `release: {line[:80]}` is not run: [run] migrate does what it is for")
        elif name != WEB:
            seen.add(name)
            _propose(name, one, line, draft)


def _propose(name: str, one: Declared, line: str, draft: Draft) -> None:
    if SCHEDULER.search(f"{name} {line}"):
        role, why = "singleton", "a scheduler must never run twice"
    else:
        role, why = "slot", "a worker" if CONSUMER.search(line) else "beside the web process"
    draft.put(f"run.processes.{name}", "command", one.command, one.because)
    draft.put(f"run.processes.{name}", "role", role, why)
    draft.tell(f"process {name}", role, one.because)
