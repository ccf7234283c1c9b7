"""Words of a Dockerfile: where they end, their quotes, and what stands for `$NAME` and `${NAME:-word}` in them.

As BuildKit reads them (frontend/dockerfile/shell), whose errors are refusals here: a text that it cannot read is
built by nobody.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gates.scans.outcome import ReportError

# What Go calls white space (unicode.IsSpace), which is not quite what Python does.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
MOST_STEPS = 10_000_000
_SPECIAL = "@*#?-$!0"
_PLAIN = re.compile(r"[^$'\"\\`}/]+")
_TOKEN = re.compile(rf"\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"|<<[ \t\r]*|[{SPACE}]+|.", re.DOTALL)
_HERE = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)")
_BESIDE_HERE = re.compile(r"\$\{(?!\w+\})")
_UNSURE = "a here-document beside ${...}: which lines it has cannot be told; write it in an instruction of its own"


class Budget:
    """How much work one file may still ask for: values that hold values double with every line."""

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self.steps = steps

    def take(self, steps: int) -> None:
        """Raises ReportError when nothing is left."""
        self.steps -= steps
        if self.steps < 0:
            raise ReportError("its variables hold more text than a Dockerfile needs")


@dataclass
class _Frame:
    """A part of a word up to `stop`. What it says goes to `sink`, None when it counts for nothing."""

    stop: str
    sink: list[str] | None
    raw: bool = False
    close: Callable[[], None] | None = None


@dataclass
class Expansion:
    """Expands one word without a call for each level: a word may be nested thousands deep.

    `unset` are the variables without a value that the text was made of. `quotes` says whether quotes and escapes are
    read as such; `stays` whether a variable without a value stays as it is written, and `${NAME:+word}` is the word.
    """

    text: str
    values: Mapping[str, str]
    escape: str = "\\"
    budget: Budget = field(default_factory=Budget)
    quotes: bool = True
    stays: bool = False
    used: set[str] = field(default_factory=set)
    unset: set[str] = field(default_factory=set)

    def result(self) -> str:
        """Return the text. Raises ReportError if a quote or a brace has no end, or a substitution is none."""
        made: list[str] = []
        self.at, self.frames = 0, [_Frame("", made)]
        while self.at < len(self.text):
            self._step(self.frames[-1], self.text[self.at])
        if len(self.frames) > 1:
            raise ReportError(f"a {self.frames[-1].stop} is missing")
        return "".join(made)

    def _step(self, frame: _Frame, char: str) -> None:
        if char == frame.stop:
            self.at += 1
            self.frames.pop()
            if frame.close:
                frame.close()
        elif char == "$":
            self._dollar(frame)
        elif self.quotes and char == self.escape:
            self._escaped(frame)
        elif self.quotes and frame.stop != '"' and char in "'\"":
            self._quote(frame, char)
        else:
            plain = _PLAIN.match(self.text, self.at)
            self._say(frame, plain[0] if plain else char)
            self.at += len(plain[0]) if plain else 1

    def _say(self, frame: _Frame, text: str) -> None:
        if frame.sink is not None:
            self.budget.take(len(text))
            frame.sink.append(text)

    def _escaped(self, frame: _Frame) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        kept = frame.stop == '"' and following not in ('"', "$", self.escape)
        if frame.raw or (kept and following):
            self._say(frame, self.escape)
        if not kept:
            self._say(frame, following)
        self.at += 1 if kept else 2

    def _quote(self, frame: _Frame, quote: str) -> None:
        self.at += 1
        if quote == '"':
            self.frames.append(_Frame('"', frame.sink, frame.raw))
            return
        end = self.text.find("'", self.at)
        if end < 0:
            raise ReportError("a ' is missing")
        self._say(frame, self.text[self.at : end])
        self.at = end + 1

    def _dollar(self, frame: _Frame) -> None:
        start = self.at
        self.at += 1
        if self._take("{"):
            if self.text[self.at : self.at + 1] in ("{", "}", ":", ""):
                raise ReportError("a ${ without a name")
            name = self._name()
            if self._take("}"):
                self._value(frame, name, start)
            else:
                self._substitution(frame, name)
        elif name := self._name():
            self._value(frame, name, start)
        else:
            self._say(frame, "$")

    def _take(self, char: str) -> bool:
        found = self.text.startswith(char, self.at)
        self.at += len(char) if found else 0
        return found

    def _name(self) -> str:
        start, text = self.at, self.text
        first = text[start : start + 1]
        if first.isdecimal():
            while text[self.at : self.at + 1].isdecimal():
                self.at += 1
        elif first and first in _SPECIAL:
            self.at += 1
        else:
            while (char := text[self.at : self.at + 1]) == "_" or char.isalpha() or char.isdecimal():
                self.at += 1
        return text[start : self.at]

    def _value(self, frame: _Frame, name: str, start: int) -> None:
        if frame.sink is None:
            return
        value = self.values.get(name)
        (self.unset if value is None else self.used).add(name)
        self._say(frame, (self.text[start : self.at] if self.stays else "") if value is None else value)

    def _substitution(self, frame: _Frame, name: str) -> None:
        colon = self._take(":")
        sign = self.text[self.at : self.at + 1]
        self.at += 1
        if not sign or sign not in ("-+?" if colon else "-+?#%/"):
            raise ReportError(f"${{{name[:30]}{':' if colon else ''}{sign}: no such substitution")
        value = self.values.get(name)
        given = value is not None and not (colon and value == "")
        if sign in "#%/":
            self._pattern(frame, name, sign)
            return
        if given and frame.sink is not None:
            self.used.add(name)
        if given and sign != "+":
            self._say(frame, value or "")
        if not given and sign == "?" and frame.sink is not None:
            self.unset.add(name)  # the build stops there, unless an argument is given to it
            self._say(frame, f"${{{name}}}" if self.stays else "")
        # Of a text whose variables nobody knows, what may stand there counts.
        takes = (given or self.stays) if sign == "+" else sign == "-" and not given
        self.frames.append(_Frame("}", frame.sink if takes else None))

    def _pattern(self, frame: _Frame, name: str, sign: str) -> None:
        """Read `${NAME#pattern}`, `%` and `/pattern/replacement`; twice the sign is the longest, or all."""
        twice = self._take(sign)
        pattern: list[str] = []
        other: list[str] = []
        live = frame.sink is not None

        def done() -> None:
            value = self.values.get(name)
            if not live:
                return
            (self.unset if value is None else self.used).add(name)
            if value is None and self.stays:
                self._say(frame, f"${{{name}}}")
                return
            self._say(frame, _cut(value or "", "".join(pattern), sign, twice, "".join(other), self.budget))

        if sign == "/":
            second = _Frame("}", other if live else None, True, done)
            self.frames.append(
                _Frame("/", pattern if live else None, True, lambda: self.frames.append(second)),
            )
        else:
            self.frames.append(_Frame("}", pattern if live else None, True, done))


def _cut(value: str, pattern: str, sign: str, twice: bool, other: str, budget: Budget) -> str:
    globs = _globs(pattern)
    if sign == "#":
        return value[_end(value, 0, globs, twice, budget) or 0 :]
    if sign == "%":
        return value[::-1][_end(value[::-1], 0, globs[::-1], twice, budget) or 0 :][::-1]
    made, at = [], 0
    while at < len(value):
        end = _end(value, at, globs, True, budget)
        if end:
            made.append(other)
        if end and not twice:
            return "".join(made) + value[end:]
        if not end:
            made.append(value[at])
        at = end or at + 1
    return "".join(made)


def _globs(pattern: str) -> list[str]:
    """Return a shell pattern as its parts: "*", "?", and each other character behind a backslash."""
    parts, chars = [], iter(pattern)
    for char in chars:
        if char == "\\":
            char = next(chars, "")
        elif char in "*?":
            parts.append(char)
            continue
        parts.append(f"\\{char}")
    return parts


def _end(value: str, start: int, globs: list[str], longest: bool, budget: Budget) -> int | None:
    """Return where a pattern's match that begins at `start` ends, None without one or when it is empty."""
    states, found = _closed({0}, globs), None
    if not longest and len(globs) in states:
        return None
    for at in range(start, len(value)):
        budget.take(5 * len(states) + 1)
        char = value[at]
        moved = {state if globs[state] == "*" else state + 1 for state in states if _takes(globs, state, char)}
        states = _closed(moved, globs)
        if not states:
            break
        if len(globs) in states:
            found = at + 1
            if not longest:
                break
    return found


