"""URLs of an external Redis, read strictly and told anew, and what keeps a release from one."""

import pytest

from gates.databases.redis_url import RedisFacts, RedisServer, read_redis, redis_notes, redis_problems

WORD = "hunter2hunter2"
BASE = f"redis://app:{WORD}@cache.example.com"


@pytest.mark.parametrize(
    ("url", "expected", "told"),
    [
        pytest.param("redis://h", RedisServer("redis", "h"), "redis://h:6379/0", id="host-alone"),
        pytest.param(
            f"{BASE}:6380/3",
            RedisServer("redis", "cache.example.com", 6380, "app", WORD, 3),
            f"{BASE}:6380/3",
            id="user",
        ),
        pytest.param(
            "redis://:a%2Fb%25@[::1]/",
            RedisServer("redis", "::1", 6379, "", "a/b%"),
            "redis://:a%2Fb%25@[::1]:6379/0",
            id="six",
        ),
        pytest.param(
            "rediss://:p@h/1?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/etc/ca.pem",
            RedisServer(
                "rediss", "h", 6379, "", "p", 1, (("ssl_cert_reqs", "CERT_REQUIRED"), ("ssl_ca_certs", "/etc/ca.pem"))
            ),
            "rediss://:p@h:6379/1?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/etc/ca.pem",
            id="tls",
        ),
        pytest.param(
            "unix://app:p@/run/redis/s?db=2",
            RedisServer("unix", "/run/redis/s", 6379, "app", "p", 2),
            "unix://app:p@/run/redis/s?db=2",
            id="socket",
        ),
    ],
)
def test_a_url_is_read_and_told_anew(url: str, expected: RedisServer, told: str) -> None:
    assert read_redis(url) == expected and expected.url == told
    assert WORD not in repr(expected) and WORD not in expected.shown


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param(
            f"{BASE}?ssl_ca_certs=/etc/ca", "ssl_ca_certs: not allowed; allowed with redis://", id="tls-of-plain"
        ),
        pytest.param(f"{BASE}?{WORD}=1", "a key that is none", id="secret-key"),
        pytest.param(f"{BASE}?db=1", "query: db: not allowed", id="two-databases"),
        pytest.param(f"{BASE}?protocol=3&protocol=2", "stands there twice", id="twice"),
        pytest.param(f"{BASE}?socket_timeout=soon", "got a value that is none of it", id="value"),
        pytest.param(f"redis://app:{WORD}@a,b/0", "expected one name or address", id="list"),
        pytest.param(f"redis://app:{WORD}@a:1,b:2/0", "cannot be read", id="list-with-ports"),
        pytest.param(f"{BASE}/name", "a database of digits", id="name"),
        pytest.param(f"{BASE}:0/0", "a port of 1 to 65535", id="port-0"),
        pytest.param(f"redis://{WORD}@h/0", "a user and no password", id="user-alone"),
        pytest.param(f"redis://:{WORD}%ff@h/0", "not UTF-8", id="not-utf-8"),
        pytest.param(f"redis://:{WORD}%00@h/0", "a control character", id="nul"),
        pytest.param(f"redis://:{WORD}%zz@h/0", "encodes nothing", id="bad-escape"),
        pytest.param(f"unix://:{WORD}@h/run/redis/s", "an absolute path behind the @", id="socket-with-host"),
        pytest.param(f"unix://:{WORD}@/run/../tmp/x/s", "an absolute path", id="upwards"),
        pytest.param(f"unix://:{WORD}@/tmp/s", "in a directory of its own", id="tmp"),
        pytest.param(f"redis+sentinel://:{WORD}@h/0", "does not begin with redis://", id="sentinel"),
        pytest.param(WORD, "does not begin with redis://", id="no-url"),
        pytest.param(f"redis://:{WORD}@h /0", "blanks", id="blank"),
        pytest.param(f"redis://:{WORD}@{'h' * 3000}", "more than 2000", id="long"),
    ],
)
def test_any_other_url_is_refused_and_not_repeated(url: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        read_redis(url)
    assert why in str(raised.value) and "hunter2" not in str(raised.value)


def test_a_replica_is_refused_and_what_is_not_known_or_not_safe_is_noted() -> None:
    away, near = read_redis(BASE), read_redis("redis://127.0.0.1")
    assert (
        redis_problems(RedisFacts(True)) and not redis_problems(RedisFacts(False)) and not redis_problems(RedisFacts())
    )
    assert "WITHOUT TLS" in redis_notes(away, RedisFacts(False))[0]
    assert redis_notes(near, RedisFacts(False)) == ["The app uses the external Redis at 127.0.0.1:6379."]
    assert "may not ask whether it is a replica" in redis_notes(near, RedisFacts())[0]
    assert "NOBODY CHECKS" in redis_notes(read_redis("rediss://h?ssl_cert_reqs=none"), RedisFacts(False))[0]
    assert "TLS" not in redis_notes(read_redis("rediss://h"), RedisFacts(False))[0]
