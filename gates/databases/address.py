"""Where a database is: at a PostgreSQL server, or in a file of SQLite; and URLs of external ones, read strictly."""

import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

PORT = 5432
# What may stand in the query of an external server's URL. Nothing of it sends the app elsewhere, reads a file of this
# host's user or changes a session, as options=, service=, passfile=, hostaddr= or user= would.
ALLOWED_OPTIONS = ("sslmode", "sslrootcert", "channel_binding", "connect_timeout", "application_name")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VALUES = {
    "sslmode": re.compile("|".join(SSL_MODES)),
    "sslrootcert": re.compile(r"/[A-Za-z0-9_./+-]+"),
    "channel_binding": re.compile("disable|prefer|require"),
    "connect_timeout": re.compile("[1-9][0-9]{0,2}"),
    "application_name": re.compile("[A-Za-z0-9_.-]{1,63}"),
}
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
DIRECTORY = re.compile(r"/[A-Za-z0-9_.@+/-]{1,100}")
NAME = re.compile(r"[A-Za-z0-9_.$-]{1,63}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Known words only are repeated: what somebody wrote by mistake may be the password.
OTHERS = {"mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite", "oracle": "oracle", "mssql": "mssql"}
LONGEST = 2000


@dataclass(frozen=True)
class Server:
    """A database of a PostgreSQL server. `host` that begins with / is the directory of its unix socket."""

    name: str
    host: str
    user: str
    password: str = field(default="", repr=False)
    port: int = PORT
    options: tuple[tuple[str, str], ...] = ()

    @property
    def socket(self) -> bool:
        return self.host.startswith("/")

    @property
    def shown(self) -> str:
        """Return where the server is, for a message: no user, no password, no database."""
        return self.host if self.socket else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class File:
    """A database of SQLite: the file's absolute path."""

    path: str


Address = Server | File


def read_server(url: str) -> Server:
    """Return the server that a URL of an external PostgreSQL names. Raises ValueError, which says what is wrong and
    repeats neither the URL nor a part of it that may be secret.
    """
    if len(url) > LONGEST or CONTROL.search(url) or " " in url or "\\" in url:
        _refuse("got a text with blanks, control characters or backslashes, or of more than 2000 characters")
    _check_scheme(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse("its port or its host cannot be read; percent-encode / ? # : @ [ ] % in user and password")
    if parts.fragment or "#" in url:
        _refuse("got a #; percent-encode it (%23)")
    options = _options(parts.query)
    host = _host(parts, options.pop("host", ""))
    user, password = _decoded(parts.username or "", "user"), _decoded(parts.password or "", "password")
    name = _decoded(parts.path.removeprefix("/"), "database")
    if not user or not NAME.fullmatch(name):
        _refuse("it names no user, or no database of letters, digits and _ . $ -")
    if port == 0:
        _refuse("port: expected 1 to 65535")
    return Server(name, host, user, password, port or PORT, tuple(options.items()))


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"{what}; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...")


def _check_scheme(url: str) -> None:
    scheme, separator, _ = url.partition("://")
    dialect = scheme.partition("+")[0].lower()
    if separator and dialect in ("postgresql", "postgres"):
        return
    if separator and dialect in OTHERS:
        kind = OTHERS[dialect]
        cure = "set DATABASE=sqlite" if kind == "sqlite" else "DATABASE=none, and the app's own SECRET_DATABASE_URL"
        _refuse(f"{kind} is not supported yet as DATABASE=external (instead: {cure})")
    _refuse("it does not begin with postgresql:// (what it begins with is not shown)")


def _options(query: str) -> dict[str, str]:
    if BAD_ESCAPE.search(query):
        _refuse("the query holds a % that encodes nothing")
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, separator="&"):
        shown = key if re.fullmatch("[a-z_]{1,30}", key) else "a key that is none"
        if key not in (*ALLOWED_OPTIONS, "host"):
            _refuse(f"query: {shown}: not allowed; allowed are {', '.join(ALLOWED_OPTIONS)}, and host=/DIRECTORY")
        if key in found:
            _refuse(f"query: {shown}: stands there twice")
        if key in VALUES and not VALUES[key].fullmatch(value):
            _refuse(f"query: {shown}: got a value that is none of it ({VALUES[key].pattern})")
        found[key] = value
    return found


def _host(parts: SplitResult, directory: str) -> str:
    """Return the one host. A list of hosts is none: which one has the app's data would be chosen by the driver."""
    host = _decoded(parts.hostname or "", "host")
    if bool(host) == bool(directory):
        _refuse("expected one host: after the @, or host=/DIRECTORY of a unix socket in the query")
    if directory and (not DIRECTORY.fullmatch(directory) or ".." in directory.split("/")):
        _refuse("query: host: expected the absolute path of a socket's directory, of letters, digits and _ . @ + / -")
    if host and not HOST.fullmatch(host):
        _refuse("host: expected one name or address (no list, no path)")
    return host or directory


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
