"""How the repository itself starts its server: commands in a Procfile, a Dockerfile, scripts and compose files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gates.adopt.tree import ASIDE, Tree, subtable

SERVERS = ("gunicorn", "uvicorn", "hypercorn", "granian", "daphne", "waitress-serve", "fastapi")
TARGET = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)(?P<called>\(\))?")
FILES = re.compile(
    r"(?:^|/)(?:Procfile[\w.-]*|[\w.-]*Dockerfile[\w.-]*|Containerfile|[\w.-]+\.sh|entrypoint[\w.-]*|Makefile|run)$"
)
VALUED = frozenset(
    "-c --config -b --bind -k --worker-class -H --host -p --port --env-file --log-config -e --env".split()
)
WORD = re.compile(r"[\s\"',\[\]]+")


@dataclass(frozen=True)
class Started:
    """A server's command as a file has it: which server, and what it serves. `factory`: that makes the app."""

    server: str
    module: str
    name: str
    factory: bool
    because: str
    folder: str = ""


def started(tree: Tree) -> list[Started]:
    """Return the commands that start a server, those of Procfile and Dockerfiles first."""
    found = [
        one
        for file in sorted(filter(FILES.search, tree.texts), key=_rank)
        if not ASIDE.search(file)
        for number, line in _lines(tree.texts[file])
        for one in _command(line, f"{file}:{number}")
    ]
    for file, yaml in tree.yamls.items():
        for name, service in subtable(yaml.value, "services").items():
            command = subtable({"service": service}, "service").get("command")
            text = " ".join(map(str, command)) if isinstance(command, list) else str(command or "")
            found += _command(text, f"{file}:{yaml.line('services', name, 'command')}")
    return found


def _rank(file: str) -> tuple[int, int, str]:
    name = file.rpartition("/")[2]
    return (0 if name.startswith("Procfile") else 1 if "ocker" in name else 2), file.count("/"), file


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with those that continue it, without comments."""
    pending, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        start = start if pending else number
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        whole, pending = pending + line, ""
        if not whole.lstrip().startswith("#"):
            yield start, whole


def _command(line: str, because: str) -> Iterator[Started]:
    given = [one for one in WORD.split(line) if one]
    server = next((name for word in given if (name := word.rpartition("/")[2]) in SERVERS), "")
    if not server:
        return
    after = given[next(at for at, word in enumerate(given) if word.rpartition("/")[2] == server) + 1 :]
    for before, word in zip(["", *after], after):
        if before in VALUED:
            continue
        if (target := TARGET.fullmatch(word)) and target["module"] not in ("localhost", "http", "https", "unix"):
            if not target["module"].startswith(("uvicorn.", "uvicorn_worker.", "aiohttp.")):
                factory = bool(target["called"]) or "--factory" in after
                yield Started(server, target["module"], target["name"], factory, because, _folder(after))
                return
    if server == "gunicorn" and (plain := _plain_target(after)):
        yield Started(server, plain, "application", False, because, _folder(after))


def _plain_target(after: list[str]) -> str:
    """Return gunicorn's `package.wsgi` without a name: it serves `application` of it."""
    return next((word for word in after if re.fullmatch(r"[A-Za-z_]\w*(?:\.\w+)*\.(?:wsgi|asgi)", word)), "")


def _folder(after: list[str]) -> str:
    options = ("--chdir", "--app-dir", "--pythonpath")
    for at, word in enumerate(after):
        name, equals, value = word.partition("=")
        if name in options:
            return value if equals else after[at + 1] if at + 1 < len(after) else ""
    return ""
