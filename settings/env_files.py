"""Parser for the files `config/*.env`: one KEY=value a line."""

import io
from pathlib import Path

from dotenv.parser import Original, parse_stream

from host.errors import ConfigError


def read_env_file(file: Path) -> dict[str, str]:
    """Return the file's keys and values. Raises ConfigError for a malformed line or a duplicate key."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    values: dict[str, str] = {}
    if (at := text.find("\0")) >= 0:
        number = text.count("\n", 0, at) + 1
        raise ConfigError(f"{file}: line {number}: holds a NUL character, which no program can be given")
    for line in parse_stream(io.StringIO(text)):
        # The line itself may be a secret: it is not repeated here.
        if line.error or (line.key is not None and line.value is None):
            raise ConfigError(f"{file}: line {_number(line.original)}: expected KEY=value")
        if line.key is None:
            continue
        if line.key in values:
            raise ConfigError(f"{file}: {line.key}: stands there twice, again in line {_number(line.original)}")
        values[line.key] = line.value or ""
    return values


def _number(original: Original) -> int:
    """Return the number of the line in which a binding begins: blank lines before it belong to it."""
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")
