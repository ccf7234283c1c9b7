"""Real pytest runs in the real sandbox: what a suite may come to, and what it may do to us on the way."""

import json
import secrets
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from gates.check import Outcome
from host.sandbox import run as sandbox
from settings.pipeline import Suite
from tasks.checks.cores import on_a_core
from tasks.checks.suites import look_at_suite
from tests.tasks.small_app import PYTEST, App, processes_with

GOOD = "def test_good():\n    assert 1 + 1 == 2\n"


def test_a_good_suite_passes_and_leaves_its_report_and_its_tests(app: App) -> None:
    app.commit({"tests/test_a.py": GOOD, "tests/sub/test_b.py": "class TestB:\n    def test_c(self): pass\n"})
    looked = app.look()
    assert (looked.check.outcome, looked.check.reason, looked.check.examined) == (Outcome.PASSED, "2 passed", "2 tests")
    assert json.loads(looked.files["tests"].read_bytes()) == [
        "tests/sub/test_b.py::TestB::test_c",
        "tests/test_a.py::test_good",
    ]
    slow = json.loads(looked.files["slowest"].read_bytes())
    assert sorted(name for name, _ in slow) == json.loads(looked.files["tests"].read_bytes())
    assert looked.check.findings == () == looked.check.notes


def test_each_failure_is_a_finding_with_its_place_and_message(app: App) -> None:
    app.commit(
        {
            "tests/test_a.py": GOOD + "\n\ndef test_bad():\n    x = 1\n    assert x == 2, 'no <b>'\n",
            "tests/test_b.py": "import pytest\n\n\n@pytest.fixture\ndef broken():\n    raise OSError('gone')\n\n\n"
            "class TestB:\n    def test_c(self, broken): pass\n",
        }
    )
    check = app.check()
    assert (check.outcome, check.examined) == (Outcome.FAILED, "3 tests")
    assert check.reason.startswith("2 of 3 failed: tests/test_a.py::test_bad: AssertionError: no <b>")
    first, second = check.findings
    assert (first.tool, first.rule, first.file, first.line) == (
        "pytest",
        "tests/test_a.py::test_bad",
        "tests/test_a.py",
        7,
    )
    assert (second.rule, second.file, second.line) == ("tests/test_b.py::TestB::test_c", "tests/test_b.py", 6)
    assert "gone" in second.message


def test_secrets_of_the_suite_are_not_in_its_findings(app: App) -> None:
    app.commit({"tests/test_a.py": "import os\n\n\ndef test_a():\n    raise OSError(os.environ['API_TOKEN'])\n"})
    token = secrets.token_hex(8)
    check = app.check(environment={"API_TOKEN": token})
    assert check.outcome is Outcome.FAILED
    assert token not in check.model_dump_json()


