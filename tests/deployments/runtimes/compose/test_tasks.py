"""Which services are tasks, what they may wait for, and in which order they run."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from deployments.runtimes.compose.files import Names, Settled, one_shot_file, singleton_file, slot_file, task_file
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import Stack, read_stack
from deployments.runtimes.compose.read import read_model
from deployments.runtimes.compose.tasks import TIMEOUT_S, in_order, timeout_of
from gates.compose_roles import Role
from host.docker.engine import Engine
from host.errors import ConfigError

ENDS, RUNS, WELL = "service_completed_successfully", "service_started", "service_healthy"
FIRST = "sha256:" + "1" * 64


def service(role: str | None, *waits: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a service as compose prints it, that waits for others."""
    labels = {"slipway.role": role} if role else {}
    labels |= {"slipway.port": "8000"} if role == "slot" and "port" in more else {}
    labels |= more.pop("labels", {})
    more.pop("port", None)
    waited = {name: {"condition": how, "required": True} for name, how in waits}
    return {"image": "x", "labels": labels, **({"depends_on": waited} if waits else {}), **more}


def web(*waits: tuple[str, str]) -> dict[str, Any]:
    """Return the public service, which is built."""
    return service("slot", *waits, port=8000, build={"context": "."}, image="shop")


def stack(**services: dict[str, Any]) -> Stack:
    return read_stack({"name": "shop", "services": services}, "compose.yml", Reach("shop", "/artifact"))


# A service called init, another that may wait for it, and the role that init has.
ROLES = {
    "labelled": (service("task"), web(), Role.TASK),
    "labelled and waited for": (service("task"), web(("init", ENDS)), Role.TASK),
    "its end is waited for": (service(None), web(("init", ENDS)), Role.TASK),
    "that, and it is not restarted": (service(None, restart="no"), web(("init", ENDS)), Role.TASK),
    "that, and it is tried again": (service(None, restart="on-failure:3"), web(("init", ENDS)), Role.TASK),
    "its start is waited for": (service("singleton"), web(("init", RUNS)), Role.SINGLETON),
    "its health is waited for": (service("shared"), web(("init", WELL)), Role.SHARED),
    "nobody waits": (service("slot"), web(), Role.SLOT),
}


@pytest.mark.parametrize("case", ROLES)
def test_what_ends_is_a_task(case: str) -> None:
    init, other, role = ROLES[case]
    assert stack(web=other, init=init).roles["init"] is role


