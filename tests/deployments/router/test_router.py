"""The router against the real Envoy and real backends."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from deployments.router.bootstrap import Edge
from deployments.router.exec_locked import TAKEN
from deployments.router.router import PREVIEW_HEADER, Envoy, Routing, envoy_binary
from host.errors import ConfigError, RouterError, ToolError
from host.ports import LOCAL, Endpoint, free_port
from host.sandbox.run import ROUTER_UID
from tests.deployments.running import CHECKOUT, SECRET, Running, backend, routing
from tests.waiting import wait_for

BLUE = (Endpoint(LOCAL, 1),)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    envoy = Running(tmp_path)
    try:
        envoy.start()
        yield envoy
    finally:
        envoy.kill()


@pytest.fixture
def release() -> threading.Event:
    return threading.Event()


@pytest.fixture
def blue(release: threading.Event) -> Iterator[int]:
    with backend("blue", release) as port:
        yield port


@pytest.fixture
def green(release: threading.Event) -> Iterator[int]:
    with backend("green", release) as port:
        yield port


def test_nothing_live_is_said_by_the_router(running: Running) -> None:
    answer = running.get()
    assert answer.status_code == 503
    assert "no version" in answer.text
    assert running.router.ready()
    assert running.router.counters() == {}


def test_every_endpoint_of_a_slot_answers_and_one_that_is_gone_costs_nothing(
    running: Running, blue: int, green: int
) -> None:
    both = (Endpoint(LOCAL, blue), Endpoint(LOCAL, green))
    running.router.publish(Routing("e1-r1", {"blue": both}, {"blue": 100}, None, SECRET))
    assert {running.slot() for _ in range(60)} == {"blue", "green"}
    dead = Endpoint(LOCAL, free_port())
    running.router.publish(Routing("e1-r2", {"blue": (both[0], dead)}, {"blue": 100}, None, SECRET))
    assert {running.slot() for _ in range(20)} == {"blue"}
    assert running.router.drain("blue", deadline_s=15).clean


def test_weights_decide_who_answers(running: Running, blue: int, green: int) -> None:
    router = running.router
    assert router.publish(routing("e1-r1", {"blue": blue}, "blue")) > 0
    assert router.version() == "e1-r1"
    assert running.slot() == "blue"
    router.publish(routing("e1-r2", {"blue": blue, "green": green}, {"blue": 50, "green": 50}))
    assert {running.slot() for _ in range(60)} == {"blue", "green"}
    router.publish(routing("e1-r3", {"green": green}, "green"))
    assert {running.slot() for _ in range(10)} == {"green"}
    # One is added and the other removed at once.
    router.publish(routing("e1-r4", {"blue": blue}, "blue"))
    assert {running.slot() for _ in range(10)} == {"blue"}
    assert router.version() == "e1-r4"
    router.publish(routing("e1-r5", {}, None))
    assert running.get().status_code == 503


def test_the_same_routing_is_confirmed_under_a_new_version_and_again(running: Running, blue: int) -> None:
    for version in ("e1-r1", "e1-r2", "e1-r2"):
        running.router.publish(routing(version, {"blue": blue}, "blue"))
        assert running.router.version() == version


def test_preview_needs_the_secret_which_no_app_sees(running: Running, blue: int, green: int) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue, "green": green}, "blue", preview="green"))
    assert running.slot() == "blue"
    assert running.slot(preview="guess") == "blue"
    preview, public, guess = running.get(preview=SECRET), running.get(), running.get(preview="guess")
    assert preview.json()["slot"] == "green"
    assert preview.headers["x-slipway-slot"] == "green"
    assert "x-slipway-slot" not in public.headers
    assert PREVIEW_HEADER not in preview.json()["headers"]
    assert PREVIEW_HEADER not in guess.json()["headers"]
    running.router.publish(routing("e1-r2", {"blue": blue, "green": green}, "blue"))
    assert running.slot(preview=SECRET) == "blue"


def test_what_holds_the_secret_is_for_us_and_the_router_only(running: Running, blue: int) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue}, "blue", preview="blue"))
    paths = [path for path in running.router.directory.rglob("*.json") if SECRET in path.read_text()]
    assert paths
    routers = ROUTER_UID if os.geteuid() == 0 else os.getegid()  # as root a group of its own
    for path, mode in [*((path, 0o640) for path in paths), (running.router.directory, 0o750)]:
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, os.geteuid(), routers)
    assert stat.S_IMODE(running.router.admin_socket.stat().st_mode) == 0o600
    assert SECRET not in running.log.read_text()


def test_clients_cannot_order_the_router_about(running: Running, blue: int, release: threading.Event) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue}, "blue"))
    threading.Timer(0.3, release.set).start()
    answer = httpx.get(
        f"http://127.0.0.1:{running.router.edge.port}/slow",
        headers={"x-envoy-upstream-rq-timeout-ms": "1", "x-request-id": "mine"},
        trust_env=False,
    )
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "mine"


def test_a_refused_configuration_leaves_the_old_one_serving(running: Running, blue: int) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue}, "blue"))
    with pytest.raises(RouterError, match="refused version e1-r2 .* e1-r1 is back in effect"):
        running.router.publish(routing("e1-r2", {"blue": blue, "green": 70_000}, "green"))
    assert running.router.version() == "e1-r1"
    assert running.slot() == "blue"
    running.kill()
    running.start()
    assert running.slot() == "blue"
    assert running.router.version() == "e1-r1"


def test_a_half_applied_refusal_is_undone(running: Running, blue: int, green: int) -> None:
    """Envoy takes the good clusters of a document that it refuses for another one."""
    running.router.publish(routing("e1-r1", {"blue": blue}, "blue"))
    with pytest.raises(RouterError):
        running.router.publish(routing("e1-r2", {"blue": green, "green": 70_000}, "blue"))
    assert {running.slot() for _ in range(10)} == {"blue"}


def test_a_publisher_that_died_half_way_is_healed_by_the_next(running: Running, blue: int) -> None:
    router = running.router
    before = routing("e1-r1", {"blue": blue}, "blue")
    router.publish(before)
    script = (
        "import os, sys; from pathlib import Path; from deployments.router.router import Edge, Envoy, Routing\n"
        "from host.ports import Endpoint\n"
        "Envoy._confirm = lambda *_: os.kill(os.getpid(), 9)\n"
        "router = Envoy(Path(sys.argv[1]), Path(sys.argv[2]), Edge(1))\n"
        "router.publish(Routing('e1-r2', {'green': (Endpoint('127.0.0.1', 70000),)}, {'green': 100}, None, ''))\n"
    )
    arguments = [str(router.directory), str(router.admin_socket.parent.parent)]
    died = subprocess.run([sys.executable, "-c", script, *arguments], cwd=CHECKOUT, timeout=600)
    assert died.returncode == -9
    assert running.slot() == "blue"
    running.kill()
    running.start()
    # The refused document is on disk: Envoy calls itself live and serves nothing.
    assert router.version() is None
    assert not router.ready()
    with pytest.raises(RouterError, match="refused .* e1-r1 is back in effect"):
        router.publish(routing("e2-r1", {"green": 70_000}, "green"))
    assert router.ready()
    assert running.slot() == "blue"
    router.publish(before)
    assert router.version() == "e1-r1"


def test_an_accepted_configuration_is_what_a_refused_one_falls_back_to(running: Running, blue: int, green: int) -> None:
    router = running.router
    for number, slot in enumerate(("blue", "green", "blue"), start=1):
        router.publish(routing(f"e1-r{number}", {"blue": blue, "green": green}, slot))
    with pytest.raises(RouterError, match="e1-r3 is back"):
        router.publish(routing("e1-r4", {"blue": 70_000, "green": green}, "green"))
    assert running.slot() == "blue"


def test_an_interrupted_publisher_puts_the_old_files_back(
    running: Running, blue: int, green: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = running.router
    router.publish(routing("e1-r1", {"blue": blue}, "blue"))
    confirm = Envoy._confirm

    def interrupted(self: Envoy, admin: object, name: str, version: str, before: object) -> None:
        if (name, version) == ("rds.json", "e1-r2"):
            raise KeyboardInterrupt
        confirm(self, admin, name, version, before)  # type: ignore[arg-type]

    monkeypatch.setattr(Envoy, "_confirm", interrupted)
    with pytest.raises(KeyboardInterrupt):
        router.publish(routing("e1-r2", {"blue": blue, "green": green}, "green"))
    assert router.version() == "e1-r1"
    assert {running.slot() for _ in range(10)} == {"blue"}


def test_an_absent_router_is_reported_and_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.router.router.CONFIRM_DEADLINE_S", 0.1)
    router = Envoy(tmp_path / "router", tmp_path / "run", Edge(free_port()))
    router.prepare()
    before = (router.directory / "dyn" / "rds.json").read_bytes()
    with pytest.raises(RouterError, match="not live .* nothing was changed"):
        router.publish(routing("e1-r1", {"blue": 1}, "blue"))
    assert (router.directory / "dyn" / "rds.json").read_bytes() == before
    assert router.version() is None
    assert not router.ready()
    with pytest.raises(RouterError, match="make up"):
        router.counters()


def test_a_router_that_dies_unconfirmed_has_the_good_files_on_disk(
    running: Running, blue: int, green: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = running.router
    router.publish(routing("e1-r1", {"blue": blue}, "blue"))
    confirm = Envoy._confirm

    def dies(self: Envoy, admin: object, name: str, version: str, before: object) -> None:
        if name == "rds.json":
            running.kill()
        confirm(self, admin, name, version, before)  # type: ignore[arg-type]

    monkeypatch.setattr(Envoy, "_confirm", dies)
    with pytest.raises(RouterError, match="e1-r1 is on disk again but not confirmed"):
        router.publish(routing("e1-r2", {"blue": blue, "green": green}, "green"))
    monkeypatch.undo()
    running.start()
    assert router.version() == "e1-r1"
    assert running.slot() == "blue"


def test_killed_and_restarted_it_serves_the_same(running: Running, blue: int) -> None:
    running.router.publish(routing("e1-r1", {"blue": blue}, "blue"))
    running.kill()
    assert running.router.version() is None
    running.start()
    assert running.slot() == "blue"
    wait_for(lambda: running.router.version() == "e1-r1", "the version of before")


def test_a_second_router_of_the_same_directory_does_not_start(running: Running) -> None:
    second = subprocess.run(running.router.command(), capture_output=True, text=True, timeout=600)
    assert second.returncode == TAKEN
    assert "already running here" in second.stderr


def test_a_router_of_another_directory_does_not_share_the_port(running: Running, tmp_path: Path) -> None:
    stray = Envoy(tmp_path / "stray", tmp_path / "stray-run", Edge(running.router.edge.port))
    stray.prepare()
    second = subprocess.run(stray.command(), capture_output=True, text=True, timeout=600)
    assert second.returncode == TAKEN
    assert f"127.0.0.1:{running.router.edge.port}" in second.stderr


def test_counters_are_kept_for_each_slot(running: Running, blue: int, green: int) -> None:
    router = running.router
    dead = free_port()
    ports = {"blue": blue, "green": green, "grey": dead}
    router.publish(routing("e1-r1", ports, "blue", preview="green"))
    for path in ("/", "/", "/fail"):
        running.get(path)
    running.get(preview=SECRET)
    router.publish(routing("e1-r2", ports, "blue", preview="grey"))
    assert running.get(preview=SECRET).status_code == 503

    def complete() -> bool:
        buckets = router.counters()["blue"].time_buckets_ms
        return bool(buckets) and buckets[-1] == (float("inf"), 3)

    wait_for(complete, "response times of three requests (flushed every second)")
    seen = router.counters()
    assert dict(seen["blue"].responses) == {"2xx": 2, "5xx": 1}
    assert dict(seen["green"].responses) == {"2xx": 1}
    assert dict(seen["grey"].responses) == {"5xx": 1}
    assert seen["grey"].connect_failures > 0
    assert seen["blue"].connect_failures == 0
    assert len(seen["blue"].time_buckets_ms) > 10
    router.publish(routing("e1-r3", {"blue": blue, "green": dead}, "blue"))
    assert dict(router.counters()["blue"].responses) == {"2xx": 2, "5xx": 1}
    assert dict(router.counters()["green"].responses) == {}


def test_a_drain_sees_a_slow_request_and_its_end(
    running: Running, blue: int, green: int, release: threading.Event
) -> None:
    router = running.router
    router.publish(routing("e1-r1", {"blue": blue, "green": green}, "blue"))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(running.get, "/slow")
        wait_for(lambda: router.counters()["blue"].active == 1, "the slow request to arrive")
        router.publish(routing("e1-r2", {"blue": blue, "green": green}, "green"))
        assert running.slot() == "green"
        late = router.drain("blue", deadline_s=0.5)
        assert (late.clean, late.still_active) == (False, 1)
        threading.Timer(0.2, release.set).start()
        done = router.drain("blue", deadline_s=15)
        assert (done.clean, done.still_active) == (True, 0)
        assert slow.result().json()["slot"] == "blue"
    with pytest.raises(RouterError, match="no slot 'violet'"):
        router.drain("violet", deadline_s=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": "two words"}, "version"),
        ({"version": ""}, "version"),
        ({"weights": {"blue": 99}}, "add up to 99"),
        ({"weights": {"blue": 101, "green": -1}}, "at least 0"),
        ({"weights": {"green": 100}}, "without an endpoint: green"),
        ({"endpoints": {"blue": ()}}, "without an endpoint: blue"),
        ({"preview_slot": "green"}, "without an endpoint: green"),
        ({"endpoints": {"Blue/../x": BLUE}, "weights": {}}, "endpoints"),
        ({"preview_slot": "blue", "preview_secret": ""}, "preview_secret"),
    ],
)
def test_a_contradictory_routing_is_refused(changed: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "version": "r1",
        "endpoints": {"blue": BLUE},
        "weights": {"blue": 100},
        "preview_slot": None,
        "preview_secret": SECRET,
    }
    Routing(**good)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        Routing(**{**good, **changed})  # type: ignore[arg-type]


def test_a_routing_goes_through_the_journal_without_its_secret() -> None:
    value = routing("e1-r1", {"blue": 1, "green": 2}, {"blue": 95, "green": 5}, preview="green")
    written = value.to_dict()
    assert SECRET not in json.dumps(written)
    assert SECRET not in repr(value)
    assert written == {
        "version": "e1-r1",
        "ports": {"blue": 1, "green": 2},
        "weights": {"blue": 95, "green": 5},
        "preview_slot": "green",
    }


def test_the_binary_can_be_overridden_and_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert envoy_binary().name == "envoy"
    monkeypatch.setenv("ENVOY_PATH", sys.executable)
    assert envoy_binary() == Path(sys.executable)
    monkeypatch.setenv("ENVOY_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ToolError, match="nowhere"):
        envoy_binary()


def test_a_socket_path_that_does_not_fit_is_refused_before_start(tmp_path: Path) -> None:
    router = Envoy(tmp_path, tmp_path / ("long" * 30), Edge(1))
    with pytest.raises(ConfigError, match="SLIPWAY_HOME"):
        router.prepare()


def test_paths_with_spaces_and_accents_work(tmp_path: Path, blue: int) -> None:
    directory = tmp_path / "une forêt"
    directory.mkdir()
    envoy = Running(directory)
    try:
        envoy.start()
        envoy.router.publish(routing("e1-r1", {"blue": blue}, "blue"))
        assert envoy.slot() == "blue"
    finally:
        envoy.kill()
