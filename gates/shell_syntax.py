"""A shell's syntax in commands that no shell runs: told by name, for there it would be taken literally.

The commands of config/pipeline.toml are lists of words. A Procfile has command lines that were meant for a shell: what
is plain in one becomes words, and `$PORT` becomes `{port}`.
"""

import re
from collections.abc import Sequence

CURE = 'write {port} for the port, put values into APP_ settings, or have a shell do it: ["sh", "-c", "exec ..."]'
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
# Words of a shell that are no programs: there is nothing to start.
BUILTINS = frozenset({".", "alias", "cd", "eval", "export", "set", "source", "trap", "ulimit", "umask", "unset", "if"})
OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "<<", "2>", "2>>", "2>&1", "&>", ">&2", "1>&2"})
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[^}]*\}?|\((?:[^)]*\)?)|[0-9@*#?!$])")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=")
_PORT = r"\$PORT(?!\w)|\$\{PORT(?::?-[^{}$`]*)?\}"
_DOUBLE = re.compile(rf'\\(?P<escaped>[\\"$`])|(?P<port>{_PORT})|(?P<shell>{_VARIABLE.pattern}|`[^`]*`?)|(?P<plain>.)')
_PIECE = re.compile(
    rf"""(?P<blank>[ \t]+)
    |'(?P<single>[^']*)'
    |"(?P<double>(?:[^"\\]|\\.)*)"
    |\\(?P<escaped>.)
    |(?P<port>{_PORT})
    |(?P<shell>{_VARIABLE.pattern}|`[^`]*`?|[0-9]?&?[<>]+(?:&[0-9])?|&&|\|\||[&|;()])
    |(?P<plain>[^\s'"\\`&|;<>()])""",
    re.VERBOSE,
)


class ShellSyntax(ValueError):
    """A command needs a shell. The message names what in it does, and the cure."""


def shell_problem(command: Sequence[str], cure: str = CURE) -> str:
    """Return what of a command's words only a shell would understand, with the cure; "" for a plain command.

    A command that is a shell on purpose (`sh -c`) is plain, and so is code behind the `-c` or `-e` of an interpreter.
    """
    program = command[0].rpartition("/")[2] if command else ""
    if program in SHELLS:
        return ""
    code = re.match(r"python|node|perl|ruby", program) is not None
    for number, word in enumerate(command):
        if code and number and command[number - 1] in ("-c", "-e"):
            continue
        if found := _of_word(word, first=number == 0):
            return f"{found}, and no shell runs this command: {cure}"
    return ""


def _of_word(word: str, first: bool) -> str:
    """Return what in one word is a shell's."""
    if first and re.search(r"\s", word.strip()):
        return f"got {word!r} as one word, expected the program alone and each argument as a word of its own"
    if first and (found := _ASSIGNMENT.match(word)):
        return f"got {found[0]!r} before the program"
    if first and word in BUILTINS:
        return f"{word!r} is no program but a word of a shell"
    if word in OPERATORS or re.fullmatch(r"[12]?>{1,2}[^>=].*", word):
        return f"got {word!r}"
    if found := re.search(rf"{_VARIABLE.pattern}|`[^`]+`", word):
        # a dollar sign at the end of a pattern is none of a shell's
        return f"got {found[0]!r}" if re.match(r"\$[A-Za-z_{(]|`", found[0]) else ""
    return f"got {word!r}" if word == "~" or word.startswith("~/") else ""


def command_words(line: str) -> tuple[str, ...]:
    """Return the words of a command line as a shell would make them, the port as `{port}`.

    `exec` before the command is left out, for it is what happens anyway. Raises ShellSyntax for what needs a shell.
    """
    words: list[str] = []
    word: str | None = None
    place = 0
    while place < len(line):
        found = _PIECE.match(line, place)
        if found is None:
            raise ShellSyntax(f"{line[place:][:40]!r}: a quote that nobody closes, or a \\ at the end")
        place = found.end()
        if found["blank"]:
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + _text(found, at_start=word is None)
    words += [] if word is None else [word]
    words = words[1:] if words[:1] == ["exec"] else words
    if not words:
        raise ShellSyntax("there is no command")
    if problem := shell_problem(words) or _globs(line):
        raise ShellSyntax(problem)
    return tuple(words)


def _text(found: re.Match[str], at_start: bool = False) -> str:
    """Return what a piece of a command line adds to its word. Raises ShellSyntax if only a shell knows."""
    piece = found.groupdict()
    if piece["shell"]:
        raise ShellSyntax(f"got {piece['shell']!r}, and no shell runs this command: {CURE}")
    if piece["port"]:
        return "{port}"
    if piece.get("double") is not None:
        return "".join(_text(inner) for inner in _DOUBLE.finditer(piece["double"]))
    if piece["plain"] == "#" and at_start:
        raise ShellSyntax("got '#': a comment behind a command; leave it out, or quote the word")
    return next(text for key in ("single", "escaped", "plain") if (text := piece.get(key)) is not None)


def _globs(line: str) -> str:
    """Return the first word that a shell would replace by the names of files. A quoted one, and one in an option (which
    fits no file), is none.
    """
    bare = re.sub(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", "", line)
    found = next((word for word in bare.split() if re.search(r"[*?]", word) and not word.startswith("-")), "")
    return f"got {found!r}, a pattern of file names, and no shell runs this command: name the files" if found else ""
