"""What an app answers for its health: good, ill, or a word that nobody explained."""

import inspect
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gates.release.condition import Condition
from gates.release.health import LONGEST_BODY, condition_of, judge_health
from gates.release.health_rules import BAD, GOOD, WARNING, HealthRules
from gates.verdict import Action

OK, WAIT = Action.PROMOTE, Action.WAIT


@pytest.mark.parametrize(
    ("status", "body", "action"),
    [
        (199, b"", WAIT),
        (200, b"", OK),
        (299, b"", OK),
        (300, b"", WAIT),
        (301, b'{"status": "ok"}', WAIT),
        (404, b"not found", WAIT),
        (503, b'{"status": "healthy"}', WAIT),
        (200, b"alive", OK),
        (200, b"<html>", OK),
        (200, b"\xff\xfe\x00", OK),
        (200, b'{"status": "healthy"}', OK),
        (200, b'{"status": "OK"}', OK),
        (200, b'{"status": "degraded"}', OK),
        (200, b'{"status": "warn"}', OK),
        (200, b'{"status": "unhealthy"}', WAIT),
        (200, b'{"status": "error"}', WAIT),
        (200, b'{"status": ""}', WAIT),
        (200, b'{"status": false}', WAIT),
        (200, b'{"status": null}', WAIT),
        (200, b'{"status": 500}', WAIT),
        (200, b'{"status": {"database": "down"}}', WAIT),
        (200, b'{"status": ["ok"]}', WAIT),
        (200, b'{"status": true}', OK),
        (200, b'{"status": 200}', OK),
        (200, b'{"database": "down"}', OK),  # no status: the code is all there is
        (200, b'["unhealthy"]', OK),
        (200, b'"unhealthy"', OK),
        (200, b"[" * LONGEST_BODY, WAIT),
        (200, b'{"a":' * 10_000, WAIT),
        (200, b"x" * LONGEST_BODY, OK),
        (200, b"x" * (LONGEST_BODY + 1), WAIT),
    ],
)
def test_an_answer_is_judged(status: int, body: bytes, action: Action) -> None:
    verdict = judge_health("/health", status, body)
    assert verdict.action is action, verdict.reason
    assert verdict.reason.startswith("/health")
    assert len(verdict.reason) < 300 and "\n" not in verdict.reason


def test_the_reason_says_what_was_answered() -> None:
    assert judge_health("/h", 500, b"no\ndatabase").reason == "/h answered 500: no database"
    assert 'says "unhealthy"' in judge_health("/h", 200, b'{"status": "unhealthy"}').reason
    assert judge_health("/h", 200, b'{"status": "ok"}').reason == "/h answered 200, ok"


@pytest.mark.parametrize(
    ("status", "body", "condition"),
    [
        (200, b'{"status": "healthy"}', Condition.HEALTHY),
        (200, b"alive", Condition.HEALTHY),
        (200, b"degraded", Condition.HEALTHY),  # no JSON: the code is all there is
        (200, b'{"status": "Degraded"}', Condition.DEGRADED),
        (200, b'{"status": "warn"}', Condition.DEGRADED),
        (200, b'{"status": "unhealthy"}', Condition.UNHEALTHY),
        (503, b'{"status": "degraded"}', Condition.UNHEALTHY),
        (200, b"x" * (LONGEST_BODY + 1), Condition.UNHEALTHY),
    ],
)
def test_a_lying_body_is_believed_of_what_serves_too(status: int, body: bytes, condition: Condition) -> None:
    assert condition_of("/health", status, body).condition is condition


