"""Does what a container starts with migrate the database by itself?"""

import re
import shlex
from collections.abc import Sequence

# Words and options on one line, up to the end of a command. An option may have one value.
_WORDS = r"(?:[ \t]+[^\s;&|]+){0,20}?[ \t]+"
_OPTIONS = r"(?:[ \t]+-[^\s;&|]+(?:[ \t]+[^-\s;&|][^\s;&|]*)?){0,20}?[ \t]+"
_TOOLS = (
    rf"(?<![\w-])alembic(?:\.config)?{_WORDS}upgrade\b",
    r"alembic\.config\b[^\n]{0,500}?\bupgrade\b",
    rf"flask{_WORDS}db[ \t]+upgrade\b",
    rf"(?:manage\.py|django-admin(?:\.py)?|-m[ \t]+django){_OPTIONS}"
    r"(?:migrate(?:_schemas)?|syncdb|db[ \t]+upgrade)\b(?![^\n;&|]{0,200}?[ \t]--(?:check|plan)\b)",
    rf"aerich{_WORDS}upgrade\b",
    rf"yoyo(?:-migrate)?{_WORDS}(?:apply|reapply|develop)\b",
    r"piccolo[ \t]+migrations[ \t]+forwards?\b",
    rf"litestar{_WORDS}database[ \t]+upgrade\b",
    r"prisma[ \t]+(?:migrate[ \t]+deploy|db[ \t]+push)\b",
    rf"(?:flyway|dbmate){_WORDS}(?:migrate|up)\b",
    rf"liquibase{_WORDS}update\b",
    rf"sqitch{_WORDS}deploy\b",
    r"(?<![\w-])atlas[ \t]+(?:migrate|schema)[ \t]+apply\b",
    rf"(?<![\w-])(?:goose|tern){_WORDS}(?:up(?:-to|-by-one)?|migrate)\b",
    rf"(?<![\w-])migrate(?=[ \t]+-){_WORDS}(?:up|goto)\b",
    r"(?<![\w-])psql\b[^\n;&|]{0,500}?[ \t](?:-[a-zA-Z]*f\b|--file\b|<)",
    r"-m[ \t]+(?:\w+\.){0,20}(?:(?:run|apply|do|db)_)?migrat(?:e|ions?|or)\b(?!\.)",
    r"python[\d.]*[ \t]+(?:-\S+[ \t]+){0,10}"
    r"(?:[\w.-]{0,80}/){0,20}(?:(?:run|apply|do|db)[_-])?migrat(?:e|ions?|or)\.py\b",
)
MIGRATES = re.compile("|".join(f"(?:{tool})" for tool in _TOOLS))
SHELL_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#(?!!).*$")
_CONTINUED = re.compile(r"\\\r?\n")
# What a shell only says: neither handed on by a pipe or into a file, nor with a command of its own inside.
_SAID = re.compile(
    r"(?<![\w./-])(?:echo|printf)[ \t]"
    r"""(?:'[^'\n]{0,500}'|"[^"`$\n]{0,500}"|[^\n'"`$|&;<>#()]){0,300}+(?:>&[12][ \t]*)?(?=[\n;]|&&|\|\||$)"""
)
# ["alembic", "upgrade", "head"]: quotes and signs of a list stand between words, not in them.
_BETWEEN = re.compile(r"""["'\[\],()]+""")
# What a shell script hands on to: `exec ./start.sh`, `. /app/env.sh`, `bash migrate.sh`.
_PATH = re.compile(r"[\w./-]+")
_SHELL_SCRIPT = re.compile(r"\w\.(?:sh|bash)\b")
_ABSOLUTE = re.compile(r"(?<![\w.-])/[\w./-]+")


def migration_in(text: str) -> str | None:
    """Return the migration command that a script or a command line holds, None without one.

    Neither comments count nor what is only echoed. A command is the same as typed and as a list of words.
    """
    plain = SHELL_COMMENT.sub("", _CONTINUED.sub(" ", text))
    command = MIGRATES.search(_BETWEEN.sub(" ", _SAID.sub("", plain)))
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
