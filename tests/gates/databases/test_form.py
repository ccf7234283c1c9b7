"""What an app is told of its database, in the form of its driver."""

import configparser
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import ValidationError

from gates.databases.address import Family, File, Server
from gates.databases.form import DatabaseForm

SOCKET = Server("shop", "/run/slipway/pg", "shop", "pass-word_1")
AWAY = Server(
    "shop", "db.example.com", "shop", "p/w@:%", 6432, (("sslmode", "verify-full"), ("sslrootcert", "/etc/ca"))
)


MYSQL = Server("shop", "db.example.com", "shop", "p/w@:%", 3306, family=Family.MYSQL)
MYSQL_AT = "shop:p%2Fw%40%3A%25@db.example.com:3306/shop"
MYSQL_SOCKET = Server("shop", "/run/my/my.sock", "shop", "pass-word_1", 3306, family=Family.MYSQL)


def with_tls(mode: str, *more: tuple[str, str]) -> Server:
    authority = (("ssl_ca", "/etc/ca"),) if mode.startswith("VERIFY") else ()
    return replace(MYSQL, options=(*authority, *more, ("ssl_mode", mode)))


def form(scheme: str = "postgresql+psycopg", **more: object) -> DatabaseForm:
    return DatabaseForm.model_validate({"scheme": scheme, **more})


@pytest.mark.parametrize(
    ("scheme", "address", "expected"),
    [
        ("postgresql+psycopg", SOCKET, "postgresql+psycopg://shop:pass-word_1@/shop?host=/run/slipway/pg"),
        ("postgres", SOCKET, "postgres://shop:pass-word_1@/shop?host=/run/slipway/pg"),
        (
            "postgresql+pg8000",
            SOCKET,
            "postgresql+pg8000://shop:pass-word_1@/shop?unix_sock=/run/slipway/pg/.s.PGSQL.5432",
        ),
        ("postgresql", Server("d", "/s", "u", port=5433), "postgresql://u@/d?host=/s&port=5433"),
        (
            "postgresql+psycopg2",
            AWAY,
            "postgresql+psycopg2://shop:p%2Fw%40%3A%25@db.example.com:6432/shop"
            "?sslmode=verify-full&sslrootcert=/etc/ca",
        ),
        (
            "postgresql+asyncpg",
            AWAY,
            "postgresql+asyncpg://shop:p%2Fw%40%3A%25@db.example.com:6432/shop?ssl=verify-full",
        ),
        ("postgresql", Server("d", "::1", "u"), "postgresql://u@[::1]:5432/d"),
        ("mysql", MYSQL, f"mysql://{MYSQL_AT}"),
        ("mariadb+pymysql", MYSQL_SOCKET, "mariadb+pymysql://shop:pass-word_1@/shop?unix_socket=/run/my/my.sock"),
        (
            "mysql+asyncmy",
            with_tls("REQUIRED", ("charset", "utf8mb4")),
            f"mysql+asyncmy://{MYSQL_AT}?charset=utf8mb4&ssl_check_hostname=false",
        ),
        (
            "mysql+pymysql",
            with_tls("VERIFY_CA"),
            f"mysql+pymysql://{MYSQL_AT}?ssl_ca=/etc/ca&ssl_check_hostname=false",
        ),
        ("mysql+pymysql", with_tls("VERIFY_IDENTITY"), f"mysql+pymysql://{MYSQL_AT}?ssl_ca=/etc/ca"),
        ("mysql+pymysql", with_tls("DISABLED"), f"mysql+pymysql://{MYSQL_AT}?ssl_disabled=true"),
        (
            "mysql+mysqldb",
            with_tls("VERIFY_IDENTITY"),
            f"mysql+mysqldb://{MYSQL_AT}?ssl_mode=VERIFY_IDENTITY&ssl_ca=/etc/ca",
        ),
        ("mysql", with_tls("VERIFY_CA"), f"mysql://{MYSQL_AT}?ssl_mode=VERIFY_CA&ssl-ca=/etc/ca"),
        (
            "mysql+mysqlconnector",
            with_tls("VERIFY_IDENTITY"),
            f"mysql+mysqlconnector://{MYSQL_AT}?ssl_ca=/etc/ca&ssl_verify_cert=true&ssl_verify_identity=true",
        ),
        ("mysql+aiomysql", File("/srv/shop.sqlite3"), "sqlite+aiosqlite:////srv/shop.sqlite3"),
        ("mysql", File("/srv/shop.sqlite3"), "sqlite:////srv/shop.sqlite3"),
        ("sqlite", File("/srv/shop.sqlite3"), "sqlite:////srv/shop.sqlite3"),
        ("postgresql+asyncpg", File("/srv/shop.sqlite3"), "sqlite+aiosqlite:////srv/shop.sqlite3"),
        ("postgresql+psycopg2", File("/srv/shop.sqlite3"), "sqlite:////srv/shop.sqlite3"),
    ],
)
def test_a_url_is_in_the_drivers_form(scheme: str, address: Server | File, expected: str) -> None:
    assert form(scheme).url(address) == expected


