"""What a migration has made itself so far: nobody uses it yet, so that it may be done anything to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gates.migrations.sql import Statement, has_schema, last_part, name_at, split_at_commas

TABLE, VIEW, SEQUENCE = "TABLE", "VIEW", "SEQUENCE"
_RELATIONS = (TABLE, VIEW, SEQUENCE)
_CALLED = ("FUNCTION", "PROCEDURE", "AGGREGATE")
_OTHERS = (*_CALLED, "TYPE", "DOMAIN", "SCHEMA")
TABLE_WORDS = frozenset({"TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "FOREIGN"})
# What changes which schema, or whose, a name without one means.
_PATH = frozenset({"search_path", "schema", "role", "authorization", "all", ""})


@dataclass
class Made:
    """What the statements so far have certainly made, by kind and name, and which columns (by table) they added. The
    kind of a function is with its arguments. `reached` are tables, without their schemas, whose rows take those of
    older tables with them.
    """

    things: set[tuple[str, str]] = field(default_factory=set)
    columns: set[tuple[str, str]] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    moved: bool = False
    """Names without a schema may mean other things than before."""

    def has(self, name: str, *kinds: str) -> bool:
        """Say whether a thing of one of these kinds is new."""
        return any((kind, name) in self.things for kind in kinds)

    def rows(self, table: str) -> bool:
        """Say whether the rows of a table are new, and nobody else's depend on them."""
        return self.has(table, TABLE) and not {last_part(table), ""} & self.reached

    def relation(self, name: str) -> bool:
        """Say whether a table, view or sequence is new."""
        return self.has(name, *_RELATIONS)

    def note(self, statement: Statement) -> None:
        """Take in what a statement makes, drops, or calls otherwise."""
        words = statement.words
        if changes_search_path(statement) and not self.moved:
            self.moved = True
            self.things = {one for one in self.things if _is_full(one)}
            self.columns = {one for one in self.columns if has_schema(one[0])}
        if words[0] == "CREATE" and (thing := self._created(words)) and (_is_full(thing) or not self.moved):
            self.things.add(thing)
        elif words[0] == "DROP":
            for name in dropped(words) or ():
                self._forget(name)
        elif words[:2] == ("ALTER", "TABLE"):
            self._altered(words)

    def _forget(self, name: str) -> None:
        self.things -= {(kind, name) for kind in _RELATIONS}

    def _altered(self, words: Sequence[str]) -> None:
        name, at = table_at(words)
        if words[at : at + 2] in (("RENAME", "TO"), ("SET", "SCHEMA")):
            self._forget(name)
        if self.has(name, TABLE):
            return
        if "ON" in words:  # ON DELETE CASCADE, ON UPDATE SET NULL
            named = (name_at(words, place + 1)[0] for place, word in enumerate(words) if word == "REFERENCES")
            self.reached |= {last_part(one) for one in named}
        if name and (has_schema(name) or not self.moved):
            self.columns |= {(name, column) for column in _added(words[at:])}

    def _created(self, words: Sequence[str]) -> tuple[str, str] | None:
        """Return what a statement certainly makes: with IF NOT EXISTS or OR REPLACE it may be there already. What goes
        at the transaction's end leaves its name to another.
        """
        rest = made_words(words)
        kind = VIEW if rest[:2] == ("MATERIALIZED", VIEW) else "".join(rest[:1])
        at = 1 + (rest[0] == "MATERIALIZED") if rest else 0
        if kind not in (*_RELATIONS, *_OTHERS) or rest[at : at + 1] == ("IF",) or words[1:3] == ("OR", "REPLACE"):
            return None
        name, end = name_at(rest, at)
        if kind == TABLE and not self._is_table_of_its_own(words, rest[end:]):
            return None
        return (kind + signature(rest[end:]) * (kind in _CALLED), name) if name else None

    def _is_table_of_its_own(self, words: Sequence[str], after: Sequence[str]) -> bool:
        foreign = "FOREIGN" in words[1:4]
        part = after[:2] == ("PARTITION", "OF") and not self.has(name_at(after, 2)[0], TABLE)
        goes = ("COMMIT", "DROP") in zip(after, after[1:], strict=False)
        return not (foreign or part or goes)


def _is_full(thing: tuple[str, str]) -> bool:
    """Say whether a thing's name means it wherever names are looked for."""
    kind, name = thing
    return kind == "SCHEMA" or has_schema(name)


def made_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words after CREATE, without OR REPLACE and what kind of table it is."""
    rest = tuple(words[1:])
    if rest[:2] == ("OR", "REPLACE"):
        rest = rest[2:]
    while rest and rest[0] in TABLE_WORDS:
        rest = rest[1:]
    return rest


def kind_at(words: Sequence[str]) -> str:
    """Return of what kind that is which an ALTER or DROP names, "" of none."""
    return VIEW if words[1:2] == ("MATERIALIZED",) else "".join(words[1:2])


def table_at(words: Sequence[str]) -> tuple[str, int]:
    """Return the table of an ALTER TABLE, and where its name ends."""
    at = 2
    if words[at : at + 2] == ("IF", "EXISTS"):
        at += 2
    if words[at : at + 1] == ("ONLY",):
        at += 1
    if words[at : at + 1] == ("ALL",):  # ALL IN TABLESPACE
        return "", at
    name, at = name_at(words, at)
    return name, at + (words[at : at + 1] == ("*",))


def dropped(words: Sequence[str]) -> list[str] | None:
    """Return what a DROP of tables, views or sequences names, None of another one or with CASCADE."""
    at = 2 if words[1:2] == ("MATERIALIZED",) else 1
    if "CASCADE" in words or words[at : at + 1] not in ((TABLE,), (VIEW,), (SEQUENCE,)):
        return None
    at += 3 if words[at + 1 : at + 3] == ("IF", "EXISTS") else 1
    return names_in(words[at:])


def names_in(words: Sequence[str]) -> list[str]:
    """Return the names of a list with commas, whatever follows each of them."""
    return [name_at(part, 0)[0] for part in split_at_commas(words)]


def signature(words: Sequence[str]) -> str:
    """Return the arguments of a function as they are told, without their defaults."""
    if words[:1] != ("(",):
        return ""
    depth, found = 0, []
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0:
            break
        found.append(word)
    return "(" + ", ".join(" ".join(_without_default(part)) for part in split_at_commas(found[1:])) + ")"


def _without_default(words: Sequence[str]) -> Sequence[str]:
    ends = [index for index, word in enumerate(words) if word in ("DEFAULT", "=")]
    return words[: ends[0]] if ends else words


def _added(words: Sequence[str]) -> Iterator[str]:
    """Return the columns that an ALTER TABLE certainly adds, by what follows the table."""
    for part in split_at_commas(words):
        rest = part[2:] if part[1:2] == ("COLUMN",) else part[1:]
        if part[:1] == ("ADD",) and rest[:1] not in (("IF",), ("CONSTRAINT",), ("FOREIGN",)) and len(rest) > 1:
            yield name_at(rest, 0)[0]


def changes_search_path(statement: Statement) -> bool:
    """Say whether names without a schema may mean other tables afterwards, or at the transaction's end."""
    words = statement.words
    named = {name_at(words, index)[0].lower() for index in range(1, min(3, len(words)))}
    return (words[0] in ("SET", "RESET") and bool(_PATH & named)) or "SET_CONFIG" in words or '"set_config"' in words
