"""Log lines: JSON, correlated with their run, without secrets, in a file that many processes share."""

import json
import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from host import json_logs
from host.home import CHECKOUT, Home
from host.json_logs import LARGEST_FILE, LONGEST_LINE, JsonLines, RunLog, WithoutToldEnds, veiled
from tests.prefect_server import a_home

RUN = str(uuid.UUID(int=5))
SECRET = "s3cret-of-the-test"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    made = a_home(tmp_path)
    monkeypatch.setenv("SLIPWAY_HOME", str(made.root))
    json_logs._secrets.cache_clear()
    yield made
    json_logs._secrets.cache_clear()


def record(text: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("prefect.flow_runs", logging.WARNING, __file__, 1, text, (), None)
    made.__dict__.update(more)
    return made


def test_a_line_of_a_run_carries_its_id_and_the_trace_id(home: Home) -> None:
    text = JsonLines().format(record("hello", flow_run_id=RUN, flow_run_name="release-prod", task_run_name="switch"))
    line = json.loads(text)
    assert (line["event"], line["level"], line["logger"]) == ("hello", "warning", "prefect.flow_runs")
    assert (line["run"], line["trace_id"], line["task"]) == (RUN, uuid.UUID(RUN).hex, "switch")


def test_a_line_without_a_run_has_none(home: Home) -> None:
    line = json.loads(JsonLines().format(record("hello")))
    assert "run" not in line and "trace_id" not in line


@pytest.mark.parametrize(
    "text",
    [
        f"the credential is slipway:{SECRET}",
        f"postgresql://me:{SECRET}@host/db",
        f"Authorization: Bearer {SECRET}",
        json.dumps({"token": SECRET}),
    ],
)
def test_secrets_are_masked(home: Home, text: str) -> None:
    (home.keys / "prefect-auth").write_text(f"slipway:{SECRET}")
    for shown in (veiled(text), JsonLines().format(record(text))):
        assert SECRET not in shown and "***" in shown


def test_the_name_of_the_block_that_holds_a_secret_is_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY_SECRET", "signing-key")
    monkeypatch.setenv("OTHER_SECRET", SECRET)
    assert veiled(f"there is no block signing-key for {SECRET}") == "there is no block signing-key for ***"


def test_a_secret_that_is_made_later_is_known_too(home: Home) -> None:
    assert SECRET in veiled(SECRET)
    (home.keys / "github-webhook").write_text(SECRET)
    assert veiled(f"it is {SECRET}") == "it is ***"


def test_a_secret_with_quotes_is_masked_before_json_escapes_it(home: Home) -> None:
    odd = 'a"quoted\\secret'
    (home.keys / "github-webhook").write_text(odd)
    line = json_logs.to_json({"event": f"x {odd} y", "more": {"deep": [odd]}})
    assert json.loads(line) == {"event": "x *** y", "more": {"deep": ["***"]}}


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        pytest.param(None, True, id="a-line"),
        pytest.param(type("FailedRun", (Exception,), {"__module__": "prefect.exceptions"})("no"), False, id="told"),
        pytest.param(type("FailedRun", (Exception,), {"__module__": "shop"})("no"), True, id="of-another-module"),
        pytest.param(ValueError("a bug"), True, id="a-bug"),
    ],
)
def test_an_end_that_was_told_has_no_traceback_after_it(error: Exception | None, kept: bool) -> None:
    exc_info = (type(error), error, None) if error else None
    assert WithoutToldEnds().filter(record("Engine execution exited", exc_info=exc_info)) is kept


def test_a_huge_line_is_cut_and_stays_json(home: Home) -> None:
    line = json.loads(JsonLines().format(record("x" * 10 * LONGEST_LINE)))
    assert line["cut"] is True and len(json.dumps(line)) <= LONGEST_LINE


def test_a_line_end_in_a_message_makes_no_second_line(home: Home) -> None:
    assert "\n" not in JsonLines().format(record('one\n{"level": "forged"}'))


def test_many_processes_share_one_file_and_rotate_it(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "log" / "flows.log"
    file.parent.mkdir()
    file.write_bytes(b" " * (LARGEST_FILE - 10_000) + b"\n")
    program = (
        "import logging, sys\n"
        "from host.json_logs import RunLog\n"
        "logging.basicConfig(level=20, handlers=[RunLog(sys.argv[1])])\n"
        "for number in range(200): logging.getLogger(sys.argv[2]).info('line %d', number)\n"
    )
    argv = [sys.executable, "-c", program, str(file)]
    started = [subprocess.Popen([*argv, f"p{number}"], cwd=CHECKOUT) for number in range(3)]
    assert [one.wait(60) for one in started] == [0, 0, 0]
    texts = [one.read_text() for one in (file.with_name("flows.log.1"), file)]
    lines = [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]
    for name in ("p0", "p1", "p2"):
        mine = [line["event"] for line in lines if line["logger"] == name]
        assert mine == [f"line {number}" for number in range(200)]
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_a_log_that_cannot_be_written_fails_nobody(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    RunLog(str(tmp_path / "file" / "flows.log")).emit(record("hello"))
    assert "Error" in capsys.readouterr().err
