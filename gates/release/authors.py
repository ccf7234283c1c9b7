"""Addresses of the people who wrote commits: when two are the same, and how one is shown to a person who decides."""

import unicodedata

# Drawn as nothing, though Unicode calls them letters or marks ("default ignorable").
IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | frozenset(
    chr(point) for start, end in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for point in range(start, end + 1)
)
LONGEST_DOMAIN = 253
INVISIBLE = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))


def is_invisible(character: str) -> bool:
    """Return whether a character is drawn as nothing, or turns the text around it."""
    return character in IGNORABLE or unicodedata.category(character) in INVISIBLE


def address_key(address: str) -> str:
    """Return what all spellings of an e-mail address have in common.

    Case, Unicode's compatibility forms, invisible characters, spaces and the two spellings of an international domain
    make no difference.
    """
    visible = _visible(unicodedata.normalize("NFKC", _visible(address)).casefold())
    local, at, domain = unicodedata.normalize("NFKC", visible).strip("<>").rpartition("@")
    return f"{local}{at}{_ascii_domain(domain.rstrip('.'))}"


def _ascii_domain(domain: str) -> str:
    if domain.isascii() or len(domain) > LONGEST_DOMAIN:
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain  # there can be none: the text itself counts


def _visible(text: str) -> str:
    return "".join(one for one in text if not one.isspace() and not is_invisible(one))


def shown_address(address: str) -> str:
    r"""Return an address in which everything but printable ASCII is spelt out, as `\u200b`: one may look like another.

    "no address" when there is none.
    """
    spelt = "".join(one if " " < one < "\x7f" else _spelt(one) for one in address)
    return spelt or "no address"


def shown_name(name: str) -> str:
    r"""Return a name in which what is drawn as nothing is spelt out, as `\u200b`."""
    return "".join(_spelt(one) if is_invisible(one) else one for one in name)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode() if character != " " else "\\u0020"
