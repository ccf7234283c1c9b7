"""What the rules of config/kingfisher have in common: the names of secrets, and how a value stands behind one.

The rules name a part as {{NAMED}}; `filled` lays it in. All are for `(?x)`, in the syntax of Rust's `regex`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_KEYS = (
    "secret api access private signing encryption jwt auth fernet hmac session aes account master app licen[cs]e"
).split()
_ENDS = (
    "base prod production staging dev old new default value fallbacks? primary secondary current previous live b64"
    " base64"
).split()
_PASSWORDS = ("passw(?:or)?d", "passphrase", r"(?:\b|_)pass", "(?-i:[a-z]Pass)", "pwd", "pw")
_OTHERS = (
    *("secret", "token", "credentials?", "pepper", "erlang_?cookie", "password[_-]?salt", "azure_storage_key"),
    "(?:redis|basic|http)[_-]?auth",
)
_NAMES = "|".join((*_PASSWORDS, *_OTHERS, f"(?:{'|'.join(_KEYS)})[_-]?key"))
# The same in capitals alone: in a row of words, `token: x` is prose, and `TOKEN: x` a variable.
_CAPITALS = (
    "PASSW(?:OR)?D|PASSPHRASE|_PASS|PWD|SECRET|TOKEN|PEPPER|ERLANG_COOKIE|PASSWORD_SALT|AZURE_STORAGE_KEY"
    "|(?:REDIS|BASIC)_AUTH"
    f"|(?:{'|'.join(_KEYS).upper()})_?KEY"
)
_END = rf"(?: [_-]? (?: v?[0-9]{{1,2}} | {' | '.join(_ENDS)} ) )?"
_MADE_OF = (
    r"Secret(?:Str|Bytes|Value)? | Field | Param | Query | Form | Body | Header | Cookie | Option | Argument | str"
    r" | bytes | fromhex | unhexlify | [a-z0-9_]{0,12}b(?:16|32|64|85)_?decode | atob | Buffer\.from"
)
# What may stand between a name and its sign of equality: `"]`, and a type.
_AFTER = r"""(?: \\{0,2} ["'] )? \]? [\x20\t]*"""
_TYPED = r"""(?: : [\x20\t]* [a-z_.|\x20]+ (?: \[ [^\n"'`]+ \] )? [a-z_.|\x20]* )?"""

FRAGMENTS: Mapping[str, str] = MappingProxyType(
    {
        # A name, from where it says that it is a secret's.
        "NAMED": f"(?: {_NAMES} ) {_END}",
        "CAPITALS": f"(?: {_CAPITALS} ) (?: _?[0-9]{{1,2}} | _(?:{'|'.join(_ENDS).upper()}) )?",
        # What stands between a name and what it is made equal, or compared, to.
        "AFTER": _AFTER,
        "TYPED": _TYPED,
        "IS": rf"{_AFTER} (?: {_TYPED} = | := | => | [=!]==? | : ) (?: \s | \\\r?\n )* [(\[]? \s*",
        # A text between quotes (of a string within a string, too), of seven characters or more.
        "TEXT": (
            rf"(?: [a-z0-9_.]* (?: {_MADE_OF} ) \( \s* (?: default \s* = \s* )? ){{0,2}}"
            r""" [rbuf]{0,2} \\{0,2} (?: "{3} | '{3} | ["'`] ) ( [^\s"'`\\]{7,200} ) \\{0,2} ["'`]"""
        ),
        # A text that has blanks. Its quote comes along: by that gates/scans/placeholders.py knows it for a text, which
        # is none that can be read.
        "WORDS": (
            r"""[rbuf]{0,2} \\{0,2} ( ["'] [^\s"'`\\] [^"'`\\\r\n]{0,100} \x20 [^"'`\\\r\n]{0,100} [^\s"'`\\] )"""
            r""" \\{0,2} ["']"""
        ),
        # A value without quotes, and without blanks.
        "BARE": r"""( (?: [^\s"'`\\$] | \$ [^\s"'`\\({$] ) [^\s"'`\\<>]{5,200} [^\s"'`\\<>,;{] )""",
        "LINE_END": r"(?: [\x20\t]* \x23 [^\n]* | [\x20\t]+ ; [^\n]* )? [\x20\t]* \r? $",
    }
)


def filled(text: str) -> str:
    """Return the rules with their parts laid in. Raises KeyError for a part that there is none of."""
    return re.sub(r"\{\{([A-Z_]+)\}\}", lambda part: FRAGMENTS[part[1]], text)