def test_secrets_that_the_commit_declares_are_neither_in_the_log_nor_in_the_check(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    token = secrets.token_hex(12)
    script = f"print({token!r})\n\n\ndef test_a():\n    raise OSError('refused {token}')\n"
    app.commit({"shop.env": f"API_TOKEN={token}\n", "tests/test_a.py": script})
    workspace = app.workspace()
    look = partial(look_at_suite, "unit", Suite(command=(*PYTEST, "-s"), timeout_seconds=60), workspace)
    check = on_a_core("suite unit", workspace, look).check
    assert (check.outcome, check.findings[0].message) == (Outcome.FAILED, "OSError: refused ***")
    printed = capsys.readouterr().out
    assert "refused ***" in printed and token[:8] not in check.model_dump_json() + printed
    assert "***" in check.findings[0].message


FLAKY = """
import os, pathlib, pytest
MARK = pathlib.Path(os.environ["HOME"], "tries")

def tries(name):
    file = MARK.with_name(name)
    file.write_text(file.read_text() + "x" if file.exists() else "x")
    return len(file.read_text())

@pytest.mark.parametrize("n", [1, 2])
def test_flaky(n):
    assert tries(f"flaky{n}") > n

def test_steady():
    assert tries("steady") == 1, "a passing test was repeated"

def test_broken():
    assert tries("broken") > 99
"""


def test_a_known_flaky_test_that_passes_on_retry_is_told_and_every_other_failure_stays(app: App) -> None:
    app.commit({"tests/test_a.py": FLAKY})
    known = ("tests/test_a.py::test_flaky",)
    check = app.check(known_flaky=known, retries=2)
    assert (check.outcome, [one.rule for one in check.findings]) == (Outcome.FAILED, ["tests/test_a.py::test_broken"])
    assert [note.split(":", 1)[0] for note in check.notes] == ["flaky", "flaky"]
    assert "test_flaky[1] failed, then passed on retry 1" in check.notes[0]
    assert "test_flaky[2] failed, then passed on retry 2" in check.notes[1]
    passed = app.check(known_flaky=(*known, "tests/test_a.py::test_broken"), retries=2)
    assert [one.rule for one in passed.findings] == ["tests/test_a.py::test_broken"]


def test_only_flaky_failures_come_to_a_pass_that_says_so(app: App) -> None:
    app.commit({"tests/test_a.py": FLAKY.split("def test_broken")[0]})
    known = ("tests/test_a.py::test_flaky[1]", "tests/test_a.py::test_flaky[2]")
    check = app.check(known_flaky=known, retries=2)
    assert (check.outcome, check.reason) == (Outcome.PASSED, "3 passed, 2 of them only on a retry")
    assert len(check.notes) == 2
    assert app.check(known_flaky=known, retries=1).outcome is Outcome.FAILED


def test_nothing_is_repeated_unless_asked(app: App) -> None:
    app.commit({"tests/test_a.py": FLAKY.split("def test_broken")[0]})
    assert app.check(retries=2).outcome is Outcome.FAILED
    assert app.check(known_flaky=("tests/test_a.py::test_flaky",)).outcome is Outcome.FAILED


def test_a_test_that_is_gone_is_pointed_out(app: App) -> None:
    app.commit({"tests/test_a.py": GOOD})
    suite = Suite(command=PYTEST)
    look = partial(look_at_suite, "unit", suite, app.workspace())
    before = frozenset({"tests/test_a.py::test_good", "tests/test_a.py::test_gone"})
    check = look(before=before).check
    assert check.outcome is Outcome.PASSED
    assert check.notes == ("2 tests last time, 1 now; no longer there: tests/test_a.py::test_gone",)
    assert look(before=frozenset({"tests/test_a.py::test_good"})).check.notes == ()


HANG = """
import subprocess, sys, time

def test_hang():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600) #{token}"])
    time.sleep(600)
"""
CHILD = """
import os, subprocess, sys
CODE = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setsid(); time.sleep(600) #{token}"

def test_leaves_a_child():
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", CODE])
"""


@pytest.mark.parametrize(
    ("test", "limit", "outcome", "said"),
    [
        pytest.param(HANG, 2, Outcome.NO_VERDICT, "did not end within 2 s", id="hangs"),
        pytest.param(CHILD, 60, Outcome.PASSED, "1 passed", id="leaves a child that ignores TERM"),
    ],
)
def test_nothing_is_left_running(app: App, test: str, limit: int, outcome: Outcome, said: str) -> None:
    token = secrets.token_hex(8)
    app.commit({"tests/test_a.py": test.replace("{token}", token)})
    check = app.check(timeout_seconds=limit)
    assert check.outcome is outcome, check.reason
    assert said in check.reason
    assert processes_with(token) == []


def test_a_cancelled_suite_ends_with_all_that_it_started(app: App) -> None:
    token = secrets.token_hex(8)
    app.commit({"tests/test_a.py": HANG.replace("{token}", token)})
    workspace = app.workspace()

    def cancel() -> None:
        while not processes_with(token):
            time.sleep(0.05)
        workspace.cancelled.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    check = look_at_suite("unit", Suite(command=PYTEST, timeout_seconds=60), workspace).check
    canceller.join()
    assert (check.outcome, check.reason) == (Outcome.NO_VERDICT, "was cancelled")
    assert processes_with(token) == []


def in_a_test(*lines: str) -> str:
    return "import os, signal, sys, pathlib\n\ndef test_a():\n" + "".join(f"    {line}\n" for line in lines)


ZERO = "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
REPORT = "pathlib.Path(os.environ['HOME'], 'junit.xml')"
# Registered before pytest's own report is written it would be overwritten: it acts after everything.
AFTER = "import atexit, os, pathlib\n\n\ndef spoil():\n    {}\n\n\natexit.register(spoil)\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README": "no tests at all"}, "file or directory not found: tests"),
        ({"tests/README": "no tests in it"}, "ran no test (exit code 5)"),
        ({"tests/README": "", "conftest.py": ZERO}, "ran no test (exit code 0)"),
        ({"tests/test_a.py": GOOD, "tests/conftest.py": "import nothing_of_that_name"}, "No module named 'nothing_of"),
        ({"tests/test_a.py": in_a_test("os.kill(os.getpid(), signal.SIGKILL)")}, "was killed by signal KILL"),
        ({"tests/test_a.py": in_a_test("os._exit(0)")}, "left no readable report (exit code 0)"),
        ({"tests/test_a.py": GOOD, "conftest.py": AFTER.format(f"{REPORT}.unlink()")}, "left no readable report"),
        (
            {"tests/test_a.py": GOOD, "conftest.py": AFTER.format(f"{REPORT}.write_bytes(bytes(range(256)))")},
            "no readable",
        ),
        ({"tests/test_a.py": in_a_test("__import__('pytest').skip('never')")}, "ran no test (exit code 0)"),
        (
            {"tests/test_a.py": GOOD + "\n\ndef test_b():\n    __import__('pytest').exit('enough', 0)\n"},
            "names 2 tests and counts 1",
        ),
        (
            {"tests/test_a.py": GOOD + "\n\ndef test_b():\n    __import__('pytest').exit('enough', 3)\n"},
            "ended early (exit code 3)",
        ),
    ],
    ids=[
        "no folder of tests",
        "no test",
        "exit 0 with no test",
        "a broken conftest",
        "killed",
        "exit 0 in a test",
        "a deleted report",
        "a binary report",
        "all skipped",
        "left early with 0",
        "left early",
    ],
)
def test_what_cannot_be_trusted_is_no_verdict(app: App, files: dict[str, str], said: str) -> None:
    app.commit(files)
    check = app.check()
    assert check.outcome is Outcome.NO_VERDICT, check.reason
    assert said in check.reason


