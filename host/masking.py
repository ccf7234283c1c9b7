"""Masking of secrets that are known by value: those of an environment, and those that a document itself declares.

A secret is masked wherever it stands, and so is every part of it of PART characters and more: a message may cut it. It
is also known as JSON, HTML, percent-encoding and base64 write it. What is shorter than SHORTEST_SECRET, and a word that
everybody knows (ORDINARY), is no secret: masking it would hide nothing, and spoil every text.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|AUTH(?!OR)"
    r"|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|FERNET|JWT|AES|HMAC|ACCOUNT|STORAGE|LICEN[CS]E|APP)[_-]?KEY"
    r"|(?:^|[_-])(?:PASS|SALT|PEPPER)(?:[_-]|\d*$)|[_-]PWD(?:[_-]|\d*$)|ERLANG_COOKIE",
    re.I,
)
# What is named like a secret and says where one is, or how it is used.
ABOUT_A_SECRET = re.compile(r"_(?:FILE|PATH|DIR|SOCK|USER|HOST|PORT|TYPE|ALGORITHM|HEADER|SECONDS|MINUTES|DAYS)$", re.I)
SHORTEST_SECRET = 6
PART = 8
# Of the places at every fifth character, one begins four characters that lie within any part: only there is looked.
INNER = 4
STEP = PART - INNER + 1
MASK = "***"
# Words that stand in ordinary texts, some of them as a password. A part of a secret that lies in one of them is none.
ORDINARY = frozenset(
    "password passwords passwd secrets changeme changeit postgres postgresql postgresql:// postgresql+ mysql:// "
    "mongodb:// rabbitmq localhost 127.0.0.1 username database databases production development staging disabled "
    "enabled required generated authorization authentication credential credentials placeholder https:// "
    "http://localhost example example.com default administrator secret_key secret-key access_token access-token "
    "token_urlsafe api_key api-key private_key private-key database_url environment settings version string "
    "12345678 123456789 1234567890 00000000 slipway: -----begin-----end-----".split()
) | {
    f"-----{edge} {kind}{half} key-----"
    for edge in ("begin", "end")
    for kind in ("", "rsa ", "ec ", "dsa ", "openssh ", "encrypted ")
    for half in ("private", "public")
}
_ORDINARY_PARTS = frozenset(word[at : at + PART] for word in ORDINARY for at in range(len(word) - PART + 1))
# What we write ourselves: no secret lies in it, and none is made by it.
_MASKS = re.compile(r"(\*{3,})")
_LONGEST_ENCODED = 512
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"}
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", re.S)
_PEM = re.compile(r"-----BEGIN ")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """Return the secrets of an environment, longest first: values of variables named like one (of JSON and PEM what is
    secret in them), and passwords in addresses.
    """
    secrets: set[str] = set()
    for name, value in environment.items():
        if SECRET_NAME.search(name) and not ABOUT_A_SECRET.search(name):
            secrets.update(_of_value(value))
        secrets.update(_of_addresses(value))
        secrets.update(_of_pairs(value))
    return _ordered(secrets)


def secret_texts(content: bytes) -> list[str]:
    """Return what is secret of a file that holds a secret: the lines of private keys, else all of it, and what follows
    a user's name; of bytes, how they would be written.
    """
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        return [content.hex(), *_in_base64(content)]
    return _ordered({*_of_value(text), *([] if _PEM.search(text) else [text.partition(":")[2]])})


def _ordered(secrets: Iterable[str]) -> list[str]:
    counted = (one for one in secrets if len(one) >= SHORTEST_SECRET and one.lower() not in ORDINARY)
    return sorted(counted, key=len, reverse=True)


def _of_value(value: str) -> Iterator[str]:
    if _PEM.search(value):
        for block in _PRIVATE_KEY.findall(value.replace("\\n", "\n")):
            yield from block.split()
    elif value[:1] in ("{", "["):
        try:
            yield from _leaves(json.loads(value))
        except (ValueError, RecursionError):
            yield value
    elif _SCHEME.match(value):
        # The whole address may be the secret; its host, and words of its path, are none.
        parts = re.split(r"[/?&=#]", value.partition("://")[2].partition("/")[2])
        yield from (part for part in parts if len(part) >= 2 * PART and re.search(r"\d", part))
    else:
        yield value


def _leaves(value: Any, secret: bool = True) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaves(one, bool(SECRET_NAME.search(str(name))))
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, secret)
    elif isinstance(value, str) and secret:
        yield from _of_value(value)


# --- What a document declares ---------------------------------------------------------------------------------------

# A password may hold a slash that nobody encoded; a port and what follows it are none.
_ADDRESS = re.compile(
    r"\b([a-z][a-z0-9+.-]{1,40})://"
    r"([^\s/?#\"'<>`\\]{1,512}|[^\s/?#:\"'<>`\\]{1,128}:(?!\d+/)[^\s?#\"'<>`\\]{1,512})@",
    re.I,
)
_NOUN = (
    r"(?:passw(?:or)?d|passphrase|pwd|(?<![a-z])pass|secret(?:[_-]?key)?|token|credentials?"
    r"|(?:api|access|private|signing|encryption|fernet|auth|jwt|account)[_-]?key)"
)
_DECLARED = re.compile(
    rf"{_NOUN}(?:[_-]?(?:v?\d{{1,2}}|base|prod(?:uction)?|staging|dev|test|old|new|default|value))?"
    r"\\?[\"']?\]?[ \t]{0,8}(?::[ \t]{0,8}[\w.\[\]| ]{1,40}=|[:=]|[ \t])[ \t]{0,8}"
    r"(?:[\w.]{1,40}\([ \t]{0,8}(?:default=)?)?"
    r"(?:[rbu]{0,2}\\?\"(?P<double>[^\"\n\\]{1,512}+)|[rbu]{0,2}\\?'(?P<single>[^'\n\\]{1,512}+)"
    r"|(?P<bare>[^\s\"'#,;()\[\]{}<>\\]{1,512}+)[ \t]{0,8}+(?:#[^\n]*)?$)",
    re.I | re.M,
)
# Both on one line, without blanks: in connection strings, in addresses and before a command.
_PAIR = re.compile(rf"{_NOUN}=(?P<value>[^\s\"'`,;&()\[\]{{}}<>\\]{{1,512}}+)", re.I)
# What follows a name on its line: the value may be the default of a call, or come behind `or`, `else` and `==`.
_NAMED = re.compile(rf"{_NOUN}(?:[_-]\w{{1,20}})?(?:\\?[\"'])?[\])]?[ \t]{{0,8}}(?:[:=!]=?|[,(])", re.I)
_ABOUT_IN_LINE = re.compile(
    r"[_-](?:url|uri|endpoint|name|label|help|title|file|path|dir|user|host|port|type|algorithm|header)\W*\Z", re.I
)
_QUOTED = re.compile(r"\"(?:\"\")?(?P<double>[^\"\n]{0,512}+)\"(?:\"\")?|'(?:'')?(?P<single>[^'\n]{0,512}+)'(?:'')?")
_BLOCK = re.compile(rf"{_NOUN}[\"']?:[ \t]{{0,8}}[|>][+-]?\d?[ \t]*\n[ \t]+(?P<value>[^\s]{{1,512}}+)", re.I)
_TEMPLATE = re.compile(r"\$\{|\$\(|\{\{|\{%|^\$\w+$|^%\(|^<.*>$|^\{[\w.]*\}$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_.]*\Z")


def declared_secrets(text: str) -> list[str]:
    """Return the secrets that a document declares, longest first: passwords in addresses, and values whose key is named
    like a secret, in any of the forms of an env file, YAML, TOML, INI, JSON and Python. Linear in its length.
    """
    found = set(_of_addresses(text))
    for match in _DECLARED.finditer(text):
        value = match["double"] or match["single"] or match["bare"]
        # Of a lower-case key a bare name is a name of the program, and a word between quotes is a label.
        if not (match[0][0].islower() and _NAME.match(value)) and not _TEMPLATE.search(value):
            found.update(_of_value(value))
    found.update(_of_pairs(text))
    found.update(_of_lines(text))
    found.update(match["value"] for match in _BLOCK.finditer(text))
    return _ordered(found)


def _of_pairs(text: str) -> Iterator[str]:
    for match in _PAIR.finditer(text):
        value = match["value"]
        if not (match[0][0].islower() and _NAME.match(value)) and not _TEMPLATE.search(value):
            yield value


def _of_lines(text: str) -> Iterator[str]:
    """Yield what stands between quotes behind a name that is one of a secret, on its line: all but names."""
    for line in text.split("\n"):
        named = _NAMED.search(line)
        if named and not _ABOUT_IN_LINE.search(named[0]):
            for match in _QUOTED.finditer(line):
                value = match["double"] or match["single"] or ""
                if match.start() > named.start() and not _NAME.match(value) and not _TEMPLATE.search(value):
                    yield from _of_value(value)


def _of_addresses(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    for scheme, user_info in _ADDRESS.findall(text):
        user, colon, password = user_info.partition(":")
        # Without a password the user is one where a token is sent so.
        token = "" if colon or not scheme.lower().startswith(("http", "git+http")) else user
        if not _TEMPLATE.search(password or token):
            yield from {password or token, unquote(password or token)}


# --- Masking --------------------------------------------------------------------------------------------------------


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return text with each secret, and each part of one of PART characters and more, replaced by ***. To repeat it
    changes nothing. Linear in the text's length, however many secrets there are.
    """
    return _mask(tuple(secrets)).over(text)


