"""A Dockerfile as its instructions, read as BuildKit reads it (frontend/dockerfile/parser, instructions).

What it would refuse is refused here, with its line: an instruction or a flag that nobody knows must not pass unread.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gates.scans.dockerfiles.words import SPACE, here_documents, split_words
from gates.scans.outcome import ReportError

# The flags of each instruction, those that may stand twice with a "*".
FLAGS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        "ARG CMD ENTRYPOINT ENV EXPOSE LABEL MAINTAINER ONBUILD SHELL STOPSIGNAL USER VOLUME WORKDIR".split(),
        frozenset[str](),
    ),
    "ADD": frozenset({"checksum", "chmod", "chown", "exclude*", "keep-git-dir", "link", "unpack"}),
    "COPY": frozenset({"chmod", "chown", "exclude*", "from", "link", "parents"}),
    "FROM": frozenset({"platform"}),
    "HEALTHCHECK": frozenset({"interval", "retries", "start-interval", "start-period", "timeout"}),
    "RUN": frozenset({"device*", "mount*", "network", "security"}),
}
SWITCHES = frozenset({"keep-git-dir", "link", "parents", "unpack"})
MAY_BE_EMPTY = frozenset({"CMD", "ENTRYPOINT", "RUN"})
LISTS = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
DOCUMENTS = frozenset({"ADD", "COPY", "RUN"})
# bufio.MaxScanTokenSize: BuildKit refuses a longer line.
LONGEST_LINE_BYTES = 65_535
_BLANK = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(rf"#[{SPACE}]*([A-Za-z][A-Za-z0-9]*)[\t\n\f\r ]*=(.*)", re.DOTALL)
_DIRECTIVES = ("syntax", "escape", "check")


@dataclass(frozen=True)
class Instruction:
    """One instruction: upper-case keyword, its flags, the rest with continuations joined, its first line (1-based).

    `trigger` is what an ONBUILD holds; `escape` the file's escape character.
    """

    keyword: str
    value: str
    line: int
    flags: tuple[tuple[str, str], ...] = ()
    escape: str = "\\"
    trigger: "Instruction | None" = None

    def flag(self, name: str) -> list[str]:
        """Return the values of a flag, in order."""
        return [value for key, value in self.flags if key == name]

    @property
    def words(self) -> list[str]:
        """Return what follows, as the list that it is written as, else split at blanks."""
        listed = json_list(self.value)
        return _BLANK.split(self.value) if listed is None else listed


def instructions(text: str) -> list[Instruction]:
    """Split a Dockerfile. Raises ReportError, which names the line that is no instruction, a flag that its instruction
    does not have, or a here-document without its end.
    """
    lines = _lines(text)
    escape = directives(text).get("escape", "\\")
    if escape not in ("\\", "`"):
        raise ReportError("its escape directive names neither \\ nor `")
    found: list[Instruction] = []
    numbered = iter(enumerate(lines, start=1))
    for number, line in numbered:
        start = line.lstrip(SPACE)
        if not start or start.startswith("#"):
            continue
        whole = _joined(start, escape, numbered)
        try:
            instruction = _instruction(whole, number, escape)
            for name, tabs in _documents(instruction, whole):
                _skip(name, tabs, numbered)
        except ReportError as error:
            raise ReportError(f"line {number}: {error}") from None
        found.append(instruction)
    return found


def directives(text: str) -> dict[str, str]:
    """Return what the comments at the top say to the reader: syntax, escape, check. ReportError if one stands twice."""
    found: dict[str, str] = {}
    lines = _lines(text)
    # A first line for a shell is passed over by what looks for `syntax`, and ends the others.
    shell = lines[0].startswith("#!")
    for line in lines[1:] if shell else lines:
        match = _DIRECTIVE.fullmatch(line.lstrip(SPACE))
        name, value = (match[1].lower(), match[2].strip("\t\n\f\r ")) if match else ("", "")
        if name not in _DIRECTIVES or not value:
            break
        if name in found:
            raise ReportError(f"it has two {name} directives")
        found[name] = value
    return {name: value for name, value in found.items() if name == "syntax" or not shell}


def _lines(text: str) -> list[str]:
    """Split at the line feed alone: what other characters end a line elsewhere stand within one here."""
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    for number, line in enumerate(lines, start=1):
        if len(line.encode("utf-8", "surrogatepass")) > LONGEST_LINE_BYTES:
            raise ReportError(f"line {number} has more than {LONGEST_LINE_BYTES} bytes, which no build accepts")
    return lines


def _joined(start: str, escape: str, rest: Iterator[tuple[int, str]]) -> str:
    part, goes_on = _cut(start, escape)
    parts = [part]
    while goes_on:
        _, line = next(rest, (0, None))
        if line is None:
            break
        plain = line.lstrip(SPACE)
        if plain and not plain.startswith("#"):
            part, goes_on = _cut(line, escape)
            parts.append(part)
    return "".join(parts)


def _cut(line: str, escape: str) -> tuple[str, bool]:
    """Return a line without its continuation, and whether it has one: two of them at the end are none."""
    end = line.rstrip(" \t")
    goes_on = end.endswith(escape) and not end.endswith(escape * 2)
    return (end[:-1], True) if goes_on else (line, False)


def _instruction(whole: str, number: int, escape: str) -> Instruction:
    word, *rest = _BLANK.split(whole.strip(SPACE), maxsplit=1)
    keyword = _keyword(word)
    flags, value = _flags(keyword, rest[0] if rest else "", escape)
    if not value and keyword not in MAY_BE_EMPTY:
        raise ReportError(f"{keyword} says nothing")
    trigger = None
    if keyword == "ONBUILD":
        trigger = _instruction(value, number, escape)
        if trigger.keyword in ("FROM", "MAINTAINER", "ONBUILD"):
            raise ReportError(f"ONBUILD {trigger.keyword} is not allowed")
    instruction = Instruction(keyword, value, number, flags, escape, trigger)
    _check(instruction)
    return instruction


def _keyword(word: str) -> str:
    # lower() as BuildKit does: "\u017f" is no "s" there, though it becomes one in upper case.
    keyword = word.lower().upper()
    if word.lower() != keyword.lower() or keyword not in FLAGS:
        raise ReportError(f"starts with {word[:20]!r}, which is no Dockerfile instruction")
    return keyword


def _check(instruction: Instruction) -> None:
    keyword, words = instruction.keyword, instruction.words if instruction.keyword in LISTS else []
    if keyword in ("ADD", "COPY") and len(words) < 2:
        raise ReportError(f"{keyword} names no destination")
    if keyword == "SHELL" and not json_list(instruction.value):
        raise ReportError("SHELL wants a list: SHELL [...]")
    if keyword == "ENV":
        assignments(instruction)
    if keyword == "HEALTHCHECK":
        health_check(instruction)


def _flags(keyword: str, text: str, escape: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return the flags in front of a text, and the rest of it."""
    flags: list[tuple[str, str]] = []
    at = 0
    while True:
        while text[at : at + 1] and text[at] in SPACE:
            at += 1
        if not text.startswith("--", at):
            break
        word, at = _flag_word(text, at, escape)
        if word == "--":
            break
        flags.append(_flag(keyword, word, flags))
    return tuple(flags), text[at:].strip(SPACE)


