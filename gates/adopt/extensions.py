"""The extensions of PostgreSQL that the app's migrations create."""

import re
from collections.abc import Mapping

from gates.adopt.tree import line_of

SQL = re.compile(r"create\s+extension\s+(?:if\s+not\s+exists\s+)?\\?[\"']?([a-z][a-z0-9_-]{0,62})", re.IGNORECASE)
CALL = re.compile(r"\bCreateExtension\(\s*(?:name\s*=\s*)?[\"']([a-z][a-z0-9_-]{0,62})[\"']")
# django.contrib.postgres.operations
OPERATIONS = {
    "BloomExtension": "bloom",
    "BtreeGinExtension": "btree_gin",
    "BtreeGistExtension": "btree_gist",
    "CITextExtension": "citext",
    "CryptoExtension": "pgcrypto",
    "HStoreExtension": "hstore",
    "TrigramExtension": "pg_trgm",
    "UnaccentExtension": "unaccent",
}
ALWAYS = "plpgsql"  # in every database


def created_extensions(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the extensions that files of migrations create, each with the file and line of one that does."""
    found: dict[str, str] = {}
    for file, text in sorted(texts.items()):
        named = {match[1].lower(): match[0] for pattern in (SQL, CALL) for match in pattern.finditer(text)}
        named |= {name: f"{one}(" for one, name in OPERATIONS.items() if f"{one}(" in text}
        for name, written in named.items():
            found.setdefault(name, f"{file}:{line_of(text, re.escape(written))}")
    found.pop(ALWAYS, None)
    return dict(sorted(found.items()))
