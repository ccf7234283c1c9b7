"""Whatever stands in a model: a stack, or a ConfigError that names the file."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.runtimes.compose.allowed import SERVICE, TOP, Model
from deployments.runtimes.compose.files import Names, Settled, shared_file, singleton_file, slot_file, task_file
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import Stack, read_stack
from gates.compose_roles import Role
from host.errors import ConfigError

REACH = Reach("shop", "/src", ("/data",), ("volume/backups",), ("TOKEN",), ("/home/slipway",))
WEB: dict[str, Any] = {
    "image": "x",
    "labels": {"slipway.role": "slot"},
    "expose": ["8000"],
    "networks": {"default": None},
    "environment": {"TOKEN": None, "A": "b"},
    "volumes": [{"type": "volume", "source": "data", "target": "/d"}],
    "configs": [{"source": "c"}],
    "secrets": [{"source": "token"}],
    "ports": [{"target": 8000}],
    "deploy": {"resources": {"limits": {"memory": "1g"}}},
    "healthcheck": {"test": ["CMD", "true"]},
    "depends_on": {"db": {"condition": "service_healthy"}},
    "logging": {"driver": "local", "options": {"max-size": "1m"}},
    "ulimits": {"nofile": {"soft": 1, "hard": 2}},
    "tmpfs": ["/run:size=1m"],
    "post_start": [{"command": ["x"]}],
}
WHOLE: dict[str, Any] = {
    "name": "shop",
    "services": {"web": WEB, "db": {"image": "postgres:16", "labels": {"slipway.role": "shared"}}},
    "networks": {"default": {"name": "shop_default", "ipam": {}}},
    "volumes": {"data": {"name": "shop_data"}},
    "configs": {"c": {"content": "x"}},
    "secrets": {"token": {"name": "shop_token", "file": "/x"}},
}


def test_the_model_that_the_others_change_is_accepted() -> None:
    assert read_stack(WHOLE, "c.yml", REACH).public == "web"


PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "the file": lambda model: model,
    "service web": lambda model: model["services"]["web"],
    "service web: deploy": lambda model: model["services"]["web"]["deploy"],
    "service web: deploy.resources": lambda model: model["services"]["web"]["deploy"]["resources"],
    "service web: deploy.resources.limits": lambda model: model["services"]["web"]["deploy"]["resources"]["limits"],
    "service web: healthcheck": lambda model: model["services"]["web"]["healthcheck"],
    "service web: logging": lambda model: model["services"]["web"]["logging"],
    "service web: logging.options": lambda model: model["services"]["web"]["logging"]["options"],
    "service web: ports": lambda model: model["services"]["web"]["ports"][0],
    "service web: volumes": lambda model: model["services"]["web"]["volumes"][0],
    "service web: depends_on.db": lambda model: model["services"]["web"]["depends_on"]["db"],
    "service web: configs": lambda model: model["services"]["web"]["configs"][0],
    "service web: secrets": lambda model: model["services"]["web"]["secrets"][0],
    "service web: post_start": lambda model: model["services"]["web"]["post_start"][0],
    "service web: ulimits": lambda model: model["services"]["web"]["ulimits"],
    "service web: ulimits.nofile": lambda model: model["services"]["web"]["ulimits"]["nofile"],
    "network default": lambda model: model["networks"]["default"],
    "volume data": lambda model: model["volumes"]["data"],
    "config c": lambda model: model["configs"]["c"],
    "secret token": lambda model: model["secrets"]["token"],
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("key", ["a_key_of_tomorrow", "privilegd"])
def test_a_key_that_nobody_knows_is_refused_by_name(part: str, key: str) -> None:
    model = copy.deepcopy(WHOLE)
    PARTS[part](model)[key] = 1
    with pytest.raises(ConfigError) as raised:
        read_stack(model, "c.yml", REACH)
    said = str(raised.value)
    assert said.startswith("c.yml: ") and key in said and "not allowed" in said
    assert part == "the file" or part.partition(":")[0] in said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"services": {1: WEB}}, "the key 1 is no text"),
        ({"services": {"web": {**WEB, "environment": {None: "x"}}}}, "the key None is no text"),
        ({"services": []}, "services"),
        ({"services": {"web": None}}, "service web"),
        ({"services": {"web": {**WEB, "labels": ["slipway.role=slot"]}}}, "labels"),
        ({"services": {"web": {**WEB, "networks": {"other": None}}}}, "the network other is not in the file"),
        ({"volumes": {}}, "the volume data is not in the file"),
        ({"configs": {}}, "the config c is not in the file"),
        ({"secrets": {}}, "the secret token is not in the file"),
        ({"services": {"web": {**WEB, "ports": [{}], "expose": []}}}, "none has a port"),
        ({"services": {"web": {**WEB, "labels": {"slipway.role": "slot", "slipway.port": "9" * 5000}}}}, "1 to 65535"),
        ({"services": {"web": {**WEB, "labels": {"slipway.role": "slot", "slipway.port": "65536"}}}}, 'got "65536"'),
        ({"services": {"web": {**WEB, "labels": {"slipway.role": "slot", "slipway.port": "\u0668"}}}}, "1 to 65535"),
        ({"services": {"web": {**WEB, "volumes": [{"type": "bind", "target": "/x"}]}}}, "it mounts "),
        ({"services": {"web": {**WEB, "scale": "2"}}}, "scale"),
        ({"networks": {"default": {}}}, "network default"),
    ],
)
def test_what_compose_would_not_print_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_stack({**WHOLE, **change}, "c.yml", REACH)
    assert why in str(raised.value)


def test_a_port_at_the_limit_is_accepted() -> None:
    labels = {"slipway.role": "slot", "slipway.port": "65535"}
    assert read_stack({**WHOLE, "services": {**WHOLE["services"], "web": {**WEB, "labels": labels}}}, "c", REACH).port


@pytest.mark.parametrize(
    ("role", "keys"),
    [
        ("slot", {"mem_limit": 0, "deploy": None}),
        ("singleton", {"pids_limit": -1}),
        ("slot", {"deploy": {"resources": {"limits": {"cpus": 0}}}}),
        ("slot", {"memswap_limit": "-1"}),
    ],
)
def test_a_service_of_the_app_is_limited(role: str, keys: dict[str, Any]) -> None:
    other = {"image": "x", "labels": {"slipway.role": role}, **keys}
    with pytest.raises(ConfigError, match="service other: .*no limit is none"):
        read_stack({**WHOLE, "services": {**WHOLE["services"], "other": other}}, "c.yml", REACH)
    shared = {**other, "labels": {"slipway.role": "shared"}}
    assert read_stack({**WHOLE, "services": {**WHOLE["services"], "other": shared}}, "c.yml", REACH)


def test_a_message_stays_readable() -> None:
    services: Any = {f"s{number}": {"labels": {}} for number in range(10_000)}
    with pytest.raises(ConfigError) as raised:
        read_stack({**WHOLE, "services": services}, "c.yml", REACH)
    assert "and 9800 more" in str(raised.value) and len(str(raised.value)) < 100_000


def test_depth_has_an_end() -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = {"a": deep}
    for model in ({**WHOLE, "x": deep}, {**WHOLE, "networks": {"default": {"name": "shop_default", "ipam": deep}}}):
        with pytest.raises(ConfigError, match="levels"):
            read_stack(model, "c.yml", REACH)
    with pytest.raises(ConfigError, match="levels"):
        round_: dict[str, Any] = {}
        round_["services"] = round_
        read_stack(round_, "c.yml", REACH)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["/", "0", "-1"])
)
WORDS = sorted({*SERVICE, *TOP, *WEB, *(key for one in WHOLE.values() if isinstance(one, dict) for key in one)})
KEYS = st.sampled_from([*WORDS, "slipway.role", "slipway.port", "name", "source", "target", "type", "x-a"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A good model of which a few parts are something else."""
    model: Any = copy.deepcopy(WHOLE)
    for place in draw(st.lists(st.sampled_from(_places(WHOLE)[1:]), min_size=1, max_size=3)):
        holder = model
        try:
            for step in place[:-1]:
                holder = holder[step]
            if draw(st.booleans()) and isinstance(holder[place[-1]], dict):
                holder[place[-1]][draw(KEYS)] = draw(VALUES)
            else:
                holder[place[-1]] = draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    return model