# Services beside web, and what is said of them.
REFUSED: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "a singleton that ends": (
        {"web": web(("init", ENDS)), "init": service("singleton", restart="on-failure")},
        "service init: depends_on of web waits for its end, and it is labelled singleton, which never ends; label it",
    ),
    "a slot that ends": ({"beat": service("singleton", ("init", ENDS)), "init": service("slot")}, "labelled slot"),
    "a shared one that ends": ({"web": web(("init", ENDS)), "init": service("shared")}, "labelled shared"),
    "a one-shot for which nobody waits": (
        {"init": service(None, restart="no")},
        "service init: no label, expected slipway.role: slot, singleton, shared or task (it is not kept running",
    ),
    "that, tried again": ({"init": service(None, restart="on-failure")}, "(it is not kept running"),
    "a task that waits for the app": (
        {"init": service("task", ("web", WELL))},
        "service init: depends_on web: a task runs before a slot starts",
    ),
    "a task that waits for a scheduler": (
        {"init": service("task", ("beat", RUNS)), "beat": service("singleton")},
        "depends_on beat: a task runs before a singleton starts",
    ),
    "a database that waits for a task": (
        {"init": service("task"), "db": service("shared", ("init", ENDS))},
        "service db: depends_on init: a task runs after the shared services",
    ),
    "two at once": ({"init": service("task", deploy={"replicas": 2})}, "service init: 2 replicas of a task"),
    "three at once": ({"init": service("task", scale=3)}, "service init: 3 replicas of a task"),
    "none": ({"init": service("task", scale=0)}, "service init: 0 replicas of a task"),
    "no limit of time": ({"init": service("task", labels={"slipway.timeout": "0"})}, 'slipway.timeout: got "0"'),
    "a limit below": ({"init": service("task", labels={"slipway.timeout": "-1"})}, 'slipway.timeout: got "-1"'),
    "a limit of words": ({"init": service("task", labels={"slipway.timeout": "10m"})}, "expected seconds > 0"),
    "a limit that is none": ({"init": service("task", labels={"slipway.timeout": "nan"})}, "expected seconds > 0"),
    "a limit of weeks": ({"init": service("task", labels={"slipway.timeout": "1000000"})}, "expected seconds > 0"),
    "an odd digit": ({"init": service("task", labels={"slipway.timeout": "\u00b2"})}, "expected seconds > 0"),
    "a limit of what never ends": (
        {"beat": service("singleton", labels={"slipway.timeout": "60"})},
        "service beat: slipway.timeout: only a task ends",
    ),
    "a task that is root": ({"init": service("task", user="0")}, "user 0: a task service does not run as root"),
    "a task that mounts the host": (
        {"init": service("task", volumes=[{"type": "bind", "source": "/etc", "target": "/x"}])},
        "service init: it mounts /etc of the host",
    ),
    "a word that is no role": (
        {"init": service("job")},
        'got "job", expected slipway.role: slot, singleton, shared or',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_is_refused_with_the_way_out(case: str) -> None:
    services, why = REFUSED[case]
    with pytest.raises(ConfigError) as refused:
        stack(**{"web": web(), **services})
    assert why in str(refused.value)


def test_a_task_has_a_limit_of_time() -> None:
    assert timeout_of(service("task")) == TIMEOUT_S
    for text, seconds in (("90", 90.0), ("0.5", 0.5), ("86400", 86400.0)):
        assert timeout_of(service("task", labels={"slipway.timeout": text})) == seconds


# Tasks with the tasks that each waits for, and the order in which they run.
ORDERS = {
    "as the file has them": ({"b": (), "a": ()}, ["b", "a"]),
    "after what it waits for": ({"a": ("b",), "b": ()}, ["b", "a"]),
    "a chain": ({"a": ("b",), "b": ("c",), "c": ()}, ["c", "b", "a"]),
    "one for two": ({"a": ("c",), "b": ("c",), "c": ()}, ["c", "a", "b"]),
    "two for one": ({"a": ("b", "c"), "c": (), "b": ()}, ["c", "b", "a"]),
    "what is none of them": ({"a": ("db",), "b": ()}, ["a", "b"]),
    "a circle": ({"a": ("b",), "b": ("a",)}, ["a", "b"]),
}


@pytest.mark.parametrize("case", ORDERS)
def test_tasks_run_after_those_for_which_they_wait(case: str) -> None:
    given, wanted = ORDERS[case]
    services = {name: service("task", *((one, ENDS) for one in waits)) for name, waits in given.items()}
    assert in_order(services, list(services)) == wanted


@pytest.mark.fuzz
@settings(deadline=None, derandomize=True)
@given(some.dictionaries(some.sampled_from("abcdef"), some.lists(some.sampled_from("abcdefx"), max_size=4)))
def test_any_order_has_each_task_once_and_none_before_what_it_waits_for(waits: dict[str, list[str]]) -> None:
    services = {name: service("task", *((one, ENDS) for one in given)) for name, given in waits.items()}
    order = in_order(services, list(services))
    assert sorted(order) == sorted(services)
    place = {name: number for number, name in enumerate(order)}
    late = [(name, one) for name, given in waits.items() for one in given if one in place and place[one] >= place[name]]
    assert not late or order == list(services)  # a circle


LABELS = some.dictionaries(
    some.sampled_from(["slipway.role", "slipway.timeout", "slipway.port", "other"]),
    some.one_of(some.sampled_from(["task", "slot", "shared", "singleton", "60"]), some.text(max_size=4), some.none()),
)
CONDITIONS = some.fixed_dictionaries({"condition": some.sampled_from([ENDS, RUNS, WELL])})
SERVICE = some.fixed_dictionaries(
    {"image": some.just("x"), "labels": LABELS},
    optional={
        "depends_on": some.dictionaries(some.sampled_from(["web", "a", "b", "c"]), CONDITIONS),
        "restart": some.sampled_from(["no", "always", "on-failure", "unless-stopped"]),
        "scale": some.integers(0, 3),
    },
)


@pytest.mark.fuzz
@settings(deadline=None, derandomize=True)
@given(some.dictionaries(some.sampled_from("abc"), SERVICE))
def test_any_services_have_roles_that_are_kept_or_are_refused(services: dict[str, Any]) -> None:
    try:
        read = stack(web=web(), **services)
    except ConfigError:
        return
    for name in services:
        for other, how in (read.service(name).get("depends_on") or {}).items():
            assert how["condition"] != ENDS or read.roles.get(other, Role.TASK) is Role.TASK
    for name in read.services(Role.TASK):
        assert 0 < timeout_of(read.service(name)) <= 86400


def test_a_task_is_run_as_the_app_is_and_ends() -> None:
    given = service("task", ("db", WELL), command=["load"], build={"context": "."}, restart="always", scale=1)
    given |= {"deploy": {"restart_policy": {"condition": "any"}, "replicas": 1}, "healthcheck": {"test": ["CMD", "x"]}}
    given |= {"ports": [{"target": 1}], "environment": {"A": "b"}}
    read = stack(web=web(("init", ENDS)), init=given, db=service("shared"), beat=service("singleton", ("init", ENDS)))
    settled = Settled(Names("shop", {"o": "1"}), FIRST, "d1", {"COLOR": "red"})
    file = one_shot_file(read, settled, "init", 5)
    assert file["name"] == "shop-task" and list(file["services"]) == ["init"]
    init = file["services"]["init"]
    assert (init["image"], init["command"], init["restart"]) == (FIRST, ["load"], "no")
    assert init["healthcheck"] == {"disable": True} and init["environment"] == {"A": "b", "COLOR": "red"}
    assert init["deploy"] == {"replicas": 1} and init["read_only"] and init["cap_drop"] == ["ALL"]
    assert not {"ports", "depends_on", "build"} & init.keys()
    assert init["labels"]["slipway.role"] == "task" and init["labels"]["slipway.digest"] == "d1"
    assert "restart_policy" not in task_file(read, settled, ("x",), {})["services"]["task"].get("deploy", {})
    slot, singleton = slot_file(read, settled, "blue", 1, 5), singleton_file(read, settled, 5)
    assert list(slot["services"]) == ["web-blue"] and list(singleton["services"]) == ["beat"]
    assert "depends_on" not in slot["services"]["web-blue"] and not singleton["services"]["beat"].get("depends_on")


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
def test_what_public_projects_write_is_understood(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("""
services:
  web:
    build: .
    labels: {slipway.role: slot, slipway.port: "8000"}
    depends_on: {init: {condition: service_completed_successfully}, db: {condition: service_healthy}}
  beat:
    build: .
    command: celery beat
    labels: {slipway.role: singleton}
    depends_on: {init: {condition: service_completed_successfully, required: false}}
  init:
    build: .
    command: python manage.py loaddata initial
    restart: "no"
    depends_on: {buckets: {condition: service_completed_successfully}, db: {condition: service_started}}
  buckets:
    image: minio/mc
    entrypoint: mc mb --ignore-existing local/shop
    labels: {slipway.timeout: 60}
  db: {image: "postgres:16", labels: {slipway.role: shared}}
""")
    model, problems, _ = read_model(Engine(), tmp_path / "compose.yml", tmp_path, "shop", {}, [])
    read = read_stack(model, "compose.yml", Reach("shop", str(tmp_path.resolve())), problems)
    assert sorted(read.services(Role.TASK)) == ["buckets", "init"]
    assert in_order(read.model["services"], read.services(Role.TASK)) == ["buckets", "init"]
    assert (timeout_of(read.service("buckets")), timeout_of(read.service("init"))) == (60.0, TIMEOUT_S)
    assert read.runs == {"web": "web", "beat": "beat", "init": "init"}
