import pytest

from gates.release.condition import Condition
from gates.release.health import LONGEST_BODY, condition_of, judge_health
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
    assert len(verdict.reason) < 200 and "\n" not in verdict.reason


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
        ("okay", Condition.UNHEALTHY),
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
        (204, b"", "/h answered 204"),
        (200, b"alive", "/h answered 200"),
        (200, b"[1]", "/h answered 200"),
        (200, b'{"a": 1}', "/h answered 200"),
        (200, b'{"status": 200}', "/h answered 200, 200"),
        (200, b'{"status": true}', "/h answered 200, True"),
        (200, b"[" * 60_000, "/h answered 200 with JSON nested too deeply to be read"),
        (200, b'{"status": "' + b"b" * 41 + b'"}', f'/h answered 200 but its body says "{"b" * 40}"'),
    ],
)
def test_every_reason_in_full(status: int, body: bytes, reason: str) -> None:
    assert judge_health("/h", status, body).reason == reason
    assert condition_of("/h", status, body).reason == reason
