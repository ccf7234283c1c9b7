"""What an ACME authority is told on the port of plain HTTP, and who else is sent where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.router.bootstrap import Edge, bootstrap
from deployments.router.challenges import ANSWER, TOKEN, answers_in, challenges
from tests.deployments.router.test_routes import FILES

ANSWERS = st.dictionaries(st.from_regex(TOKEN, fullmatch=True), st.from_regex(ANSWER, fullmatch=True), max_size=5)


def redirecting(challenged: bool) -> dict[str, object]:
    edge = Edge(8080, tls=True, inner_port=8081, redirect_port=8082, challenges=challenged)
    (last,) = (one for one in bootstrap(edge, FILES)["static_resources"]["listeners"] if one["name"] == "redirect")
    manager: dict[str, object] = last["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def test_the_routes_of_plain_http_come_from_a_file_only_where_an_authority_asks() -> None:
    assert "rds" not in redirecting(False) and "route_config" in redirecting(False)
    assert "rds" in redirecting(True) and "route_config" not in redirecting(True)


@given(ANSWERS)
def test_what_is_told_can_be_read_again_and_everybody_else_is_sent_to_tls(answers: dict[str, str]) -> None:
    document = challenges(8443, answers)
    assert answers_in(document) == answers
    routes = document["resources"][0]["virtual_hosts"][0]["routes"]
    assert len(routes) == len(answers) + 1
    assert routes[-1]["match"] == {"prefix": "/"} and routes[-1]["redirect"]["port_redirect"] == 8443


def test_a_change_has_another_version() -> None:
    versions = [challenges(*one)["version_info"] for one in ((1, {}), (2, {}), (1, {"a": "a.b"}), (1, {"a": "a.c"}))]
    assert len(set(versions)) == 4


@pytest.mark.parametrize(
    ("token", "answer"),
    [("", "a.b"), ("../x", "a.b"), ("a/b", "a.b"), ("a", "a"), ("a", "a.b\n"), ("a", "a.b.c"), ("a" * 513, "a.b")],
    ids=["empty", "up", "slash", "no-dot", "newline", "two-dots", "long"],
)
def test_what_no_authority_sends_is_refused(token: str, answer: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        challenges(8443, {token: answer})