@pytest.mark.parametrize(("number", "good"), [(199, False), (200, True), (299, True), (300, False)])
def test_a_number_in_the_body_is_read_as_a_code(number: int, good: bool) -> None:
    verdict = judge_health("/h", 200, f'{{"status": {number}}}'.encode())
    assert verdict.action is (OK if good else WAIT)


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("healthy", Condition.HEALTHY),
        ("ok", Condition.HEALTHY),
        ("pass", Condition.HEALTHY),
        ("UP", Condition.HEALTHY),
        ("degraded", Condition.DEGRADED),
        ("warn", Condition.DEGRADED),
        ("down", Condition.UNHEALTHY),
        ("okay", Condition.HEALTHY),
        ("Warning", Condition.DEGRADED),
    ],
)
def test_good_words(word: str, condition: Condition) -> None:
    assert condition_of("/h", 200, f'{{"status": "{word}"}}'.encode()).condition is condition


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"x" * (64 * 1024 + 1), "/h answered more than 65536 bytes"),
        (503, b"n" * 121, f"/h answered 503: {'n' * 120}"),
        (503, b"a\n\xff", "/h answered 503: a \ufffd"),
        (
            500,
            b"\x1b[31mno\r\nDATABASE_URL=postgresql://u:hunter2@h/x",
            "/h answered 500:  [31mno  DATABASE_URL=postgresql://***@h/x",
        ),
        (
            200,
            b'{"error": 0, "error": "x"}',
            '/h answered 200 but its body says "error": twice, and nobody knows which counts',
        ),
        (
            200,
            b'{"status": "ok", "error": "no db"}',
            '/h answered 200 but its body says "error": "no db" beside a good status; '
            "if the status alone counts: config/pipeline.toml: [health] pointer",
        ),
        (200, b'{"status": "ok",}', "/h answered 200 with what begins as a JSON object and is none"),
        (204, b"", "/h answered 204"),
        (200, b"alive", "/h answered 200"),
        (200, b"[1]", "/h answered 200"),
        (200, b'{"a": 1}', "/h answered 200"),
        (200, b'{"status": 200}', "/h answered 200, 200"),
        (200, b'{"status": true}', "/h answered 200, True"),
        (200, b"[" * 60_000, "/h answered 200 with JSON nested too deeply to be read"),
        (200, b'{"status": "down"}', '/h answered 200 but its body says "down"'),
        (200, b'{"status": null}', '/h answered 200 but its body says "None"'),
        (
            200,
            b'{"status": "' + b"b" * 41 + b'"}',
            f'/h answered 200 but its body says "{"b" * 40}", a word that nobody explained; if it means well: '
            "config/pipeline.toml: [health] good",
        ),
        (
            200,
            b'{"status": {"db": "ok"}}',
            "/h answered 200 but its body says an object; name the part of it that counts: config/pipeline.toml: "
            "[health] pointer",
        ),
    ],
)
def test_every_reason_in_full(status: int, body: bytes, reason: str) -> None:
    assert judge_health("/h", status, body).reason == reason
    assert condition_of("/h", status, body).reason == reason


def says(body: Any, rules: HealthRules | None = None, status: int = 200) -> Condition:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return condition_of("/h", status, raw, rules or HealthRules()).condition


WELL, WARN, ILL = Condition.HEALTHY, Condition.DEGRADED, Condition.UNHEALTHY


@pytest.mark.parametrize(
    "word",
    ["ready", "alive", "it's alive", "Running", "success", "working", "Healthy", "OK", "available", "online", "green"]
    + ["passing", "ok.", "SERVING", "active", "good", "okay", "live", "Alive!", " ok ", "UP", True, 200, 204.0],
)
def test_words_of_the_field_that_mean_well(word: Any) -> None:
    assert says({"status": word}) is WELL


@pytest.mark.parametrize(
    "word",
    ["DOWN", "unavailable", "not ready", "NOT_READY", "not-serving", "OUT_OF_SERVICE", "red", "starting", "critical"]
    + ["offline", "fail", "Failing", "error", "dead", "", None, False, 0, 1, 503, [], {}, float("nan"), float("inf")],
)
def test_words_of_the_field_that_mean_ill(word: Any) -> None:
    assert says({"status": word}) is ILL


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ([{"name": "database", "status": "OK"}], WELL),
        ([{"name": "database", "status": "OK"}, {"name": "cache", "status": "down"}], ILL),
        ([{"status": "ok"}, {"status": "degraded"}], WARN),
        ([{"status": "warn"}, {"status": "down"}], ILL),
        ([], WELL),
        (["unhealthy"], WELL),  # a list of words is no answer about health
        ({"healthy": False}, ILL),
        ({"healthy": True}, WELL),
        ({"ok": False, "uptime": 5}, ILL),
        ({"ready": False}, ILL),
        ({"healthy": "no"}, ILL),
        ({"healthy": "False"}, ILL),
        ({"healthy": 0}, ILL),
        ({"healthy": 1}, WELL),
        ({"healthy": "2 of 2"}, WELL),
        ({"up": 0, "available": 0, "success": 0}, WELL),  # seconds or a count
        ({"Status": "Unhealthy"}, ILL),
        ({"state": "down"}, ILL),
        ({"state": "CA", "city": "down"}, WELL),  # another kind of state
        ({"error": True}, ILL),
        ({"error": False, "errors": 3}, WELL),  # a count since the start
        ({"checks": {"db": {"status": "fail"}}}, ILL),
        ({"checks": {"db": {"status": "pass"}, "cache": {"status": "cold"}}}, WELL),
        ({"status": "ok", "checks": {"db": {"status": "fail"}}}, WELL),  # the status is of the whole
        ([[{"status": "down"}]], ILL),
        ({"status": "ok", "healthy": False}, ILL),
        ({"error": "db down"}, ILL),
        ({"error": None}, WELL),
        ({"error": ""}, WELL),
        ({"errors": []}, WELL),
        ({"errors": ["db"]}, ILL),
        ({"errors": 12}, WELL),  # a counter
        ({"status": "ok", "error": "old"}, ILL),  # it contradicts itself
        ({"status": "ok", "error": None, "errors": []}, WELL),
        ({"status": "ok", "checks": {"db": "fail"}}, WELL),
        ({"version": "1.2"}, WELL),
        (b'{"status": "fail", "status": "ok"}', ILL),
        (b'{"status": "ok", "status": "ok"}', ILL),
        (b'{"status": "ok", "a": {"b": 1, "b": 2}}', WELL),
        (b'{"status": ' + b"9" * 5000 + b"}", ILL),
        (b'{"status": 2e2}', WELL),
        (b'{"status": 1e999}', ILL),
        (b'{"status": "fail\xff"}', ILL),
        (b'\xef\xbb\xbf{"status": "fail"}', ILL),
        ('{"status": "fail"}'.encode("utf-16"), ILL),
        ('{"status": "ok"}'.encode("utf-16"), WELL),
        (b'{"status": "fail"} and more', ILL),  # it begins as JSON, and nobody can read it
        (b'{"status": "ok"}\n{"status": "down"}', ILL),
        (b'{"status": "down",}', ILL),
    ],
    ids=str,
)
def test_other_shapes_of_answers(body: Any, condition: Condition) -> None:
    assert says(body) is condition