def whole_before(text: str, secrets: Iterable[str]) -> int:
    """Return where a text that goes on may be cut: no secret lies across, and none that the rest may still complete
    begins before.
    """
    mask = _mask(tuple(secrets))
    at = max(len(text) - mask.longest, 0)
    return next((start for start, end in mask.found(text) if start < at < end), at)


@lru_cache(maxsize=32)
def _mask(secrets: tuple[str, ...]) -> "_Mask":
    return _Mask(secrets)


class _Mask:
    """What to look for: all parts of PART characters, and whole those that have no such part."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._parts: set[str] = set()
        self._whole: set[str] = set()
        forms = {form for secret in secrets for one in _without_masks(secret) for form in _forms(one)}
        self.longest = max(map(len, forms), default=0)
        for form in forms:
            parts = {form[at : at + PART] for at in range(len(form) - PART + 1)}
            telling = {part for part in parts if part.lower() not in _ORDINARY_PARTS and re.search(r"\w", part)}
            self._parts |= telling
            if telling != parts or not parts:
                self._whole.add(form)
        self._inner = {part[at : at + INNER] for part in self._parts for at in range(STEP)}

    def over(self, text: str) -> str:
        """Return the text masked."""
        if not (self._parts or self._whole):
            return text
        pieces = _MASKS.split(text)
        pieces[::2] = [self._piece(piece) if len(piece) >= SHORTEST_SECRET else piece for piece in pieces[::2]]
        return "".join(pieces)

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets and parts of them stand, first and end."""
        return _joined(self._places(text))

    def _piece(self, text: str) -> str:
        kept, at = [], 0
        for start, end in self.found(text):
            kept += [text[at:start], MASK]
            at = end
        return "".join([*kept, text[at:]])

    def _places(self, text: str) -> list[tuple[int, int]]:
        inner, last = self._inner, len(text) - PART
        near = [at for at in range(0, len(text) - INNER + 1, STEP) if text[at : at + INNER] in inner]
        starts = (start for at in near for start in range(max(at - STEP + 1, 0), min(at, last) + 1))
        places = [(start, start + PART) for start in starts if text[start : start + PART] in self._parts]
        for form in self._whole:
            at = text.find(form)
            while at >= 0:
                places.append((at, at + len(form)))
                at = text.find(form, at + 1)
        return sorted(places)


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield places, sorted, with those that overlap or touch as one."""
    start = end = -1
    for first, last in places:
        if first > end:
            if end >= 0:
                yield start, end
            start = first
        end = max(end, last)
    if end >= 0:
        yield start, end


def _without_masks(secret: str) -> Iterator[str]:
    """Yield a secret's parts between what we write ourselves."""
    for part in _MASKS.split(secret)[::2]:
        plain = part.strip("*")
        if len(plain) >= SHORTEST_SECRET and plain.lower() not in ORDINARY:
            yield plain


