"""A Procfile, read strictly: the command of each kind of process as a list of words, `$PORT` as `{port}`.

The format is Heroku's: one `name: command` a line. There a shell runs the command; here none does, so what needs one is
a problem, with the cure, and never a guess.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gates.documents import CONTROL
from gates.shell_syntax import ShellSyntax, command_words

LARGEST = 64 * 1024
WEB = "web"
RELEASE = "release"
_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]{1,40})\s*:\s*(?P<command>.*)")


@dataclass(frozen=True)
class Procfile:
    """`commands` by name, in the order of the file; `problems`, one line each: what could not be read, and the cure.

    `web` is the service, `release` what runs once before a release, such as a migration; all others are processes.
    """

    commands: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()


def read_procfile(text: str) -> Procfile:
    """Return what a Procfile says. Never raises: what cannot be read is one of its problems."""
    if len(text) > LARGEST:
        return Procfile({}, (f"Procfile: got more than {LARGEST} characters, expected a line for each process",))
    commands: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    problems = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        found = None if CONTROL.search(line.replace("\t", " ")) else _LINE.fullmatch(line)
        if found is None:
            problems.append(f"Procfile:{number}: got {line[:60]!r}, expected NAME: COMMAND")
            continue
        name = found["name"]
        if name in seen:
            problems.append(f"Procfile:{number}: {name} stands twice, and nobody knows which counts")
            commands.pop(name, None)
            continue
        seen.add(name)
        try:
            commands[name] = command_words(found["command"])
        except ShellSyntax as error:
            problems.append(f"Procfile:{number}: {name}: {error}")
    return Procfile(commands, tuple(problems))
