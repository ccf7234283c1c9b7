"""What `$` begins in a compose file and in its files of variables, as compose reads them."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from host.masking import SECRET_NAME

# A closing brace counts where one is open. Of `${NAME:-default}` the default may hold variables of its own.
_SIGN = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?:(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?P<then>:?[-?+]|\})?)?)|(?P<end>\})"
)
SETTING = re.compile("[A-Z][A-Z0-9_]*")  # what may follow APP_ and SECRET_
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)
_COMMENT = re.compile(r"(^|\s)#.*", re.DOTALL)
# One line of a file of variables, or more where a value in quotes goes on. [^\S\n] is a blank within a line.
_LINE = re.compile(
    r"[^\S\n]*(?:#[^\n]*|(?:export[^\S\n]+)?(?P<key>[\w.\[\]-]+)[^\S\n]*(?:[=:][^\S\n]*"
    r"(?:'(?P<single>(?:[^'\\]|\\.)*+)'[^\n]*|\"(?P<double>(?:[^\"\\]|\\.)*+)\"[^\n]*|(?P<plain>[^\n]*))"
    r"|(?:#[^\n]*)?(?=\n|\Z)))?"
    r"(?P<rest>[^\n]*)(?:\n|\Z)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Mention:
    """A variable of a text. `alone`: it has no default; `needed`: it has a message in place of one (`${NAME:?}`). No
    `name`: the text is broken.
    """

    name: str
    alone: bool = True
    braced: bool = False
    needed: bool = False


def mentions(text: str) -> Iterator[Mention]:
    """Yield the variables of a text in the order in which they stand there."""
    open_ = 0
    for sign in _SIGN.finditer(text):
        if sign["end"]:
            open_ -= open_ > 0
        elif sign["named"]:
            yield Mention(sign["named"])
        elif sign[0] == "$" or sign["escaped"]:
            continue
        elif not sign["then"]:
            yield Mention("")
        else:
            open_ += sign["then"] != "}"
            yield Mention(sign["braced"], sign["then"] == "}", True, sign["then"].endswith("?"))
    if open_:
        yield Mention("")


def may_be_shown(mention: Mention, key: str) -> bool:
    """Say whether a variable's name may be told: one in a password is a part of it that somebody did not escape."""
    return bool(SETTING.fullmatch(mention.name)) and (mention.braced or not SECRET_NAME.search(key))


@dataclass(frozen=True)
class Entry:
    """One line of a file of variables. `line` counts from 1; `value` is without quotes, None where the name stands
    alone; `read` is what compose looks for variables in: nothing where the value stands in single quotes. No `key`:
    compose cannot read the line.
    """

    key: str
    value: str | None
    read: str
    line: int


def entries(text: str) -> list[Entry]:
    """Return the entries of a file of variables, as compose separates them: NAME=value and NAME: value."""
    found, at, line = [], 0, 1
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    while at < len(plain) and (one := _LINE.match(plain, at)):  # it matches every line
        if one["rest"].strip() or (one["plain"] or "").startswith(("'", '"')):
            found.append(Entry("", None, "", line))
        elif one["key"]:
            found.append(Entry(one["key"], *_value(one), line))
        line += plain.count("\n", at, one.end())
        at = one.end()
    return found


def _value(one: re.Match[str]) -> tuple[str | None, str]:
    if one["single"] is not None:
        return one["single"], ""
    if one["double"] is not None:
        return _ESCAPES.sub(r"\1", one["double"]), _ESCAPES.sub("", one["double"])
    if one["plain"] is None:
        return None, ""
    return (value := _COMMENT.sub("", one["plain"]).strip()), value


def dangling(given: Collection[Entry], known: Collection[str]) -> Iterator[tuple[Entry, Mention]]:
    """Yield the entries with a variable that neither `known` nor an earlier entry sets; each entry once."""
    earlier: set[str] = set()
    for entry in given:
        for mention in mentions(entry.read):
            if not mention.name or (mention.alone and mention.name not in known and mention.name not in earlier):
                yield entry, mention
                break
        if entry.value is not None:
            earlier.add(entry.key)
