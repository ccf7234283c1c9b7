"""A migration's SQL as statements, and each as words: what stands in texts, comments and names is no keyword.

The words are those of sqlglot's tokenizer for PostgreSQL. Where it reads a place otherwise than PostgreSQL (scan.l),
the SQL counts as unreadable: a statement could hide there (docs/decisions, 0039).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

MOST_CHARACTERS = 2_000_000  # of one revision's SQL; sqlglot reads 300,000 and more in a second
CODED = "U&"  # begins a name that is written with numbers of its characters
TEXT = "'"  # stands for a text, whatever is in it
_TEXTS = frozenset(
    {
        TokenType.STRING,
        TokenType.BYTE_STRING,
        TokenType.UNICODE_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.BIT_STRING,
        TokenType.HEX_STRING,
        TokenType.HEREDOC_STRING,
        TokenType.RAW_STRING,
    }
)


class UnreadableSql(ValueError):
    """SQL that nobody can split into statements; the message says why."""


class _Tokenizer(Postgres.Tokenizer):
    """PostgreSQL's, without keywords: each word is a token of its own, and so is each character of an operator."""

    COMMANDS: ClassVar[set[TokenType]] = set()
    KEYWORDS: ClassVar[dict[str, TokenType]] = {}


_LETTER = "A-Za-z_\\x80-\U0010ffff"
_SPACE = re.compile(r"[ \t\n\r\f\v]+|--[^\n\r]*|/\*")
_COMMENT = re.compile(r"/\*|\*/|[^/*]+|[/*]")
_LEXEME = re.compile(
    rf"""[eE]'(?:[^'\\]|\\.|'')*+'
    | (?:[uU]&|[bBnNxX])?'(?:[^']|'')*+'
    | "(?:[^"]|"")*+"
    | (?P<quote>\$(?:[{_LETTER}][{_LETTER}0-9]*+)?\$)
    | [{_LETTER}][{_LETTER}0-9$]*+
    | [0-9][0-9A-Za-z_.]*+
    | \$(?=[0-9])
    | (?!--|/\*)[-+*/<>=~!@\#%^&|`?:;,.()\[\]]""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = "standard_conforming_strings"
_PLAINLY = re.compile(rf"set (?:(?:local|session) )?{_PLAIN} ?(?:=|to) ?'?(?:on|true)'?", re.IGNORECASE)
_OPEN, _CLOSED = ("(", "["), (")", "]")


@dataclass(frozen=True)
class Statement:
    """One statement. `text`: as it is written, on one line. `words`: keywords and plain names in upper case, a quoted
    name in its double quotes (behind `U&` if it is written so), a text as TEXT, everything else as it is, an operator
    as its characters. `texts`: what those texts say, in order. `start` and `end`: where it stands in the SQL.
    """

    text: str
    words: tuple[str, ...]
    texts: tuple[str, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    def starts(self, *words: str) -> bool:
        """Say whether these are the first words."""
        return self.words[: len(words)] == words


def statements(sql: str) -> list[Statement]:
    """Split at semicolons outside texts, names and comments.

    Raises UnreadableSql for what PostgreSQL's own reader would not read, or not in this way: a text, name or comment
    that does not end, a character that is none of SQL's, psql's commands; for a bracket without its other one; and for
    more than MOST_CHARACTERS.
    """
    if len(sql) > MOST_CHARACTERS:
        raise UnreadableSql(f"{len(sql)} characters of SQL, more than {MOST_CHARACTERS}: nobody judges as much")
    try:
        tokens = _Tokenizer(dialect=Postgres()).tokenize(sql)
    except (SqlglotError, RecursionError) as error:
        raise UnreadableSql(f"cannot be read as SQL: {str(error)[:100]}") from error
    _compare(sql, tokens)
    found = [_statement(part, sql) for part in _split(tokens)]
    for one in found:
        _check_brackets(one)
        _check_setting(one)
    return found


def _compare(sql: str, tokens: Sequence[Token]) -> None:
    """Raise UnreadableSql at the first token, or place between two, that PostgreSQL would read otherwise."""
    at, before = 0, ""
    for token in tokens:
        end = token.end + 1
        if _space_end(sql, at, token.start) != token.start or _lexeme_end(sql, token.start) != end:
            raise UnreadableSql(_where("it cannot be read as PostgreSQL reads it", sql, at))
        # Texts in a row are one, and the first one's rules of backslashes hold for all.
        if sql[token.start] == "'" and before in ("e'", "E'"):
            raise UnreadableSql(_where("a text goes on after E'...'", sql, token.start))
        at, before = end, sql[token.start : token.start + 2]
    if _space_end(sql, at, len(sql)) != len(sql):
        raise UnreadableSql(_where("it cannot be read as PostgreSQL reads it", sql, at))


def _where(trouble: str, sql: str, at: int) -> str:
    line = sql.count("\n", 0, at) + 1
    return f"line {line}: {trouble}: {' '.join(sql[at : at + 60].split())}"


def _space_end(sql: str, at: int, end: int) -> int:
    """Return where white space and whole comments end that begin at `at`, which is beyond `end` if they are longer."""
    depth = 0
    while at < end:
        found = (_COMMENT if depth else _SPACE).match(sql, at)
        if found is None:
            break
        depth += (found[0] == "/*") - (found[0] == "*/")
        at = found.end()
    return -1 if depth else at


def _lexeme_end(sql: str, at: int) -> int:
    """Return where PostgreSQL's token ends that begins at `at`, -1 for none."""
    found = _LEXEME.match(sql, at)
    if found is None:
        return -1
    if quote := found["quote"]:
        end = sql.find(quote, found.end())
        return end + len(quote) if end >= 0 else -1
    return found.end()


def _split(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            part.append(token)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _statement(tokens: Sequence[Token], sql: str) -> Statement:
    start, end = tokens[0].start, tokens[-1].end + 1
    texts = tuple(token.text for token in tokens if token.token_type in _TEXTS)
    return Statement(" ".join(sql[start:end].split()), tuple(_words(tokens)), texts, start, end)


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    """Return the words. `U&"..."` is one: a name that only the database can read."""
    skip = 0
    for index, token in enumerate(tokens):
        if skip:
            skip -= 1
        elif _is_coded(tokens[index : index + 3]):
            skip = 2
            yield CODED + _word(tokens[index + 2])
        else:
            yield _word(token)


def _is_coded(three: Sequence[Token]) -> bool:
    if len(three) < 3 or three[0].text.upper() != "U" or three[1].text != "&":
        return False
    quoted = [token.token_type is TokenType.IDENTIFIER for token in three]
    return quoted == [False, False, True] and three[0].end + 1 == three[1].start and three[1].end + 1 == three[2].start


def _word(token: Token) -> str:
    if token.token_type in _TEXTS:
        return TEXT
    if token.token_type is TokenType.IDENTIFIER:
        return '"' + token.text.replace('"', '""') + '"'
    return fold(token.text, str.upper)


def fold(name: str, how: Callable[[str], str]) -> str:
    """Change the case of ASCII letters alone, as PostgreSQL does: `\u212a` is no `k`, and `\xdf` is not `ss`."""
    return how(name) if name.isascii() else "".join(how(one) if one.isascii() else one for one in name)


def _check_brackets(statement: Statement) -> None:
    depth = 0
    for word in statement.words:
        depth += (word in _OPEN) - (word in _CLOSED)
        if depth < 0:
            break
    if depth:
        raise UnreadableSql(f"a bracket without its other one: {statement.text[:60]}")


def _check_setting(statement: Statement) -> None:
    """Without this setting, which is on by default, a backslash in a plain text means something."""
    named = [word for word in (*statement.words, *statement.texts) if _PLAIN in word.lower()]
    if named and not _PLAINLY.fullmatch(statement.text):
        raise UnreadableSql(f"{_PLAIN} is changed: {statement.text[:60]}")


def split_at_commas(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Split at the commas outside brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word in _OPEN) - (word in _CLOSED)
        if word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part) for part in parts]