def test_the_apps_own_words_count_before_ours() -> None:
    rules = HealthRules(good=("Rosy", "red"), warning=("so-so", "ok"), bad=("fine", "0"))
    told = {word: says({"status": word}, rules) for word in ("rosy", "RED", "so so", "ok", "fine", 0, "up", "down")}
    assert told == {"rosy": WELL, "RED": WELL, "so so": WARN, "ok": WARN, "fine": ILL, 0: ILL, "up": WELL, "down": ILL}


@pytest.mark.parametrize("words", [{"good": ("a", "A")}, {"good": ("not ready",), "bad": ("Not_Ready",)}])
def test_a_word_has_one_meaning(words: Any) -> None:
    with pytest.raises(ValidationError, match="stands twice"):
        HealthRules(**words)


def test_our_words_have_one_meaning_and_are_all_documented() -> None:
    assert not GOOD & WARNING and not GOOD & BAD and not WARNING & BAD
    text = " ".join(inspect.getsource(HealthRules).split())
    assert [word for word in GOOD | WARNING if f"`{word}`" not in text] == []


PARTS = {"a": {"b": [{"status": "down"}, "ok", 7]}, "x/y": "ok", "m~n": "down", "": "ok", "o": {"uptime": 1}, "n": None}


@pytest.mark.parametrize(
    ("pointer", "condition"),
    [
        ("/a/b/0/status", ILL),
        ("/a/b/0", ILL),  # an object there is read as one
        ("/a/b/1", WELL),
        ("/a/b", ILL),
        ("/a/b/2", ILL),
        ("/x~1y", WELL),
        ("/m~0n", ILL),
        ("/", WELL),
        ("/absent", ILL),
        ("/a/b/9", ILL),
        ("/a/b/-1", ILL),
        ("/a/b/\u00b2", ILL),
        ("/a/b/" + "9" * 150, ILL),
        ("/x~1y/z", ILL),
        ("/o", ILL),  # nothing there says whether that is good
        ("/n", ILL),
    ],
)
def test_a_pointer_names_the_part_that_counts(pointer: str, condition: Condition) -> None:
    assert says(PARTS, HealthRules(pointer=pointer)) is condition


@pytest.mark.parametrize("body", [b"", b"alive", b"<html>", b"[]", b"null"])
def test_where_a_pointer_leads_nowhere_nothing_is_good(body: bytes) -> None:
    look = condition_of("/h", 200, body, HealthRules(pointer="/status"))
    assert look.condition is ILL and "[health] pointer" in look.reason


