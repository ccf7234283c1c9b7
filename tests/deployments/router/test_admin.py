"""What Envoy says over its admin socket, and what happens when something else answers there."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.router.admin import Admin, FileStatus, connect
from gates.release.analysis import SlotCounters
from host.errors import RouterError
from host.ports import Endpoint
from tasks.retries import is_transient

BLUE = {
    "name": "blue",
    "host_statuses": [{"address": {"socket_address": {"address": "127.0.0.1", "port_value": 4711}}}],
}
CLUSTERS = json.dumps({"cluster_statuses": [BLUE]})
STATS = """cluster_manager.cds.version_text: "7"
cluster_manager.cds.update_success: 3
cluster_manager.cds.update_rejected: 1
cluster_manager.cds.update_failure: 2
http.edge.rds.main.version_text: "7"
cluster.blue.upstream_rq_active: 4
http.edge.downstream_rq_active: 5
http.edge.downstream_cx_active: 6
"""
PROMETHEUS = """# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="blue"} 90
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="blue"} 2
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="elsewhere"} 9
# TYPE envoy_cluster_upstream_cx_connect_fail counter
envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="blue"} 1
# TYPE envoy_cluster_upstream_rq_active gauge
envoy_cluster_upstream_rq_active{envoy_cluster_name="blue"} 3
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="blue",le="10"} 80
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="blue",le="+Inf"} 92
"""


def admin(answers: dict[str, str], status: int = 200) -> Admin:
    """Return an Admin whose socket answers with these bodies by path, any other path with 404."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = answers.get(request.url.path)
        return httpx.Response(404) if body is None else httpx.Response(status, text=body)

    return Admin(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://envoy"), Path("admin.sock"))


def envoy() -> Admin:
    return admin({"/stats": STATS, "/clusters": CLUSTERS, "/stats/prometheus": PROMETHEUS, "/ready": "LIVE"})


def test_each_file_has_the_version_in_effect_and_what_was_refused() -> None:
    status = envoy().status()
    assert status["cds.json"] == FileStatus("7", accepted=3, refused=3)
    assert status["sds.json"] == FileStatus("", accepted=0, refused=0)


def test_the_figures_of_a_slot_are_those_of_its_cluster() -> None:
    counters = envoy().counters()
    assert counters == {
        "blue": SlotCounters(
            responses={"2xx": 90, "5xx": 2},
            connect_failures=1,
            active=3,
            time_buckets_ms=((10.0, 80), (float("inf"), 92)),
        )
    }
    assert envoy().running() == {"blue": (Endpoint("127.0.0.1", 4711),)}
    assert envoy().active("blue") == 4
    assert envoy().serving() == (5, 6)


def test_a_slot_without_a_host_has_no_endpoint() -> None:
    clusters = json.dumps({"cluster_statuses": [{"name": "blue", "host_statuses": []}, {"name": "green"}]})
    assert admin({"/clusters": clusters}).running() == {"blue": (), "green": ()}


def test_a_slot_that_envoy_does_not_have_is_named() -> None:
    with pytest.raises(RouterError, match="no slot 'green' in its configuration"):
        envoy().active("green")


ASKED: dict[str, Callable[[Admin], object]] = {
    "status": Admin.status,
    "running": Admin.running,
    "counters": Admin.counters,
    "active": lambda admin: admin.active("blue"),
    "serving": Admin.serving,
}
HOSTILE = {
    "running": ["[]", "null", "not JSON", '{"cluster_statuses": [{}]}', '{"cluster_statuses": 5}', "{" * 2000]
    + ['{"cluster_statuses": [{"name": "blue", "host_statuses": [{}]}]}'],
    "status": ["cluster_manager.cds.update_success: many"],
    "active": ["cluster.blue.upstream_rq_active: ", "cluster.blue.upstream_rq_active: NaN"]
    + ["cluster.blue.upstream_rq_active: -1", "cluster.blue.upstream_rq_active: " + "9" * 5000],
    "serving": ["http.edge.downstream_rq_active: -"],
    "counters": [
        'envoy_cluster_upstream_rq_active{envoy_cluster_name="blue"} -1',
        'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="blue",le="NaN"} 1',
        'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="blue",le="x"} 1',
        'envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="blue"} NaN',
        "envoy_cluster_upstream_rq_xx{",
        'envoy_cluster_upstream_rq_active{envoy_cluster_name="blue"} +Inf',
    ],
}


@pytest.mark.parametrize(("what", "body"), [(what, body) for what, bodies in HOSTILE.items() for body in bodies])
def test_an_answer_that_is_not_envoys_is_a_router_error(what: str, body: str) -> None:
    clusters = body if what == "running" else CLUSTERS
    with pytest.raises(RouterError, match="no usable answer from its admin socket admin.sock"):
        ASKED[what](admin({"/stats": body, "/clusters": clusters, "/stats/prometheus": body}))


@pytest.mark.parametrize("what", ASKED)
def test_an_error_status_is_a_router_error(what: str) -> None:
    with pytest.raises(RouterError, match="500"):
        ASKED[what](admin({"/stats": STATS, "/clusters": CLUSTERS, "/stats/prometheus": PROMETHEUS}, status=500))


def test_a_socket_that_nobody_listens_on_may_be_asked_again(tmp_path: Path) -> None:
    with connect(tmp_path / "admin.sock") as nobody:
        assert not nobody.ready()
        for ask in (*ASKED.values(), Admin.leave, Admin.exported):
            with pytest.raises(RouterError, match="no usable answer") as silent:
                ask(nobody)
            assert is_transient(silent.value)


@pytest.mark.parametrize(
    "body",
    [b'{"cluster_statuses":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"x" * 20_000_001],
    ids=["nested", "longer than any"],
)
def test_a_router_that_was_taken_over_stops_nobody(body: bytes, tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    with httpx.Client(transport=transport, base_url="http://envoy") as client:
        asked = Admin(client, tmp_path / "x")
        for ask in (asked.running, asked.version, asked.exported):
            if ask is asked.running or len(body) > 1_000_000:
                with pytest.raises(RouterError, match="no usable answer"):
                    ask()


def garbled(text: str) -> st.SearchStrategy[str]:
    """Return texts that are nearly this one: some of its lines, with a part of them replaced by anything."""
    odd = st.text(max_size=12) | st.sampled_from(
        ["NaN", "+Inf", "-1", "1e400", "9" * 5000, "{", '"', "\\", "\0", "null", "[]"]
    )
    lines = text.splitlines(keepends=True)

    def spoiled(drawn: tuple[list[str], int, int, str]) -> str:
        kept, at, length, by = drawn
        whole = "".join(kept)
        at = at % (len(whole) + 1)
        return whole[:at] + by + whole[at + length :]

    return st.tuples(st.lists(st.sampled_from(lines), max_size=8), st.integers(0, 5000), st.integers(0, 40), odd).map(
        spoiled
    )


ANY = st.binary(max_size=200).map(lambda raw: raw.decode(errors="surrogateescape").encode("utf-8", "replace").decode())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["blue", "127.0.0.1"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(["cluster_statuses", "name", "host_statuses", "address", "socket_address", "port_value"]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
).map(json.dumps)


@pytest.mark.fuzz
@given(
    stats=garbled(STATS) | ANY,
    clusters=st.just(CLUSTERS) | garbled(CLUSTERS) | JSON | ANY,
    prometheus=garbled(PROMETHEUS) | ANY,
)
def test_whatever_the_socket_answers_only_a_router_error_comes_of_it(
    stats: str, clusters: str, prometheus: str
) -> None:
    asked = admin({"/stats": stats, "/clusters": clusters, "/stats/prometheus": prometheus, "/ready": stats})
    for ask in (*ASKED.values(), Admin.version, Admin.exported, Admin.ready):
        with suppress(RouterError):
            ask(asked)
    with suppress(RouterError):
        for counters in asked.counters().values():
            assert counters.connect_failures >= 0 and counters.active >= 0
            assert all(count >= 0 for count in counters.responses.values())
