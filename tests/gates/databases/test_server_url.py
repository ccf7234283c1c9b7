"""URLs of external servers, read strictly: nothing in one sends the app elsewhere, and no message repeats a secret."""

import pytest

from gates.databases.address import Family, Server
from gates.databases.server_url import read_server

WORD = "hunter2hunter2"
BASE = f"postgresql://shop:{WORD}@db.example.com"
MYSQL = f"mysql+pymysql://shop:{WORD}@db.example.com/shop"
UTF8 = ("charset", "utf8mb4")


def mode(word: str) -> tuple[str, str]:
    return "ssl_mode", word


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{BASE}/shop", Server("shop", "db.example.com", "shop", WORD)),
        ("postgres://u@127.0.0.1:6432/d", Server("d", "127.0.0.1", "u", port=6432)),
        ("postgresql+asyncpg://u:a%2Fb%25@[::1]/d", Server("d", "::1", "u", "a/b%")),
        ("postgresql://u:p@/d?host=/run/postgresql", Server("d", "/run/postgresql", "u", "p")),
        ("postgresql://u:p@/d?host=%2Frun%2Fpostgresql", Server("d", "/run/postgresql", "u", "p")),
        (
            f"{BASE}/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            Server(
                "shop",
                "db.example.com",
                "shop",
                WORD,
                5432,
                (("sslmode", "verify-full"), ("sslrootcert", "/etc/ca.pem")),
            ),
        ),
        (MYSQL, Server("shop", "db.example.com", "shop", WORD, 3306, (), Family.MYSQL)),
        ("mariadb://u@h:3307/d?charset=utf8mb4", Server("d", "h", "u", "", 3307, (UTF8,), Family.MYSQL)),
        ("mysql://u:p@/d?unix_socket=/run/my/s", Server("d", "/run/my/s", "u", "p", 3306, (), Family.MYSQL)),
        ("mysql://u@h/d?ssl-mode=required", Server("d", "h", "u", "", 3306, (mode("REQUIRED"),), Family.MYSQL)),
        ("mysql://u@h/d?ssl=false", Server("d", "h", "u", "", 3306, (mode("DISABLED"),), Family.MYSQL)),
        (
            "mysql://u@h/d?ssl-ca=/etc/ca.pem",
            Server("d", "h", "u", "", 3306, (("ssl_ca", "/etc/ca.pem"), mode("VERIFY_IDENTITY")), Family.MYSQL),
        ),
    ],
)
def test_a_servers_url_is_read(url: str, expected: Server) -> None:
    assert read_server(url) == expected
    assert WORD not in repr(expected) and WORD not in expected.shown


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param(f"{BASE}/shop?options=-csearch_path%3Dx", "query: options: not allowed", id="options"),
        pytest.param(f"{BASE}/shop?service=other", "query: service: not allowed", id="service"),
        pytest.param(f"{BASE}/shop?passfile=/root/.pgpass", "query: passfile: not allowed", id="passfile"),
        pytest.param(f"{BASE}/shop?hostaddr=10.0.0.1", "query: hostaddr: not allowed", id="hostaddr"),
        pytest.param(f"{BASE}/shop?sslkey=/root/key", "query: sslkey: not allowed", id="key"),
        pytest.param(f"{BASE}/shop?user=postgres", "query: user: not allowed", id="user"),
        pytest.param(f"{BASE}/shop?{WORD}=1", "query: a key that is none", id="secret-key"),
        pytest.param(f"{BASE}/shop?host=/run", "expected one host", id="two-hosts"),
        pytest.param(f"postgresql://u:{WORD}@a,b/d", "host: expected one name", id="list-of-hosts"),
        pytest.param(f"postgresql://u:{WORD}@a:1,b:2/d", "port or its host cannot be read", id="list-with-ports"),
        pytest.param(f"postgresql://u:{WORD}@/d?host=a,b", "absolute path", id="list-in-query"),
        pytest.param(f"postgresql://u:{WORD}@/d?host=/run/../root", "absolute path", id="upwards"),
        pytest.param(f"postgresql://u:{WORD}@%2Frun/d", "host: expected one name", id="path-as-host"),
        pytest.param(f"{BASE}/shop?sslmode=off", "sslmode: got a value that is none", id="mode"),
        pytest.param(f"{BASE}/shop?sslmode=require&sslmode=disable", "stands there twice", id="twice"),
        pytest.param(f"{BASE}/shop?sslrootcert=../ca", "sslrootcert: got a value", id="relative-file"),
        pytest.param(f"{BASE}/shop#x", "got a #", id="fragment"),
        pytest.param(f"{BASE}:0/shop", "port: expected 1 to 65535", id="port-0"),
        pytest.param(f"{BASE}:99999/shop", "cannot be read", id="port-too-high"),
        pytest.param(f"{BASE}/a/b", "no database of letters", id="two-names"),
        pytest.param(f"{BASE}/", "no database", id="no-name"),
        pytest.param("postgresql://db.example.com/shop", "names no user", id="no-user"),
        pytest.param(f"postgresql://u:{WORD}%zz@h/d", "password: holds a %", id="bad-escape"),
        pytest.param(f"postgresql://u:{WORD}%00@h/d", "password: holds a control", id="nul"),
        pytest.param(f"postgresql://u:{WORD}%ff@h/d", "not UTF-8", id="not-utf-8"),
        pytest.param(f"postgresql://u:{WORD}\n@h/d", "blanks, control characters", id="newline"),
        pytest.param(f"{MYSQL}?init_command=DROP", "query: init_command: not allowed", id="mysql-command"),
        pytest.param(f"{MYSQL}?read_default_file=/root/.my.cnf", "query: read_default_file: not", id="mysql-file"),
        pytest.param(f"{MYSQL}?local_infile=1", "query: local_infile: not allowed", id="mysql-infile"),
        pytest.param(f"{MYSQL}?ssl_key=/root/key", "query: ssl_key: not allowed", id="mysql-key"),
        pytest.param(f"{MYSQL}?host=/run/x", "query: host: not allowed", id="mysql-host"),
        pytest.param(f"{MYSQL}?sslmode=require", "query: sslmode: not allowed", id="mysql-libpq"),
        pytest.param(f"{MYSQL}?ssl_mode=on", "ssl_mode: got a value that is none", id="mysql-mode"),
        pytest.param(f"{MYSQL}?ssl=true&ssl-mode=REQUIRED", "stands there twice", id="mysql-mode-twice"),
        pytest.param(f"{MYSQL}?ssl_mode=VERIFY_CA", "need ssl_ca=/FILE", id="mysql-no-authority"),
        pytest.param(f"{MYSQL}?ssl_mode=REQUIRED&ssl_ca=/a", "no other mode has it", id="mysql-unchecked"),
        pytest.param(f"{MYSQL}?charset=utf8mb4;x", "charset: got a value", id="mysql-charset"),
        pytest.param(f"{MYSQL}?unix_socket=/run/d/s", "expected one host", id="mysql-two-hosts"),
        pytest.param(f"mysql://u:{WORD}@/d?unix_socket=/tmp/s", "in a directory of its own", id="mysql-tmp"),
        pytest.param(f"mysql://u:{WORD}@/d?unix_socket=/run/../tmp/s", "an absolute path", id="mysql-upwards"),
        pytest.param(f"mysql://u:{WORD}@a,b/d", "host: expected one name", id="mysql-list"),
        pytest.param(f"oracle://u:{WORD}@h/d", "oracle is none of DATABASE=external", id="oracle"),
        pytest.param("sqlite:////srv/a", "set DATABASE=sqlite", id="sqlite"),
        pytest.param(f"{WORD}://h/d", "does not begin with postgresql:// or mysql://", id="secret-scheme"),
        pytest.param(WORD, "does not begin with postgresql://", id="no-url"),
        pytest.param("", "does not begin with postgresql://", id="empty"),
        pytest.param(f"postgresql://u:{WORD}@{'h' * 3000}/d", "more than 2000", id="long"),
    ],
)
def test_any_other_url_is_refused_and_not_repeated(url: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        read_server(url)
    assert why in str(raised.value) and "hunter2" not in str(raised.value)