def _takes(globs: list[str], state: int, char: str) -> bool:
    return state < len(globs) and globs[state] in ("*", "?", f"\\{char}")


def _closed(states: set[int], globs: list[str]) -> set[int]:
    """Return the states with those behind their stars, which may stand for nothing."""
    closed = set(states)
    for state in states:
        while state < len(globs) and globs[state] == "*":
            state += 1
            closed.add(state)
    return closed


def split_words(text: str, escape: str) -> list[str]:
    """Split at white space outside of quotes; quotes and escapes stay in the words (ENV, ARG)."""
    sign = re.escape(escape)
    word = rf"(?:{sign}.|'[^']*(?:'|\Z)|\"(?:[^\"{sign}]|{sign}.)*(?:\"|{sign}?\Z)|[^{SPACE}'\"{sign}]|{sign}\Z)+"
    return re.findall(word, text, re.DOTALL)


def here_documents(line: str) -> list[tuple[str, bool]]:
    """Return the lines that end the here-documents of a RUN, COPY or ADD, in order, and whether tabs in front of them
    count for nothing. Raises ReportError where only a shell could tell.
    """
    beside = _BESIDE_HERE.search(line)
    if beside and "<<" in line[beside.start() :] and re.search(r"['\"\\]", line[beside.start() :]):
        raise ReportError(_UNSURE)
    found = [match for word in _shell_words(line) if (match := _HERE.fullmatch(word))]
    if found and (beside or any("$" in match[2] for match in found)):
        raise ReportError(_UNSURE)
    if any(re.search(r"<<-?[\t\n\f\r ]", match[0]) for match in found):
        raise ReportError("a blank behind <<, which not every Docker reads; write <<NAME, or 1<<2 for a number")
    names = ((Expansion(match[2], {}).result(), bool(match[1])) for match in found)
    return [(name, tabs) for name, tabs in names if name]


def _shell_words(line: str) -> list[str]:
    """Split at white space outside of quotes, `<< WORD` as one; no words if a quote has no end."""
    words, parts = list[str](), list[str]()
    for match in _TOKEN.finditer(line):
        token = match[0]
        if token in ("'", '"'):
            return []
        if token.strip(SPACE):
            parts.append(token)
        else:
            words.append("".join(parts))
            parts = []
    return [*words, "".join(parts)]
