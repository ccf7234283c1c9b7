"""Which database the app speaks to, and by which variables it is told where: [database], DATABASE."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gates.adopt.draft import ALL, Draft, Setting
from gates.adopt.needs import Need
from gates.adopt.packages import Packages
from gates.adopt.python_source import Framework, Source, literal
from gates.adopt.tree import ASIDE
from gates.adopt.web import Served

EMBEDDED, EXTERNAL, SQLITE, NONE = "embedded", "external", "sqlite", "none"
OURS = "postgresql+psycopg"  # what DATABASE_URL begins with when nothing else is said
# In this order: an app that has two drivers of one database serves with the asynchronous one.
DRIVERS = {
    "asyncpg": ("postgresql+asyncpg", EMBEDDED),
    "psycopg": (OURS, EMBEDDED),
    "psycopg-binary": (OURS, EMBEDDED),
    "psycopg2": ("postgresql+psycopg2", EMBEDDED),
    "psycopg2-binary": ("postgresql+psycopg2", EMBEDDED),
    "pg8000": ("postgresql+pg8000", EMBEDDED),
    "asyncmy": ("mysql+asyncmy", EXTERNAL),
    "aiomysql": ("mysql+aiomysql", EXTERNAL),
    "mysqlclient": ("mysql+mysqldb", EXTERNAL),
    "pymysql": ("mysql+pymysql", EXTERNAL),
    "mysql-connector-python": ("mysql+mysqlconnector", EXTERNAL),
    "aiosqlite": ("sqlite+aiosqlite", SQLITE),
}
ORMS = ("sqlalchemy", "flask-sqlalchemy", "sqlmodel", "advanced-alchemy")
OF_ASYNC = ("asyncpg", "asyncmy", "aiomysql")
ASYNC_ENGINE = re.compile(r"(sqlalchemy\.ext\.asyncio|sqlmodel\.ext\.asyncio|advanced_alchemy|databases|fastapi_async)")
STORES = ("django", *ORMS, "tortoise-orm", "peewee", "piccolo", "databases", "gino", "pony")
OTHER_STORES = {
    "mariadb": "MariaDB by its own connector",
    **dict.fromkeys(("motor", "pymongo", "beanie", "mongoengine"), "MongoDB"),
    "cassandra-driver": "Cassandra",
    "neo4j": "Neo4j",
}
PART = re.compile(
    r"(?:[A-Z]+_)*?(?:POSTGRES(?:QL)?|PG|DB|DATABASE|SQL|RDS|DBASE)_?(?:[A-Z]+_)?"
    r"(?P<part>HOST|SERVER|HOSTNAME|PORT|USER|USERNAME|PASSWORD|PASS|NAME|DB|DATABASE|DBNAME)"
)
PARTS = {
    **dict.fromkeys(("HOST", "SERVER", "HOSTNAME"), "{host}"),
    "PORT": "{port}",
    **dict.fromkeys(("USER", "USERNAME"), "{user}"),
    **dict.fromkeys(("PASSWORD", "PASS"), "{password}"),
    **dict.fromkeys(("NAME", "DB", "DATABASE", "DBNAME"), "{name}"),
}
PORTS = {"development": 15432, "staging": 15433, "production": 15434}
CHECKED = re.compile(r"(Postgres|Cockroach)Dsn|MultiHostUrl")
URLS = re.compile(r"(?:[A-Z0-9]+_)*(?:DATABASE|DB|POSTGRES|PG|SQLALCHEMY|ASYNC)[A-Z_]*(?:URL|URI|DSN)")


@dataclass(frozen=True)
class Database:
    """`kind` is what DATABASE says; `taken` are the variables that Slipway sets by itself; `port` is why the app wants
    a port of Slipway's own server, "" if it takes its socket.
    """

    kind: str
    scheme: str
    because: str
    taken: frozenset[str] = frozenset()
    port: str = ""

    @property
    def is_given(self) -> bool:
        """Return whether Slipway makes the database of a suite."""
        return self.kind in (EMBEDDED, EXTERNAL)


def propose_database(
    served: Served, sources: Sequence[Source], packages: Packages, needs: Mapping[str, Need], draft: Draft
) -> Database:
    """Propose [database] from the driver in the lock and the variables that the code reads."""
    kind, scheme, because = _driver(served, sources, packages)
    for package, store in OTHER_STORES.items():
        if where := packages.where(package):
            draft.note(
                f"the app uses {store} ({where}): Slipway makes none; give its address by APP_ or SECRET_ settings"
            )
    draft.tell("database", f"{kind}: {scheme}" if scheme else kind, because)
    if kind == NONE:
        return Database(kind, scheme, because)
    if scheme != OURS:
        draft.put("database", "scheme", scheme, because)
    names = _variables(served, sources, needs) if kind in (EMBEDDED, EXTERNAL) else {}
    if names:
        places = sorted({needs[name].because for name in names if name in needs})
        draft.put("database", "variables", names, ", ".join(places[:3]) or "the names of the settings")
    port = _why_port(served, sources, names) if kind in (EMBEDDED, EXTERNAL) else ""
    if port:
        draft.put("database", "connection", "tcp", port)
    return Database(kind, scheme, because, frozenset({"DATABASE_URL", *names}), port)


def propose_servers(database: Database, needs: Mapping[str, Need], draft: Draft) -> None:
    """Propose what an environment says of its database and Redis. With compose the compose file has them."""
    if database.kind != EMBEDDED:
        draft.settings.append(Setting("DATABASE", database.kind, database.because))
    elif database.port:
        for environment, number in PORTS.items():
            draft.settings.append(Setting("DATABASE_PORT", str(number), database.port, (environment,)))
    if database.kind == EXTERNAL:
        _name_server(database.because, draft)
    if "REDIS_URL" in needs:
        draft.settings.append(Setting("REDIS_URL", "file:/etc/slipway/redis_url", needs["REDIS_URL"].because, off=True))


def _name_server(because: str, draft: Draft) -> None:
    """Say that the app's MySQL or MariaDB must exist, and where its address stands: another one in each environment."""
    for environment in ALL:
        file = f"file:/etc/slipway/{environment}/database_url"
        draft.settings.append(Setting("DATABASE_URL", file, because, (environment,)))
    draft.block(
        "the app needs a MySQL or MariaDB server, which Slipway has not",
        "write mysql://USER:PASSWORD@HOST/DATABASE to the file that DATABASE_URL of each environment names; its suites "
        "need mariadbd on this host (Debian: mariadb-server)",
        because,
    )


