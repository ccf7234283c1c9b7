"""Does what a container starts with migrate the database by itself?"""

import re
import shlex
from collections.abc import Sequence

# Each as it is typed in a shell or stands in a list of words; options may come in between.
_TOOLS = (
    r"alembic\b(?:\s+-\S+(?:\s+[^-\s]\S*)?){0,20}\s+upgrade\b",
    r"flask\s+(?:\S+\s+){0,4}?db\s+upgrade\b",
    r"(?:manage\.py|django-admin|-m\s+django)\s+migrate\b",
    r"aerich\s+(?:\S+\s+){0,4}?upgrade\b",
    r"yoyo\s+(?:\S+\s+){0,4}?apply\b",
    r"piccolo\s+migrations\s+forwards\b",
    r"prisma\s+(?:migrate\s+deploy|db\s+push)\b",
    r"(?:flyway|dbmate)\s+(?:\S+\s+){0,4}?(?:migrate|up)\b",
    r"liquibase\s+(?:\S+\s+){0,6}?update\b",
    r"sqitch\s+deploy\b",
)
MIGRATES = re.compile("|".join(f"(?:{tool})" for tool in _TOOLS))
SHELL_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#(?!!).*$")
# What a shell script hands on to: `exec ./start.sh`, `. /app/env.sh`, `bash migrate.sh`.
_PATH = re.compile(r"[\w./-]+")
_SHELL_SCRIPT = re.compile(r"\w\.(?:sh|bash)\b")
_ABSOLUTE = re.compile(r"(?<![\w.-])/[\w./-]+")


def migration_in(text: str) -> str | None:
    """Return the migration command that a script or a command line holds, None without one. Comments do not count."""
    plain = SHELL_COMMENT.sub("", text.replace("\\\n", " "))
    command = MIGRATES.search(plain)
    return " ".join(command[0].split()) if command else None


def words_of(command: str | Sequence[str] | None) -> list[str]:
    """Return a command's words, whether it is written as one line or as a list."""
    if command is None:
        return []
    if isinstance(command, str):
        try:
            return shlex.split(command)
        except ValueError:
            return command.split()
    return [str(word) for word in command]


def scripts_in(text: str) -> list[str]:
    """Return the paths in a text that may be scripts, in order, each once."""
    found = (_script_in(word[0]) for word in _PATH.finditer(SHELL_COMMENT.sub("", text)))
    return list(dict.fromkeys(path for path in found if path))


def _script_in(word: str) -> str:
    """Return a word up to its last .sh or .bash, else its absolute path, "" without either."""
    ends = [end.end() for end in _SHELL_SCRIPT.finditer(word)]
    if ends:
        return word[: ends[-1]]
    absolute = _ABSOLUTE.search(word)
    return absolute[0] if absolute else ""
