"""URLs of external servers, read strictly: nothing in one sends the app elsewhere, and no message repeats a secret."""

import pytest

from gates.databases.address import Server, read_server

WORD = "hunter2hunter2"
BASE = f"postgresql://shop:{WORD}@db.example.com"


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
        pytest.param(f"mysql+pymysql://u:{WORD}@h/d", "mysql is not supported yet", id="mysql"),
        pytest.param(f"mariadb://u:{WORD}@h/d", "mysql is not supported yet", id="mariadb"),
        pytest.param("sqlite:////srv/a", "set DATABASE=sqlite", id="sqlite"),
        pytest.param(f"{WORD}://h/d", "does not begin with postgresql://", id="secret-scheme"),
        pytest.param(WORD, "does not begin with postgresql://", id="no-url"),
        pytest.param("", "does not begin with postgresql://", id="empty"),
        pytest.param(f"postgresql://u:{WORD}@{'h' * 3000}/d", "more than 2000", id="long"),
    ],
)
def test_any_other_url_is_refused_and_not_repeated(url: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        read_server(url)
    assert why in str(raised.value) and "hunter2" not in str(raised.value)
