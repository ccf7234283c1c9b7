"""A Redis of others that an app uses: its URL, read strictly, and whether the server will do."""

import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from gates.databases.server_url import BAD_ESCAPE, COMMON, CONTROL, FILE, HOST, LONGEST, SECONDS, SOCKET

PORT = 6379
EXPECTED = "redis://USER:PASSWORD@HOST:PORT/0, rediss://... with TLS, or unix://USER:PASSWORD@/SOCKET?db=0"
SCHEMES = ("redis", "rediss", "unix")
DATABASE = re.compile("[0-9]{1,5}")
OF_TLS = {
    "ssl_cert_reqs": re.compile("(CERT_)?(NONE|OPTIONAL|REQUIRED)", re.IGNORECASE),
    "ssl_ca_certs": FILE,
    "ssl_check_hostname": re.compile("true|false", re.IGNORECASE),
}
OPTIONS = {
    "socket_timeout": SECONDS,
    "socket_connect_timeout": SECONDS,
    "health_check_interval": SECONDS,
    "protocol": re.compile("2|3"),
    "decode_responses": re.compile("true|false", re.IGNORECASE),
}


@dataclass(frozen=True)
class RedisServer:
    """A database of a Redis (or Valkey). `host` that begins with / is the file of its unix socket."""

    scheme: str
    host: str
    port: int = PORT
    user: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    options: tuple[tuple[str, str], ...] = ()

    @property
    def socket(self) -> bool:
        return self.host.startswith("/")

    @property
    def tls(self) -> bool:
        return self.scheme == "rediss"

    @property
    def checked(self) -> bool:
        """Say whether the server's certificate is checked."""
        return self.tls and not dict(self.options).get("ssl_cert_reqs", "").lower().endswith("none")

    @property
    def near(self) -> bool:
        """Say whether no network lies between this host and the server."""
        return self.socket or self.host in ("localhost", "127.0.0.1", "::1")

    @property
    def shown(self) -> str:
        """Return where the server is, for a message: no user, no password."""
        return self.host if self.socket else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL that the app is told, password in it."""
        who = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        who += "@" if who else ""
        options = {**({"db": str(self.database)} if self.socket else {}), **dict(self.options)}
        query = "&".join(f"{key}={quote(value, safe='/')}" for key, value in options.items())
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = self.host if self.socket else f"{host}:{self.port}/{self.database}"
        return f"{self.scheme}://{who}{place}" + (f"?{query}" if query else "")


@dataclass(frozen=True)
class RedisFacts:
    """What a server said that answers a PING. `replica` is None where the user may not ask."""

    replica: bool | None = None


def redis_problems(facts: RedisFacts) -> list[str]:
    """Return what keeps a release from this server, each with the way out."""
    return ["it is a replica, which takes no writes; expected the primary server"] if facts.replica else []


def redis_notes(server: RedisServer, facts: RedisFacts) -> list[str]:
    """Return what a person who approves should know of it."""
    plain = "" if server.checked or server.near else ", WITHOUT TLS (rediss:// in REDIS_URL)"
    if server.tls and not server.checked:
        plain = ", whose certificate NOBODY CHECKS (ssl_cert_reqs in REDIS_URL)"
    unknown = "; its user may not ask whether it is a replica (INFO)" if facts.replica is None else ""
    return [f"The app uses the external Redis at {server.shown}{plain}{unknown}."]


def read_redis(url: str) -> RedisServer:
    """Return the Redis that a URL names. Raises ValueError, which says what is wrong and repeats neither the URL nor a
    part of it that may be secret.
    """
    try:
        return _read(url)
    except ValueError as error:
        raise ValueError(f"{error}; expected {EXPECTED}") from None


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)


def _read(url: str) -> RedisServer:
    if len(url) > LONGEST or CONTROL.search(url) or " " in url or "\\" in url:
        _refuse("got a text with blanks, control characters or backslashes, or of more than 2000 characters")
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in SCHEMES:
        _refuse("it does not begin with redis://, rediss:// or unix:// (what it begins with is not shown)")
    if "#" in url or BAD_ESCAPE.search(url):
        _refuse("got a # or a % that encodes nothing; percent-encode / ? # : @ [ ] % in user and password")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse("its port or its host cannot be read; percent-encode / ? # : @ [ ] % in user and password")
    options = _options(parts.query, scheme)
    user, password = _decoded(parts.username or ""), _decoded(parts.password or "")
    if user and not password:
        _refuse("it names a user and no password")
    if scheme == "unix":
        host, database = _socket(parts.hostname or "", unquote(parts.path)), options.pop("db", "0")
    else:
        host, database = parts.hostname or "", parts.path.removeprefix("/") or "0"
        if not HOST.fullmatch(host):
            _refuse("host: expected one name or address (no list, no path)")
    if not DATABASE.fullmatch(database) or port == 0:
        _refuse("expected a database of digits, and a port of 1 to 65535")
    return RedisServer(scheme, host, port or PORT, user, password, int(database), tuple(options.items()))


def _options(query: str, scheme: str) -> dict[str, str]:
    allowed = {**OPTIONS, **(OF_TLS if scheme == "rediss" else {}), **({"db": DATABASE} if scheme == "unix" else {})}
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, separator="&"):
        shown = key if re.fullmatch("[a-z_]{1,30}", key) else "a key that is none"
        if key not in allowed:
            _refuse(f"query: {shown}: not allowed; allowed with {scheme}:// are {', '.join(allowed)}")
        if key in found:
            _refuse(f"query: {shown}: stands there twice")
        if not allowed[key].fullmatch(value):
            _refuse(f"query: {shown}: got a value that is none of it ({allowed[key].pattern})")
        found[key] = value
    return found


def _socket(host: str, path: str) -> str:
    if host or not SOCKET.fullmatch(path) or ".." in path.split("/") or path.endswith("/"):
        _refuse("socket: expected an absolute path behind the @, of letters, digits and _ . @ + / -")
    if path.rpartition("/")[0] in ("", *COMMON):
        _refuse("socket: expected it in a directory of its own")
    return path


def _decoded(text: str) -> str:
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        _refuse("user or password: what its % encode is not UTF-8")
    if CONTROL.search(plain):
        _refuse("user or password: holds a control character")
    return plain
