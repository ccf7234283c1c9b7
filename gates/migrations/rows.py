"""Does what a migration asked of an empty database depend on the rows of the one that it will run on?"""

import re

# What a query reads, up to its next part.
_SOURCES = re.compile(
    r"\b(?:from|join)\b(.*?)(?=\b(?:from|join|where|on|order|group|limit|union|left|right|inner|cross|full)\b|[;)]|$)"
)
_CATALOG = re.compile(r"(?:only |lateral )?(?:pg_|information_schema\.|unnest\(|generate_series\()")
_OF_OTHERS = re.compile(r"\b(?:select|table|from|conflict)\b")


def reads_rows(statement: str) -> bool:
    """Return whether what a statement returns may be other where there are rows.

    The catalog is that of the same schema, and what an INSERT of values returns is its own.
    """
    text = " ".join(statement.lower().replace('"', "").split())
    if text.startswith("insert "):
        return bool(_OF_OTHERS.search(text))
    if not text.startswith(("select ", "with ", "show ", "values ")) or re.search(r"\btable [a-z_]", text):
        return True
    read = [item.strip() for sources in _SOURCES.findall(text) for item in sources.split(",")]
    return not all(not item or item.startswith(("(", "lateral (")) or _CATALOG.match(item) for item in read)