def _flag_word(text: str, at: int, escape: str) -> tuple[str, int]:
    made, quote = [], ""
    while at < len(text):
        char = text[at]
        if char == escape:
            at += 1
            made.append(text[at : at + 1])
        elif quote:
            made.append("" if char == quote else char)
            quote = "" if char == quote else quote
        elif char in SPACE:
            break
        elif char in "'\"":
            quote = char
        else:
            made.append(char)
        at += 1
    return "".join(made), min(at, len(text))


def _flag(keyword: str, word: str, before: Sequence[tuple[str, str]]) -> tuple[str, str]:
    name, equals, value = word[2:].partition("=")
    known = FLAGS[keyword]
    shown = f"{keyword} --{name[:30]}"
    if not word.isascii() or name not in known | {flag.rstrip("*") for flag in known}:
        raise ReportError(f"{shown}: {keyword} has no such flag")
    if any(name == key for key, _ in before) and f"{name}*" not in known:
        raise ReportError(f"{shown} stands twice")
    if name in SWITCHES and (value.lower() not in ("", "true", "false") or (equals and not value)):
        raise ReportError(f"{shown}: true or false is expected")
    if name not in SWITCHES and not equals:
        raise ReportError(f"{shown}: a value is missing")
    return name, value


def _documents(instruction: Instruction, whole: str) -> list[tuple[str, bool]]:
    holder = instruction.trigger or instruction
    if holder.keyword not in DOCUMENTS or "<<" not in whole or json_list(holder.value) is not None:
        return []
    return here_documents(whole)


def _skip(name: str, tabs: bool, rest: Iterator[tuple[int, str]]) -> None:
    """Pass over a here-document's lines to its end, a line of nothing else, of `tabs` behind tabs."""
    for _, line in rest:
        if (line.lstrip("\t") if tabs else line) == name:
            return
    raise ReportError(f"the here-document {name[:20]} has no end")


def json_list(text: str) -> list[str] | None:
    """Return a JSON list of strings, None when a text is none and so a plain one. ReportError for a list of others."""
    if not text.lstrip(SPACE).startswith("["):
        return None
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ReportError("a list may hold strings only")
    return values


def _no_constant(name: str) -> None:
    raise ValueError(name)


def assignments(instruction: Instruction) -> list[tuple[str, str | None]]:
    """Return the names and values of an ENV or ARG, not yet expanded; None where an ARG has no value."""
    words = split_words(instruction.value, instruction.escape)
    if instruction.keyword == "ARG":
        pairs = [word.partition("=") for word in words]
        return [(name, value if equals else None) for name, equals, value in pairs]
    if "=" not in (words[0] if words else ""):
        parts = _BLANK.split(instruction.value, maxsplit=1)  # ENV NAME the whole rest
        if len(parts) < 2:
            raise ReportError(f"ENV {parts[0][:30]} has no value")
        return [(parts[0], parts[1])]
    for word in words:
        if "=" not in word or word.startswith("="):
            raise ReportError("ENV wants NAME=VALUE")
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def health_check(instruction: Instruction) -> bool:
    """Return whether a HEALTHCHECK checks something: NONE does not."""
    kind, *rest = instruction.value.split(maxsplit=1)
    if kind.upper() == "NONE" and not rest:
        return False
    if kind.upper() != "CMD" or not rest or json_list(rest[0]) == []:
        raise ReportError("HEALTHCHECK wants CMD and a command, or NONE alone")
    return True
