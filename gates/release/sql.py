"""A migration's SQL as statements, and each as words: what stands in texts, comments and names is no keyword.

The words are those of sqlglot's tokenizer for PostgreSQL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

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


class _Tokenizer(Postgres.Tokenizer):  # type: ignore[misc]
    """PostgreSQL's, which reads the rest of every statement, too."""

    COMMANDS: set[TokenType] = set()


@dataclass(frozen=True)
class Statement:
    """One statement. `text`: as it is written, on one line. `words`: keywords and plain names in upper case, a quoted
    name in its double quotes, a text as TEXT, everything else as it is. `texts`: what those texts say, in order.
    """

    text: str
    words: tuple[str, ...]
    texts: tuple[str, ...] = ()

    def starts(self, *words: str) -> bool:
        """Say whether these are the first words."""
        return self.words[: len(words)] == words


def statements(sql: str) -> list[Statement]:
    """Split at semicolons outside texts, names and comments. Raises UnreadableSql for a text, name or comment that does
    not end, or a character that is none of SQL's.
    """
    try:
        tokens = _Tokenizer(dialect=Postgres()).tokenize(sql)
    except (SqlglotError, RecursionError) as error:
        raise UnreadableSql(f"cannot be read as SQL: {str(error)[:100]}") from error
    return [_statement(part, sql) for part in _split(tokens)]


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
    written = sql[tokens[0].start : tokens[-1].end + 1]
    texts = tuple(token.text for token in tokens if token.token_type in _TEXTS)
    return Statement(" ".join(written.split()), tuple(word for token in tokens for word in _words(token)), texts)


def _words(token: Token) -> list[str]:
    """The tokenizer makes one token of `FOREIGN KEY` and its like."""
    if token.token_type in _TEXTS:
        return [TEXT]
    if token.token_type is TokenType.IDENTIFIER:
        return ['"' + token.text.replace('"', '""') + '"']
    return token.text.upper().split()


def split_at_commas(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Split at the commas outside brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part) for part in parts]


def outside_brackets(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that stand in no brackets; the brackets themselves go, too."""
    found, depth = [], 0
    for word in words:
        if word in ("(", "["):
            depth += 1
        elif word in (")", "]"):
            depth -= 1
        elif depth == 0:
            found.append(word)
    return tuple(found)


def name_at(words: Sequence[str], index: int) -> tuple[str, int]:
    """Return the name that begins at `index`, as PostgreSQL compares names, and where it ends. `public.` goes.

    A plain name is folded to lower case, a quoted one is as it stands: `Users` and `"Users"` are two tables.
    """
    parts: list[str] = []
    while index < len(words):
        word = words[index]
        parts.append(word[1:-1].replace('""', '"') if word.startswith('"') else word.lower())
        index += 1
        if index >= len(words) or words[index] != ".":
            break
        index += 1
    if len(parts) > 1 and parts[0] == "public":
        parts = parts[1:]
    return ".".join(part.replace(".", "..") for part in parts), index
