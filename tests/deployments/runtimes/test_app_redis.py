"""An external Redis of the runtime `process`: told to the app in its sandbox, masked, and asked before a release."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.preflight import preflight
from deployments.runtimes.app_redis import AppRedis
from gates.verdict import Action
from host.databases.redis import fresh_redis
from host.docker.engine import Engine
from host.errors import ConfigError
from tasks.source.suite_services import find_redis
from tests.deployments.runtimes.test_databases import NO_IMAGE, migrate
from tests.deployments.shop import APP, Shop

PINGS = """\
import os, socket, sys
from urllib.parse import urlsplit
if sys.argv[1] == "migrate":
    parts = urlsplit(os.environ["REDIS_URL"])
    with socket.create_connection((parts.hostname, parts.port), 60) as connection:
        connection.sendall(f"AUTH {parts.password}\\r\\nPING\\r\\nQUIT\\r\\n".encode())
        said = b"".join(iter(lambda: connection.recv(100), b""))
    sys.exit(print(os.environ["REDIS_URL"], said.decode().split()))
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with fresh_redis(find_redis(), tmp_path / "redis", 3600) as made:
        yield made


def shop(folder: Path, url: str) -> Shop:
    (folder / "url").write_text(url + "\n")
    return Shop(folder, "process", Engine(), f"DATABASE=none\nREDIS_URL=file:{folder / 'url'}\n")


def test_the_app_reaches_it_and_the_secret_is_masked(tmp_path: Path, url: str) -> None:
    made = shop(tmp_path, url)
    place = made.place()
    place.directory.mkdir(parents=True)
    said = migrate(place, made.read(made.artifact("good", image=NO_IMAGE, app=PINGS + APP)))
    assert said == f"redis://***@{url.partition('@')[2]} ['+OK', '+PONG', '+OK']"
    assert AppRedis(place).problems() == []
    assert AppRedis(place).notes() == [f"The app uses the external Redis at {url.partition('@')[2].partition('/')[0]}."]


def test_one_that_does_not_answer_stops_a_release(tmp_path: Path) -> None:
    made = shop(tmp_path, "redis://:hunter2hunter2@127.0.0.1:1/0")
    place = made.place()
    place.directory.mkdir(parents=True)
    verdict = preflight(place, made.vouched("good", NO_IMAGE)).verdict
    assert verdict.action is Action.STOP and "hunter2" not in verdict.reason
    assert "the external Redis at 127.0.0.1:1 does not answer: " in verdict.reason
    assert AppRedis(place).notes() == []


def test_a_url_that_cannot_be_is_named_with_its_key_and_not_repeated(tmp_path: Path) -> None:
    place = shop(tmp_path, "redis://:hunter2hunter2@a,b/0").place()
    (problem,) = AppRedis(place).problems()
    assert problem.startswith("config/production.env: REDIS_URL: host: expected one name") and "hunter2" not in problem
    with pytest.raises(ConfigError, match="REDIS_URL"):
        AppRedis(place).variables()


def test_the_app_sees_the_socket_and_the_certificates_and_nothing_without_a_redis(tmp_path: Path) -> None:
    place = shop(tmp_path, "unix://app:p@/run/shop/redis.sock?db=1").place()
    assert AppRedis(place).read_only == (Path("/run/shop"),)
    (problem,) = AppRedis(place).problems()
    assert problem.startswith("Redis: /run/shop is given to no sandbox") and "by TCP instead" in problem
    (tmp_path / "url").write_text("rediss://:p@h/0?ssl_ca_certs=/etc/ca.pem")
    assert AppRedis(place).read_only == (Path("/etc/ca.pem"),)
    (tmp_path / "url").write_text("rediss://:p@h/0?ssl_ca_certs=/etc/ssl/certs/ca.pem")
    assert AppRedis(place).read_only == ()
    (tmp_path / "none").mkdir()
    none = AppRedis(Shop(tmp_path / "none", "process", Engine()).place())
    assert (none.read_only, none.variables(), none.secrets(), none.problems(), none.notes()) == ((), {}, [], [], [])
