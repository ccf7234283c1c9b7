"""What is proposed: lines of pipeline.toml and of the environment files, each with what it was inferred from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gates.documents import CONTROL

Value = str | bool | int | float | tuple["Value", ...] | Mapping[str, "Value"]
ALL = ("development", "staging", "production")
ANSWERED = "answered"


@dataclass(frozen=True)
class Entry:
    """A key of pipeline.toml. With an empty `key` it is a comment of its table."""

    table: str
    key: str
    value: Value
    because: str


@dataclass(frozen=True)
class Setting:
    """A key of environment files. `off`: it is written as a comment, for a person to fill in."""

    key: str
    value: str
    because: str
    environments: tuple[str, ...] = ALL
    off: bool = False


@dataclass(frozen=True)
class Found:
    """A row of the table of what was found."""

    what: str
    value: str
    because: str


@dataclass(frozen=True)
class Question:
    """What nobody could know from the files. `default` is what is taken without an answer; `form` is a regular
    expression that an answer matches whole.
    """

    key: str
    ask: str
    default: str
    why: str
    form: str = ".*"


@dataclass(frozen=True)
class Block:
    """What keeps the app from its first release, and the cure."""

    what: str
    cure: str
    because: str = ""


@dataclass
class Draft:
    """The proposal as it grows. `answers` are those of a person, by question."""

    answers: Mapping[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, table: str, key: str, value: Value, because: str) -> None:
        """Propose a key of pipeline.toml."""
        self.entries.append(Entry(table, key, value, because))

    def tell(self, what: str, value: str, because: str) -> None:
        """Add a row of what was found."""
        self.found.append(Found(_line(what), _line(value), _line(because)))

    def block(self, what: str, cure: str, because: str = "") -> None:
        """Add what keeps the app from its first release."""
        one = Block(_line(what), _line(cure), _line(because))
        if one not in self.blocks:
            self.blocks.append(one)

    def note(self, text: str) -> None:
        """Add what a person should know."""
        if (line := _line(text)) not in self.notes:
            self.notes.append(line)

    def ask(self, key: str, ask: str, default: str, why: str, form: str = ".*") -> tuple[str, str]:
        """Return the answer to a question, or its default, and a comment that says which."""
        if key in self.answers:
            return self.answers[key], ANSWERED
        default = _line(default)
        self.questions.append(Question(key, _line(ask), default, _line(why), form))
        return default, f"a guess: {why}"

    def value(self, table: str, key: str) -> Value | None:
        """Return what is proposed for a key so far."""
        return next((one.value for one in self.entries if (one.table, one.key) == (table, key)), None)


def _line(text: str) -> str:
    """Return a text that may hold a stranger's words as one line without control characters."""
    return CONTROL.sub(" ", text)