@pytest.mark.parametrize(
    ("scheme", "address", "why"),
    [
        ("sqlite", SOCKET, "scheme is sqlite, and the environment's database is PostgreSQL"),
        ("postgresql+pg8000", AWAY, "pg8000 takes no sslmode"),
        ("postgresql+asyncpg", Server("d", "h", "u", options=(("connect_timeout", "5"),)), "takes no connect_timeout"),
        ("sqlite", File("/srv/a place/shop"), "only a path of letters"),
        ("sqlite", MYSQL, "scheme is sqlite, and the environment's database is MySQL"),
        ("mysql+pymysql", SOCKET, r"scheme is mysql\+pymysql, and the environment's database is PostgreSQL"),
        ("postgresql+asyncpg", MYSQL, r"scheme is postgresql\+asyncpg, and the environment's database is MySQL"),
        ("mysql+aiomysql", with_tls("REQUIRED"), "aiomysql takes no ssl_mode=REQUIRED .* use DISABLED, or another"),
        (
            "mysql+pymysql",
            replace(MYSQL, password="p\u00e9"),
            "pymysql takes no password with other signs than ASCII's",
        ),
        ("mysql+mysqldb", replace(MYSQL, host="localhost"), "write 127.0.0.1, or unix_socket"),
        ("mysql", replace(MYSQL, host="localhost"), "write 127.0.0.1, or unix_socket"),
        ("mysql+mysqlconnector", with_tls("REQUIRED"), "mysqlconnector takes no ssl_mode=REQUIRED"),
    ],
)
def test_what_a_driver_cannot_be_told_is_refused(scheme: str, address: Server | File, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        form(scheme).told(address)


def test_variables_are_filled_as_they_are_beside_the_url() -> None:
    made = form("postgresql+asyncpg", variables={"DB": "{host}|{port}|{user}|{password}|{name}", "ENGINE": "django.x"})
    told = made.told(AWAY)
    assert told["DB"] == "db.example.com|6432|shop|p/w@:%|shop" and told["ENGINE"] == "django.x"
    assert told["DATABASE_URL"].startswith("postgresql+asyncpg://") and told["PGSSLROOTCERT"] == "/etc/ca"
    assert form(variables={"DB": "{url}{host}{name}"}).told(File("/a"))["DB"] == "sqlite:////a/a"
    assert form().told(SOCKET).keys() == {"DATABASE_URL"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"scheme": "mysql+cymysql"}, "'mariadb\\+mysqlconnector', 'sqlite'"),
        ({"variables": {"DB": "{hots}"}}, "unknown placeholder {hots}; expected one of {url}, {host}"),
        ({"variables": {"DB": "{}"}}, "unknown placeholder {}"),
        ({"variables": {"DATABASE_URL": "{url}"}}, "the runtime sets it"),
        ({"variables": {"A=B": "x"}}, "String should match pattern"),
        ({"extensions": ["Bad; drop"]}, "String should match pattern"),
        ({"driver": "x"}, "Extra inputs"),
        ({"scheme": "mysql", "extensions": ["pg_trgm"]}, "scheme is mysql, and MySQL and MariaDB have none"),
    ],
)
def test_a_form_that_cannot_be_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        DatabaseForm.model_validate(given)


def test_a_url_of_our_own_server_is_fit_for_configparser_as_alembics_set_main_option_is() -> None:
    for scheme in ("postgresql+psycopg", "postgresql+pg8000"):
        url = form(scheme).url(SOCKET)
        config = configparser.ConfigParser({"here": "x"})
        config.add_section("alembic")
        config.set("alembic", "sqlalchemy.url", url)
        assert config.get("alembic", "sqlalchemy.url") == url and "%" not in url
    odd = Server("d", "/a place/pg", "u")
    assert unquote(urlsplit(form().url(odd)).query) == "host=/a place/pg"  # of an installation older than this rule
