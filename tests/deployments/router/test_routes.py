"""Envoy's documents: the settings without which requests were lost, and the order of changes."""

from pathlib import Path

import pytest

from deployments.router import routes as envoy
from deployments.router.bootstrap import Edge, Files, bootstrap
from host.ports import LOCAL, Endpoint, Endpoints

FILES = Files(Path("/run/a.sock"), *(Path("/dyn") / name for name in ("cds.json", "rds.json", "sds.json", "acme.json")))


def local(ports: dict[str, int]) -> dict[str, Endpoints]:
    """Return endpoints on this host."""
    return {slot: (Endpoint(LOCAL, port),) for slot, port in ports.items()}


def pair(version: str, ports: dict[str, int], weights: dict[str, int]) -> envoy.Pair:
    return envoy.Pair(envoy.clusters(version, local(ports), 4.0), envoy.routes(version, weights, None, ""))


def test_the_admin_interface_is_a_socket_of_this_user_only() -> None:
    document = bootstrap(Edge(8080), FILES)
    assert document["admin"]["address"] == {"pipe": {"path": "/run/a.sock", "mode": 0o600}}
    assert len(document["static_resources"]["listeners"]) == 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_is_shared_only_where_a_second_router_is_to_take_over(shared: bool) -> None:
    edge = Edge(8080, tls=True, inner_port=8081, redirect_port=8082, shared=shared)
    listeners = bootstrap(edge, FILES)["static_resources"]["listeners"]
    assert [one["enable_reuse_port"] for one in listeners] == [shared] * 3


def test_the_public_ports_are_listened_on_at_both_loopback_addresses() -> None:
    edge = Edge(8080, tls=True, inner_port=8081, redirect_port=8082, twin="::1")
    listeners = bootstrap(edge, FILES)["static_resources"]["listeners"]
    more = {one["name"]: one.get("additional_addresses") for one in listeners}
    assert more.pop("inner") is None
    assert [one[0]["address"]["socket_address"]["address"] for one in more.values()] == ["::1", "::1"]


def test_no_route_times_out_and_unknown_clusters_are_refused() -> None:
    resource = envoy.routes("r1", {"blue": 5, "green": 95}, "green", "secret")["resources"][0]
    assert resource["validate_clusters"] is True
    assert [route["route"]["timeout"] for route in resource["virtual_hosts"][0]["routes"]] == ["0s", "0s"]


def test_idle_backend_connections_are_closed_by_us_first() -> None:
    (cluster,) = envoy.clusters("r1", local({"blue": 1}), 4.0)["resources"]
    (options,) = cluster["typed_extension_protocol_options"].values()
    assert options["common_http_protocol_options"] == {"idle_timeout": "4s"}


def test_a_slot_without_weight_is_not_named() -> None:
    resource = envoy.routes("r1", {"blue": 100, "green": 0}, None, "")["resources"][0]
    (route,) = resource["virtual_hosts"][0]["routes"]
    assert route["route"]["weighted_clusters"]["clusters"] == [{"name": "blue", "weight": 100}]


def test_a_pair_has_a_version_only_if_both_carry_it() -> None:
    assert pair("r1", {}, {}).version == "r1"
    assert envoy.Pair(envoy.clusters("r1", {}, 4.0), envoy.routes("r2", {}, None, "")).version is None


@pytest.mark.parametrize(
    ("running", "ports", "expected"),
    [
        ({}, {"blue": 1}, [("cds.json", {"blue": 1}), ("rds.json", None)]),
        ({"blue": 1}, {"blue": 1}, [("cds.json", {"blue": 1}), ("rds.json", None)]),
        ({"blue": 1}, {"blue": 2}, [("cds.json", {"blue": 2}), ("rds.json", None)]),
        ({"blue": 1, "green": 2}, {"green": 2}, [("rds.json", None), ("cds.json", {"green": 2})]),
        ({"blue": 1}, {}, [("rds.json", None), ("cds.json", {})]),
        (
            {"blue": 1},
            {"green": 2},
            [("cds.json", {"blue": 1, "green": 2}), ("rds.json", None), ("cds.json", {"green": 2})],
        ),
        (
            {"blue": 1, "green": 2},
            {"green": 3},
            [("cds.json", {"blue": 1, "green": 3}), ("rds.json", None), ("cds.json", {"green": 3})],
        ),
    ],
)
def test_no_route_ever_names_an_absent_cluster(
    running: dict[str, int], ports: dict[str, int], expected: list[tuple[str, dict[str, int] | None]]
) -> None:
    target = pair("r9", ports, {slot: 100 for slot in list(ports)[:1]})
    steps = list(envoy.steps(local(running), target, 4.0))
    seen = [(name, _ports(document) if name == "cds.json" else None) for name, document in steps]
    assert seen == expected
    last = dict(steps)
    assert envoy.Pair(last["cds.json"], last["rds.json"]) == target


def _ports(document: envoy.Document) -> dict[str, int]:
    return {slot: endpoint.port for slot, (endpoint,) in envoy.Pair(document, {}).backends.items()}


def test_a_cluster_has_every_endpoint_of_its_slot() -> None:
    endpoints = (Endpoint("10.0.0.5", 8000), Endpoint("10.0.0.6", 8000), Endpoint("::1", 8000))
    document = envoy.clusters("r1", {"blue": endpoints, "green": ()}, 4.0)
    assert envoy.Pair(document, {}).backends == {"blue": endpoints, "green": ()}
    (locality,) = document["resources"][0]["load_assignment"]["endpoints"]
    sockets = [backend["endpoint"]["address"]["socket_address"]["address"] for backend in locality["lb_endpoints"]]
    assert sockets == ["10.0.0.5", "10.0.0.6", "::1"]


def test_another_order_of_endpoints_is_no_other_cluster() -> None:
    one, two = Endpoint("10.0.0.5", 8000), Endpoint("10.0.0.6", 8000)
    target = envoy.Pair(envoy.clusters("r9", {"blue": (one, two)}, 4.0), envoy.routes("r9", {}, None, ""))
    names = [name for name, _ in envoy.steps({"blue": (two, one), "green": (one,)}, target, 4.0)]
    assert names == ["rds.json", "cds.json"]
    names = [name for name, _ in envoy.steps({"blue": (two,), "green": (one,)}, target, 4.0)]
    assert names == ["cds.json", "rds.json", "cds.json"]