def _forms(secret: str) -> set[str]:
    """Return how a secret may be written."""
    in_address = quote(secret, safe="", errors="surrogatepass")
    forms = {secret, in_address, re.sub("%..", lambda code: code[0].lower(), in_address), unquote(secret)}
    forms |= {quote(secret, errors="surrogatepass")}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    forms |= {repr(secret)[1:-1], repr(secret.encode(errors="surrogatepass"))[2:-1]}
    # An HTML form's, those of Jinja and of Django's escapejs, of Go's and PHP's JSON, of configparser and of compose.
    forms |= {quote_plus(secret, errors="surrogatepass"), "".join(_ENTITIES.get(one, one) for one in secret)}
    forms |= {
        _in_json(secret, "<>&"),
        _in_json(secret, "<>&'\"=;-`\u2028\u2029"),
        json.dumps(secret)[1:-1].replace("/", r"\/"),
    }
    forms |= {secret.replace("%", "%%"), secret.replace("$", "$$")}
    if PART <= len(secret) <= _LONGEST_ENCODED:
        raw = secret.encode("utf-8", "surrogatepass")
        forms |= {*_in_base64(raw), raw.hex(), raw.hex().upper()}
    return {form for form in forms if len(form) >= SHORTEST_SECRET and form.lower() not in ORDINARY}


def _in_json(secret: str, escaped: str) -> str:
    """Return a text as a writer of JSON does who escapes some more characters."""
    return "".join(f"\\u{ord(one):04x}" if one in escaped else json.dumps(one)[1:-1] for one in secret)


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield what bytes are in base64, after 0, 1 and 2 others: those characters that they alone decide."""
    for before in range(3):
        code = base64.b64encode(b"\0" * before + raw).decode()
        inside = code[-(-8 * before // 6) : (before + len(raw)) * 8 // 6]
        yield from {inside, inside.replace("+", "-").replace("/", "_")}
