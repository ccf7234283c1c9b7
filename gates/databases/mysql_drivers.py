"""What the drivers of MySQL and MariaDB are told in a URL, each in its own words."""

from collections.abc import Mapping

from gates.databases.address import Server

# By the words of ssl_mode; a mode that is not there cannot be told to the driver. {ca}: the file of authorities.
Words = Mapping[str, Mapping[str, str]]
_NOTHING: Mapping[str, str] = {}
# PyMySQL and asyncmy take `ssl_check_hostname` alone for TLS that checks nothing.
_OF_PYMYSQL: Words = {
    "DISABLED": {"ssl_disabled": "true"},
    "PREFERRED": _NOTHING,
    "REQUIRED": {"ssl_check_hostname": "false"},
    "VERIFY_CA": {"ssl_ca": "{ca}", "ssl_check_hostname": "false"},
    "VERIFY_IDENTITY": {"ssl_ca": "{ca}"},
}
TLS: Mapping[str, Words] = {
    "pymysql": _OF_PYMYSQL,
    "asyncmy": {**_OF_PYMYSQL, "DISABLED": _NOTHING},
    # It wants an object of Python.
    "aiomysql": {"DISABLED": _NOTHING},
    "mysqldb": {
        "DISABLED": {"ssl_mode": "DISABLED"},
        "PREFERRED": {"ssl_mode": "PREFERRED"},
        "REQUIRED": {"ssl_mode": "REQUIRED"},
        "VERIFY_CA": {"ssl_mode": "VERIFY_CA", "ssl_ca": "{ca}"},
        "VERIFY_IDENTITY": {"ssl_mode": "VERIFY_IDENTITY", "ssl_ca": "{ca}"},
    },
    "mysqlconnector": {
        "DISABLED": {"ssl_disabled": "true"},
        "PREFERRED": _NOTHING,
        "VERIFY_CA": {"ssl_ca": "{ca}", "ssl_verify_cert": "true"},
        "VERIFY_IDENTITY": {"ssl_ca": "{ca}", "ssl_verify_cert": "true", "ssl_verify_identity": "true"},
    },
    # Django's URL readers hand the query to mysqlclient; dj-database-url alone knows ssl-ca.
    "": {
        "DISABLED": {"ssl_mode": "DISABLED"},
        "PREFERRED": {"ssl_mode": "PREFERRED"},
        "REQUIRED": {"ssl_mode": "REQUIRED"},
        "VERIFY_CA": {"ssl_mode": "VERIFY_CA", "ssl-ca": "{ca}"},
        "VERIFY_IDENTITY": {"ssl_mode": "VERIFY_IDENTITY", "ssl-ca": "{ca}"},
    },
}
OF_ASYNC = ("aiomysql", "asyncmy")
# They encode a password as Latin 1, and mysqlclient takes localhost for a socket of its own choice.
LATIN_1 = ("pymysql", *OF_ASYNC)
OF_C = ("", "mysqldb")


def mysql_problem(driver: str, address: Server) -> str:
    """Return what a driver cannot be told in a URL; "" when it can be told all."""
    if driver in LATIN_1 and not f"{address.user}{address.password}".isascii():
        return f"the driver {driver} takes no password with other signs than ASCII's; give the role another one"
    if driver in OF_C and address.host == "localhost":
        return "mysqlclient takes localhost for a unix socket; write 127.0.0.1, or unix_socket=/FILE"
    mode = dict(address.options).get("ssl_mode", "")
    if not mode or mode in TLS[driver]:
        return ""
    known = ", ".join(TLS[driver])
    return f"the driver {driver} takes no ssl_mode={mode} from a URL of SQLAlchemy; use {known}, or another driver"


def mysql_query(driver: str, address: Server) -> dict[str, str]:
    """Return the query of a driver's URL."""
    options = dict(address.options)
    authority, mode = options.pop("ssl_ca", ""), options.pop("ssl_mode", "")
    tls = {key: value.format(ca=authority) for key, value in (TLS[driver][mode] if mode else {}).items()}
    return {**({"unix_socket": address.host} if address.socket else {}), **options, **tls}