def outside_brackets(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that stand in no brackets; the brackets themselves go, too."""
    found, depth = [], 0
    for word in words:
        if word in _OPEN:
            depth += 1
        elif word in _CLOSED:
            depth -= 1
        elif depth == 0:
            found.append(word)
    return tuple(found)


def name_at(words: Sequence[str], index: int) -> tuple[str, int]:
    """Return the name that begins at `index`, as PostgreSQL compares names, and where it ends.

    A plain name is folded to lower case, a quoted one is as it stands: `Users` and `"Users"` are two tables. "" for one
    that only the database can read (`U&"..."`), and for a bracket.
    """
    parts: list[str] = []
    coded = False
    while index < len(words):
        word = words[index]
        coded = coded or word.startswith(CODED) or word in _OPEN
        parts.append(word[1:-1].replace('""', '"') if word.startswith('"') else fold(word, str.lower))
        index += 1
        if index >= len(words) or words[index] != ".":
            break
        index += 1
    return "" if coded else ".".join(part.replace(".", "..") for part in parts), index


def brackets(words: Sequence[str]) -> dict[int, int]:
    """Return where each bracket has its other one, both ways."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for index, word in enumerate(words):
        if word in _OPEN:
            opened.append(index)
        elif word in _CLOSED and opened:
            found[index] = opened.pop()
            found[found[index]] = index
    return found


def until(words: Sequence[str], *ends: str) -> Sequence[str]:
    """Return the words before the first of `ends` that stands in no brackets; all of them without one. `IS DISTINCT
    FROM` is an operator.
    """
    depth = 0
    for index, word in enumerate(words):
        depth += (word in _OPEN) - (word in _CLOSED)
        if depth == 0 and word in ends and not (word == "FROM" and index and words[index - 1] == "DISTINCT"):
            return words[:index]
    return words


def last_part(name: str) -> str:
    """Return a name, as `name_at` returns it, without its schema."""
    return name.replace("..", "\0").rpartition(".")[2].replace("\0", "..")


def has_schema(name: str) -> bool:
    """Say whether a name, as `name_at` returns it, says in which schema it lies."""
    return "." in name.replace("..", "")