def _why_port(served: Served, sources: Sequence[Source], names: Mapping[str, str]) -> str:
    """Return why the app cannot be told of a unix socket; "" when it can, or nothing is known of it."""
    for source in sources:
        for node in source.nodes:
            if not isinstance(node, ast.Name | ast.Attribute) or ASIDE.search(source.file):
                continue
            name = node.id if isinstance(node, ast.Name) else node.attr
            if CHECKED.fullmatch(name):
                return f"pydantic's {name} takes no unix socket ({source.file}:{node.lineno})"
    hosts = [name for name, value in names.items() if value == "{host}"]
    if hosts and served.app.framework is not Framework.DJANGO:
        return f"the app makes its address of parts ({hosts[0]})"
    return ""


def _driver(served: Served, sources: Sequence[Source], packages: Packages) -> tuple[str, str, str]:
    found = [(*DRIVERS[name], packages.where(name)) for name in DRIVERS if packages.where(name)]
    for wanted in (EMBEDDED, EXTERNAL, SQLITE):
        for scheme, kind, where in found:
            if kind == wanted:
                name, _, driver = scheme.partition("+")
                plain = not any(map(packages.where, ORMS)) or driver in OF_ASYNC and not _has_async_engine(sources)
                return kind, name if plain else scheme, where
    store = next((name for name in STORES if packages.where(name)), "")
    if served.app.framework is Framework.DJANGO or store:
        return SQLITE, "sqlite", f"{packages.where(store) or served.app.because}: no driver of a server is locked"
    return NONE, "", "no driver of a database is among the packages"


def _has_async_engine(sources: Sequence[Source]) -> bool:
    """Return whether the app uses its driver through SQLAlchemy, which may be locked for Alembic alone."""
    return any(
        ASYNC_ENGINE.match(name)
        for source in sources
        if not ASIDE.search(source.file)
        for name in source.imports.values()
    )


def _variables(served: Served, sources: Sequence[Source], needs: Mapping[str, Need]) -> dict[str, str]:
    """Return what the app's own names for the database's parts are told."""
    if "DATABASE_URL" in needs:
        return {}
    django = _of_django(sources) if served.app.framework is Framework.DJANGO else {}
    if django:
        return django
    parts = {name: PARTS[match["part"]] for name in needs if (match := PART.fullmatch(name))}
    if {"{host}", "{name}"} <= set(parts.values()):
        return dict(_first_of_each(parts))
    urls = [name for name in needs if URLS.fullmatch(name)]
    return {urls[0]: "{url}"} if urls else {}


def _first_of_each(parts: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the names that begin as the one of the host does, and what each is told."""
    host = next(name for name, value in parts.items() if value == "{host}")
    stem = re.split("_(?:HOST|SERVER|HOSTNAME)", host)[0]
    seen = set()
    for name, value in sorted(parts.items(), key=lambda pair: not pair[0].startswith(stem)):
        if value not in seen:
            seen.add(value)
            yield name, value


def _of_django(sources: Sequence[Source]) -> dict[str, str]:
    """Return the variables that DATABASES["default"] of Django's settings is made of."""
    keys = {key: PARTS[key] for key in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    found: dict[str, str] = {}
    for source in sources:
        if ASIDE.search(source.file):
            continue
        for node in source.nodes:
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values):
                    if isinstance(key, ast.Constant) and key.value in keys and (name := _read(source, value)):
                        found.setdefault(name, keys[key.value])
    return found if {"{host}", "{name}"} <= set(found.values()) else {}


def _read(source: Source, node: ast.expr) -> str:
    """Return the variable that an expression reads, "" if none is plain."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and one.args and isinstance(one.args[0], ast.Constant):
            name = one.args[0].value
            called = source.qualified(one.func)
            if (
                isinstance(name, str)
                and re.fullmatch("[A-Z][A-Z0-9_]+", name)
                and re.search("env|config|get", called, re.I)
            ):
                return name
        if (
            isinstance(one, ast.Subscript)
            and source.qualified(one.value) == "os.environ"
            and (name := literal(one.slice))
        ):
            return name
    return ""