@pytest.mark.parametrize(
    ("status", "location", "said"),
    [
        (301, "https://shop.example.com/h", 'HTTPS: config/pipeline.toml: [health] forwarded_proto = "https"'),
        (308, "https://127.0.0.1:8000/h?x=1", 'forwarded_proto = "https"'),
        (301, "http://shop.example.com/h", "[health] host, or HEALTH_HOST"),
        (
            307,
            "/h/",
            "redirect to /h/; name a path that answers itself, without a login: config/pipeline.toml: [health] paths",
        ),
        (302, "/login?next=/h", "redirect to /login; name a path"),
        (303, "https://sso.example.com/authorize?client_secret=hunter2#t", "https://sso.example.com/authorize; name"),
        (302, "https://user:hunter2@shop.example.com/x", "redirect to https://shop.example.com/x; name"),
        (302, "http://[", "a redirect to no address"),
        (302, "/\x1b]0;\u202ex", "a redirect to /"),
    ],
)
def test_a_redirect_is_told_with_where_it_leads_and_the_key_that_helps(status: int, location: str, said: str) -> None:
    look = condition_of("/h", status, b"", HealthRules(), location)
    assert look.condition is ILL and said in look.reason and "hunter2" not in look.reason
    assert look.reason.isprintable()


def test_a_redirect_in_spite_of_the_key_names_the_next_one() -> None:
    rules = HealthRules(forwarded_proto="https")
    assert "XFF_TRUSTED_HOPS" in condition_of("/h", 301, b"", rules, "https://a.example/h").reason
    rules = HealthRules(host="a.example:80")
    assert "paths" in condition_of("/h", 301, b"", rules, "http://a.example/h").reason


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"Invalid HTTP_HOST header: '127.0.0.1:8000'. You may need to add '127.0.0.1' to ALLOWED_HOSTS."),
        (400, b"<title>DisallowedHost at /health</title>"),
        (400, b"Invalid host header"),  # Starlette
        (400, b"Host '127.0.0.1' is not trusted."),  # Werkzeug
        (403, b"Blocked hosts: 127.0.0.1:8000"),
        (421, b""),
        (400, b"<h1>Bad Request (400)</h1>"),  # Django without DEBUG says no more
    ],
)
def test_an_app_that_refuses_our_host_is_told_with_the_key(status: int, body: bytes) -> None:
    reason = judge_health("/h", status, body).reason
    assert reason.endswith("config/pipeline.toml: [health] host, or HEALTH_HOST of the environment")
    assert f"answered {status}" in reason


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"not found"), (403, b"forbidden"), (500, b"no"), (503, b"host down")]
)
def test_other_refusals_name_no_key(status: int, body: bytes) -> None:
    assert "[health]" not in judge_health("/h", status, body).reason


def test_a_host_that_is_refused_all_the_same_is_named() -> None:
    rules = HealthRules(host="shop.example.com")
    assert "it refuses the Host 'shop.example.com'" in judge_health("/h", 400, b"Invalid host header", rules).reason
    assert judge_health("/h", 400, b"missing parameter", rules).reason == "/h answered 400: missing parameter"


def test_headers_are_sent_where_they_are_set() -> None:
    assert HealthRules().headers == {}
    rules = HealthRules(host="shop.example.com", forwarded_proto="https")
    assert rules.headers == {"host": "shop.example.com", "x-forwarded-proto": "https"}


@pytest.mark.parametrize(
    "host", ["a b", "a\r\nx: y", "http://a", "a/b", "-a", "a:", "a:123456", "\u212a", "a.example\n"]
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        HealthRules(host=host)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from([*GOOD, *BAD]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["status", "healthy", "error", "ok", "checks", ""]), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.fuzz
@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=200) | JSON.map(lambda said: json.dumps(said).encode()),
    pointer=st.lists(st.sampled_from(["status", "0", "1", "~0", "checks", ""]), max_size=3).map(
        lambda names: "".join(f"/{name}" for name in names)
    ),
    location=st.text(max_size=30) | st.sampled_from(["https://a/h", "//h", "http://[::1]/h", "http://a:b/"]),
)
def test_any_answer_is_judged(status: int, body: bytes, pointer: str, location: str) -> None:
    look = condition_of("/h", status, body, HealthRules(pointer=pointer), location)
    assert look.reason.startswith("/h") and "\n" not in look.reason and len(look.reason) < 400
    if not 200 <= status < 300:
        assert look.condition is ILL
    assert (judge_health("/h", status, body, HealthRules(pointer=pointer), location).action is WAIT) is (
        look.condition is ILL
    )


@pytest.mark.fuzz
@given(JSON)
def test_what_has_a_bad_status_is_never_good(said: Any) -> None:
    assert says({"status": "down", "more": said}) is ILL
    assert says({"more": said, "status": said if isinstance(said, dict | list) else "down"}) is ILL
    assert says({"more": said, "status": "ok"}) is WELL
