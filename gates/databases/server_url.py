"""URLs of external database servers, read strictly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gates.databases.address import MYSQL_PORT, PORT, Family, Server

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
SOCKET = re.compile(r"/[A-Za-z0-9_.@+/-]{1,100}")
NAME = re.compile(r"[A-Za-z0-9_.$-]{1,63}")
FILE = re.compile(r"/[A-Za-z0-9_./+-]+")
SECONDS = re.compile("[1-9][0-9]{0,2}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
LONGEST = 2000
# A socket's directory is bound into the app's sandbox: not one that belongs to everybody.
COMMON = tuple(f"/{name}" for name in "dev etc home run root srv tmp var var/lib var/run var/tmp".split())


@dataclass(frozen=True)
class UrlRules:
    """What may stand in a URL of one family. `values`: the allowed keys of the query and their values; `others`: other
    names of those; `socket`: the key that names the unix socket instead of a host.
    """

    family: Family
    schemes: tuple[str, ...]
    port: int
    socket: str
    expected: str
    values: Mapping[str, re.Pattern[str]]
    others: Mapping[str, str]


# Nothing of the allowed options sends the app elsewhere, reads a file of this host's user or changes a session, as
# options=, service=, passfile=, hostaddr=, user=, read_default_file=, init_command= or local_infile= would.
POSTGRESQL = UrlRules(
    Family.POSTGRESQL,
    ("postgresql", "postgres"),
    PORT,
    "host",
    "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...",
    {
        "sslmode": re.compile("disable|allow|prefer|require|verify-ca|verify-full"),
        "sslrootcert": FILE,
        "channel_binding": re.compile("disable|prefer|require"),
        "connect_timeout": SECONDS,
        "application_name": re.compile("[A-Za-z0-9_.-]{1,63}"),
    },
    {},
)
SSL_MODES = {
    **{mode: mode for mode in ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")},
    **dict.fromkeys(("TRUE", "1"), "REQUIRED"),
    **dict.fromkeys(("FALSE", "0"), "DISABLED"),
}
CHECKED = ("VERIFY_CA", "VERIFY_IDENTITY")
MYSQL = UrlRules(
    Family.MYSQL,
    ("mysql", "mariadb"),
    MYSQL_PORT,
    "unix_socket",
    "mysql://USER:PASSWORD@HOST:PORT/DATABASE?ssl_mode=...",
    {
        "ssl_mode": re.compile("|".join(SSL_MODES), re.IGNORECASE),
        "ssl_ca": FILE,
        "charset": re.compile("utf8mb4|utf8mb3|utf8|latin1|ascii|binary"),
        "connect_timeout": SECONDS,
    },
    {"ssl": "ssl_mode", "ssl-mode": "ssl_mode", "ssl-ca": "ssl_ca"},
)
# Known words only are repeated: what somebody wrote by mistake may be the password.
OTHERS = {
    "sqlite": "set DATABASE=sqlite",
    "oracle": "DATABASE=none, and the app's own SECRET_DATABASE_URL",
    "mssql": "DATABASE=none, and the app's own SECRET_DATABASE_URL",
}


def read_server(url: str) -> Server:
    """Return the server that a URL of an external PostgreSQL, MySQL or MariaDB names. Raises ValueError, which says
    what is wrong and repeats neither the URL nor a part of it that may be secret.
    """
    if len(url) > LONGEST or CONTROL.search(url) or " " in url or "\\" in url:
        _refuse("got a text with blanks, control characters or backslashes, or of more than 2000 characters")
    rules = _rules(url)
    try:
        return _read(url, rules)
    except ValueError as error:
        raise ValueError(f"{error}; expected {rules.expected}") from None


def _read(url: str, rules: UrlRules) -> Server:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse("its port or its host cannot be read; percent-encode / ? # : @ [ ] % in user and password")
    if parts.fragment or "#" in url:
        _refuse("got a #; percent-encode it (%23)")
    options = _options(parts.query, rules)
    host = _host(parts, options.pop(rules.socket, ""), rules)
    user, password = _decoded(parts.username or "", "user"), _decoded(parts.password or "", "password")
    name = _decoded(parts.path.removeprefix("/"), "database")
    if not user or not NAME.fullmatch(name):
        _refuse("it names no user, or no database of letters, digits and _ . $ -")
    if port == 0:
        _refuse("port: expected 1 to 65535")
    if rules.family is Family.MYSQL:
        options = _with_ssl_mode(options)
    return Server(name, host, user, password, port or rules.port, tuple(options.items()), rules.family)


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)


def _rules(url: str) -> UrlRules:
    scheme, separator, _ = url.partition("://")
    dialect = scheme.partition("+")[0].lower()
    for rules in (POSTGRESQL, MYSQL):
        if separator and dialect in rules.schemes:
            return rules
    if separator and dialect in OTHERS:
        _refuse(f"{dialect} is none of DATABASE=external (instead: {OTHERS[dialect]})")
    _refuse("it does not begin with postgresql:// or mysql:// (what it begins with is not shown)")


def _options(query: str, rules: UrlRules) -> dict[str, str]:
    if BAD_ESCAPE.search(query):
        _refuse("the query holds a % that encodes nothing")
    found: dict[str, str] = {}
    allowed = (*rules.values, *rules.others)
    for named, value in parse_qsl(query, keep_blank_values=True, separator="&"):
        shown = named if re.fullmatch("[a-z_-]{1,30}", named) else "a key that is none"
        key = rules.others.get(named, named)
        if key not in (*rules.values, rules.socket):
            _refuse(f"query: {shown}: not allowed; allowed are {', '.join(allowed)}, and {rules.socket}=/PATH")
        if key in found:
            _refuse(f"query: {shown}: stands there twice")
        if key in rules.values and not rules.values[key].fullmatch(value):
            _refuse(f"query: {shown}: got a value that is none of it ({rules.values[key].pattern})")
        found[key] = value
    return found


def _with_ssl_mode(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options with one word for TLS. A file of authorities alone means VERIFY_IDENTITY, as for drivers."""
    if "ssl_mode" not in options and "ssl_ca" not in options:
        return dict(options)
    mode = SSL_MODES[options.get("ssl_mode", "VERIFY_IDENTITY").upper()]
    if (mode in CHECKED) != ("ssl_ca" in options):
        _refuse(f"query: ssl_mode: {' and '.join(CHECKED)} need ssl_ca=/FILE, and no other mode has it")
    return {**options, "ssl_mode": mode}


def _host(parts: SplitResult, socket: str, rules: UrlRules) -> str:
    """Return the one host. A list of hosts is none: which one has the app's data would be chosen by the driver."""
    host = _decoded(parts.hostname or "", "host")
    if bool(host) == bool(socket):
        _refuse(f"expected one host: after the @, or {rules.socket}=/PATH of a unix socket in the query")
    if socket and (not SOCKET.fullmatch(socket) or ".." in socket.split("/")):
        _refuse(f"query: {rules.socket}: expected an absolute path, of letters, digits and _ . @ + / -")
    if socket and rules.family is Family.MYSQL and (socket.endswith("/") or socket.rpartition("/")[0] in ("", *COMMON)):
        _refuse(f"query: {rules.socket}: expected the socket's file, in a directory of its own")
    if host and not HOST.fullmatch(host):
        _refuse("host: expected one name or address (no list, no path)")
    return host or socket


def _decoded(text: str, what: str) -> str:
    if BAD_ESCAPE.search(text):
        _refuse(f"{what}: holds a % that encodes nothing; percent-encode it (%25)")
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        _refuse(f"{what}: what its % encode is not UTF-8")
    if CONTROL.search(plain):
        _refuse(f"{what}: holds a control character")
    return plain