def test_a_module_that_cannot_be_collected_fails_with_what_was_wrong(app: App) -> None:
    app.commit({"tests/test_a.py": "import nothing_of_that_name\n"})
    check = app.check()
    assert check.outcome is Outcome.FAILED
    assert "No module named 'nothing_of_that_name'" in check.findings[0].message


def test_a_huge_log_is_cut_and_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "x" * 999
    app.commit(
        {
            "tests/test_a.py": in_a_test("for _ in range(30_000):", f"    os.write(1, b'{line}\\n')"),
            "pytest.ini": "[pytest]\naddopts = -s\n",
        }
    )
    monkeypatch.setattr(sandbox, "run", partial(sandbox.run, output_limit_bytes=1_000_000))
    looked = app.look()
    assert looked.check.outcome is Outcome.PASSED
    assert looked.check.notes == ("the log was cut: it printed more than is kept of one program",)
    assert (app.root / "unit.log").stat().st_size <= 1_000_100


def test_binary_output_does_no_harm(app: App, capfd: pytest.CaptureFixture[str]) -> None:
    app.commit(
        {
            "tests/test_a.py": in_a_test("os.write(1, bytes(range(256)) * 50)", "assert 0, '\\x00\\x1b[31m'"),
            "pytest.ini": "[pytest]\naddopts = -s\n",
        }
    )
    check = app.check()
    assert check.outcome is Outcome.FAILED
    assert not any(ord(char) < 32 and char != "\n" for char in check.reason + check.findings[0].message)
    assert "\0" not in capfd.readouterr().out


NAMES = """
import pytest

@pytest.mark.parametrize("x", ["$(touch x)", "a/b::c", "[]"])
def test_c(x):
    assert x != "[]"
"""


def test_names_that_a_shell_would_trip_over_do_no_harm(app: App) -> None:
    app.commit(
        {
            "tests/test_ünï $(touch x).py": GOOD,
            "tests/a b/test_c.py": NAMES,
        }
    )
    check = app.check()
    assert (check.outcome, check.examined) == (Outcome.FAILED, "4 tests")
    assert check.findings[0].rule == "tests/a b/test_c.py::test_c[[]]"
    assert not list(app.root.rglob("x"))


def test_a_link_in_place_of_the_report_is_not_followed(app: App, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.xml"
    elsewhere.write_text('<testsuite tests="1"><testcase name="a"/></testsuite>')
    line = f"p = {REPORT}; p.unlink(); p.symlink_to({str(elsewhere)!r})"
    app.commit({"tests/test_a.py": GOOD, "conftest.py": AFTER.format(line)})
    check = app.check()
    assert check.outcome is Outcome.NO_VERDICT
    assert "left no readable report" in check.reason


REDIS = """
import os, socket, urllib.parse

def talk(*commands):
    url = urllib.parse.urlsplit(os.environ["REDIS_URL"])
    with socket.create_connection((url.hostname, url.port), 5) as connection:
        for command in (f"AUTH {url.password}", *commands):
            connection.sendall(command.encode() + b"\\r\\n")
            answer = connection.recv(1000)
        return answer

def test_it_is_empty_and_works():
    assert talk("DBSIZE") == b":0\\r\\n"
    assert talk("SET a b", "GET a") == b"$1\\r\\nb\\r\\n"

def test_it_wants_its_password():
    url = urllib.parse.urlsplit(os.environ["REDIS_URL"])
    with socket.create_connection((url.hostname, url.port), 5) as connection:
        connection.sendall(b"PING\\r\\n")
        assert connection.recv(100).startswith(b"-NOAUTH")
"""


def test_each_suite_has_a_fresh_redis_that_ends_with_it(app: App) -> None:
    app.commit({"tests/test_a.py": REDIS})
    for _ in range(2):
        check = app.check(redis=True)
        assert (check.outcome, check.reason) == (Outcome.PASSED, "2 passed")


def test_without_a_redis_the_suite_has_no_verdict(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    app.commit({"tests/test_a.py": REDIS})
    monkeypatch.setenv("REDIS_SERVER_PATH", "/nowhere/redis-server")
    check = app.check(redis=True)
    assert check.outcome is Outcome.NO_VERDICT
    assert check.reason == "REDIS_SERVER_PATH: got '/nowhere/redis-server', expected the path of a redis-server program"


def test_a_redis_that_does_not_come_up_is_no_verdict(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    app.commit({"tests/test_a.py": REDIS})
    monkeypatch.setenv("REDIS_SERVER_PATH", "/bin/false")
    check = app.check(redis=True)
    assert check.outcome is Outcome.NO_VERDICT
    assert "did not come up" in check.reason
