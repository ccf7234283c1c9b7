"""How an app is told of its database: by a URL of its driver's form, and by variables of its own."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gates.databases.address import PORT, Address, Family, File, Server
from gates.databases.mysql_drivers import OF_ASYNC, mysql_problem, mysql_query

Scheme = Literal[
    "postgresql+psycopg",
    "postgresql",
    "postgres",
    "postgresql+psycopg2",
    "postgresql+asyncpg",
    "postgresql+psycopg_async",
    "postgresql+pg8000",
    "mysql+pymysql",
    "mysql",
    "mysql+mysqldb",
    "mysql+asyncmy",
    "mysql+aiomysql",
    "mysql+mysqlconnector",
    "mariadb+pymysql",
    "mariadb+mysqldb",
    "mariadb+asyncmy",
    "mariadb+aiomysql",
    "mariadb+mysqlconnector",
    "sqlite",
    "sqlite+aiosqlite",
]
Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Extension = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]
PLACEHOLDERS = ("url", "host", "port", "user", "password", "name")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
URL = "DATABASE_URL"
# Of these the runtime says itself what they are.
TAKEN = (URL, "PORT", "PATH", "LANG", "HOME")
# Readers of URLs do not agree whether a path is decoded.
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_.@+/-]+")
DRIVERS_OF_ASYNC = ("aiosqlite", "asyncpg", "psycopg_async", *OF_ASYNC)


class DatabaseForm(BaseModel):
    """How the app wants to be told where its database is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Scheme = "postgresql+psycopg"
    """What stands before `://` in `DATABASE_URL`. `postgresql+...` is SQLAlchemy's form; libpq, psycopg, asyncpg and
    Django's URL readers want `postgresql`. `mysql+...` and `mariadb+...` are SQLAlchemy's forms for these servers, and
    Django's URL readers want `mysql`. With `sqlite` or `sqlite+aiosqlite` checks get a file of SQLite.
    """
    variables: dict[Variable, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict)
    """Further variables that the app gets beside `DATABASE_URL`, such as `DJANGO_DB_HOST = "{host}"`. In a value
    `{url}`, `{host}` (of a unix socket: its directory; of MySQL's: its file), `{port}`, `{user}`, `{password}` and
    `{name}` are filled in, as they are and not percent-encoded. Of SQLite `{name}` is the file, and the others but
    `{url}` are empty.
    """
    connection: Literal["socket", "tcp"] = "socket"
    """How the app reaches a server of Slipway's own. With `tcp` it is told a port of 127.0.0.1, for an app that makes
    its address of parts, or checks it as pydantic's `PostgresDsn` does: these take no unix socket. The environment's
    file names the port: `DATABASE_PORT`.
    """
    extensions: tuple[Extension, ...] = ()
    """Extensions that the app's database needs, such as `pg_trgm`. Slipway makes them in the databases of its own
    server, as their superuser, and a release asks an external server for them beforehand.
    """

    @model_validator(mode="after")
    def _extensions_are_of_postgresql(self) -> Self:
        if self.extensions and self.family is Family.MYSQL:
            raise ValueError(f"extensions: scheme is {self.scheme}, and MySQL and MariaDB have none")
        return self

    @model_validator(mode="after")
    def _variables_can_be_filled(self) -> Self:
        for name, text in self.variables.items():
            if name in TAKEN:
                raise ValueError(f"variables.{name}: the runtime sets it; expected another name")
            for found in PLACEHOLDER.findall(text):
                if found not in PLACEHOLDERS:
                    raise ValueError(
                        f"variables.{name}: unknown placeholder {{{found[:40]}}}; expected one of "
                        + ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                    )
        return self

    @property
    def sqlite(self) -> bool:
        """Say whether the app's databases are files of SQLite."""
        return self.scheme.startswith("sqlite")

    @property
    def driver(self) -> str:
        """Return the driver that the scheme names, "" when it names none."""
        return self.scheme.partition("+")[2]

    @property
    def family(self) -> Family | None:
        """Return which servers the scheme is for; None: files."""
        if self.sqlite:
            return None
        return Family.MYSQL if self.scheme.startswith(("mysql", "mariadb")) else Family.POSTGRESQL

    def problem(self, address: Address) -> str:
        """Return why the app cannot be told of a database in this form; "" when it can."""
        if isinstance(address, File):
            plain = PLAIN_PATH.fullmatch(address.path)
            return "" if plain else f"{address.path}: a URL can name only a path of letters, digits and _ . @ + / -"
        if self.family is not address.family:
            return f"[database] scheme is {self.scheme}, and the environment's database is {address.family}"
        if address.socket and self.connection == "tcp":
            return f"[database] connection is tcp, and the environment's database is at the unix socket {address.host}"
        driver = self.driver
        if address.family is Family.MYSQL:
            return mysql_problem(driver, address)
        for key, value in address.options:
            if driver == "asyncpg" and key not in ("sslmode", "sslrootcert"):
                return f"the driver asyncpg takes no {key} from a URL of SQLAlchemy; leave it out"
            if driver == "pg8000" and (key, value) not in (("sslmode", "disable"), ("sslmode", "prefer")):
                return f"the driver pg8000 takes no {key} from a URL of SQLAlchemy; leave it out, or use another driver"
        return ""

    def url(self, address: Address) -> str:
        """Return the URL, password in it. What need not be percent-encoded is not: configparser, and with it Alembic's
        `set_main_option`, reads a % as its own. Raises ValueError when there is none in this form.
        """
        if problem := self.problem(address):
            raise ValueError(problem)
        if isinstance(address, File):
            return f"sqlite{'+aiosqlite' * (self.driver in DRIVERS_OF_ASYNC)}:///{address.path}"
        user, name = quote(address.user, safe=""), quote(address.name, safe="")
        if address.password:
            user += ":" + quote(address.password, safe="")
        query = "&".join(f"{key}={quote(value, safe='/')}" for key, value in self._query(address).items())
        return f"{self.scheme}://{user}@{_place(address)}/{name}" + (f"?{query}" if query else "")

    def _query(self, address: Server) -> dict[str, str]:
        driver, options = self.driver, dict(address.options)
        if address.family is Family.MYSQL:
            return mysql_query(driver, address)
        where = {"host": address.host} if address.socket else {}
        if address.socket and address.port != PORT:
            where["port"] = str(address.port)
        if driver == "pg8000":
            return {"unix_sock": address.socket_file} if address.socket else {}
        if driver == "asyncpg":
            return {**where, **({"ssl": options["sslmode"]} if "sslmode" in options else {})}
        return {**where, **options}

    def told(self, address: Address) -> dict[str, str]:
        """Return what the app is told of a database, by variable. Secret. Raises ValueError as `url` does."""
        url = self.url(address)
        values = dict.fromkeys(PLACEHOLDERS, "") | {"url": url}
        more: dict[str, str] = {}
        if isinstance(address, File):
            values["name"] = address.path
        else:
            values |= {"host": address.host, "port": str(address.port), "user": address.user, "name": address.name}
            values["password"] = address.password
            root = dict(address.options).get("sslrootcert")
            if root and self.scheme == "postgresql+asyncpg":
                more["PGSSLROOTCERT"] = root  # asyncpg reads it there, and takes no such word in SQLAlchemy's URL
        return {**more, **_filled(self.variables, values), URL: url}


def _place(address: Server) -> str:
    if address.socket:
        return ""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


def _filled(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: PLACEHOLDER.sub(lambda found: values[found[1]], text) for name, text in templates.items()}


PLAIN_FORM = DatabaseForm()
