import json
import logging
import sys

import pytest

from assistant.logs import JsonFormatter, choose_correlation_id, configure_logging, correlation_id


def make_record(message: str = "hello", **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "assistant.test", "levelname": "INFO", "msg": message} | extra
    )


def test_a_line_is_one_json_object() -> None:
    line = JsonFormatter().format(make_record("two\nlines", fields={"status": 200}))
    assert "\n" not in line
    read = json.loads(line)
    assert read["message"] == "two\nlines"
    assert read["status"] == 200
    assert read["time"].endswith("+00:00")


def test_a_line_carries_the_id_of_its_request() -> None:
    token = correlation_id.set("abc")
    try:
        assert json.loads(JsonFormatter().format(make_record()))["correlation_id"] == "abc"
    finally:
        correlation_id.reset(token)


def test_an_exception_stays_in_its_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        line = JsonFormatter().format(make_record(exc_info=sys.exc_info()))
    assert "ValueError: broken" in json.loads(line)["exception"]


@pytest.mark.parametrize("received", ["abc", "a.b_c-1", "x" * 64])
def test_a_harmless_id_is_kept(received: str) -> None:
    assert choose_correlation_id(received) == received


@pytest.mark.parametrize("received", ["", "x" * 65, "a b", 'a"b', "a\n", "ä"])
def test_any_other_id_is_replaced(received: str) -> None:
    chosen = choose_correlation_id(received)
    assert chosen != received
    assert len(chosen) == 32


def test_the_servers_own_lines_are_json_and_its_access_lines_are_silent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("INFO")
    logging.getLogger("uvicorn.error").info("from the server")
    logging.getLogger("uvicorn.access").info("GET /secret?token=1")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["from the server"]