@pytest.mark.fuzz
@given(changed() | st.dictionaries(st.sampled_from(list(Model.model_fields)), VALUES))
@settings(deadline=None)
def test_any_model_is_a_stack_or_a_config_error(model: Mapping[str, Any]) -> None:
    try:
        stack = read_stack(model, "c.yml", REACH)
    except ConfigError as error:
        assert str(error).startswith("c.yml: ")
        return
    _holds(stack)


def _holds(stack: Stack) -> None:
    """What is accepted can be written, and gives nothing of the host away."""
    settled = Settled(Names("shop", {"o": "x"}), "i", "d", {"A": "1"}, {"token": "/t"}, "/src")
    made = [slot_file(stack, settled, "blue", 1, 1), singleton_file(stack, settled, 1), shared_file(stack, settled)]
    made.append(task_file(stack, settled, ("x",), {}))
    for file in made:
        for service in file.get("services", {}).values():
            assert not service.get("privileged") and service["security_opt"] == ["no-new-privileges:true"]
            assert service.get("network_mode") in (None, "", "none") and not service.get("devices")
            for mount in service.get("volumes") or ():
                assert mount["type"] != "bind" or mount["source"].startswith(("/src", "/data"))
    for role in (Role.SLOT, Role.SINGLETON):
        for name in stack.services(role):
            assert str(stack.service(name).get("pids_limit", 1)) not in ("0", "-1")
