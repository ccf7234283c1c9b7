import json
import re
import subprocess
from pathlib import Path

import pytest

from gates.check import Outcome
from gates.findings import Severity
from host.home import CHECKOUT
from tasks.scans.sast import RULES, scan_sast
from tests.corpus import Corpus
from tests.tasks.scans.subjects import fake_tool, judged, make_subject

ANNOTATED = CHECKOUT / "tests" / "semgrep"
MARK = re.compile(r"(?:#|<!--) (ruleid|ok): ([a-z-]+)")
FINE = {"app.py": "value = 1\n"}


def annotations(kind: str) -> set[tuple[str, int, str]]:
    """Return (file, line, rule) of every line below a mark of that kind."""
    found = set()
    for file in ANNOTATED.iterdir():
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if (mark := MARK.search(line)) and mark[1] == kind:
                found.add((file.name, number + 1, mark[2]))
    return found


def test_the_rules_pass_semgreps_own_test(scanners: Path) -> None:
    argv = [scanners / "semgrep", "scan", "--test", "--metrics=off", "--disable-version-check", "--json"]
    env = {"PATH": f"{scanners}:/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run([*argv, "--config", RULES, ANNOTATED], capture_output=True, timeout=120, env=env, check=False)
    report = json.loads(done.stdout)
    checks = {rule: one for file in report["results"].values() for rule, one in file["checks"].items()}
    bad = [rule for rule, one in checks.items() if not one["passed"]]
    assert (done.returncode, bad, report["config_with_errors"]) == (0, [], [])
    assert set(checks) == {rule for _, _, rule in annotations("ruleid")} == {rule for _, _, rule in annotations("ok")}


def test_planted_code_is_found_and_its_twins_are_not(tmp_path: Path, scanners: Path, corpus: Corpus) -> None:
    files = {file.name: file.read_bytes() for file in ANNOTATED.iterdir()}
    check = scan_sast(make_subject(tmp_path, files))
    found = {(one.file, one.line, one.rule) for one in check.findings}
    planted, clean = annotations("ruleid"), annotations("ok")
    corpus.record("sast", len(found & planted), len(planted), len(found - planted), len(clean))
    assert found == planted
    assert judged(check) is Outcome.FAILED
    assert {one.severity for one in check.findings} <= {Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM}
    assert len({one.fingerprint for one in check.findings}) == len(check.findings)


def test_every_rule_has_a_severity_and_says_what_to_do() -> None:
    for file in RULES.glob("*.yaml"):
        text = file.read_text()
        assert (
            text.count("- id: ") == text.count("slipway-severity: ") == len(re.findall(r"^    message: >-", text, re.M))
        )


def test_what_the_app_says_about_scanning_has_no_say_and_routes_are_open_by_our_list(
    tmp_path: Path, scanners: Path
) -> None:
    bad = "import os\nos.system(given)\n"
    route = "@router.post('/{0}')\ndef {0}(body: Body) -> None: ...\n\n\n"
    hidden = ["vendor/a.py", "node_modules/b.py", ".hidden/c.py", "sub/d.py", "build/e.py"]
    files = {
        **{name: bad for name in hidden},
        "app/hooks.py": "from app import router\n" + route.format("hook") + route.format("other"),
        ".semgrepignore": "*\n",
        ".gitignore": "*\n",
        "sub/.semgrepignore": "*\n",
        "tests/test_app.py": bad,
        "quiet.py": "import os\nos.system(given)  # nosemgrep\n",
    }
    check = scan_sast(make_subject(tmp_path, files, open_routes=["app/hooks.py::hook"]))
    shell = [one.file for one in check.findings if one.rule == "shell-command"]
    assert sorted(shell) == sorted(hidden)
    assert [one.line for one in check.findings if one.rule == "route-without-authentication"] == [6]
    assert len(check.findings) == len(hidden) + 1
    assert check.notes == ("open by [scans] open_routes: app/hooks.py::hook",)
    assert check.examined == f"7 files by {len(list(RULES.glob('*.yaml')))} rule sets, 1 test files left out"


ROUTES = """from app import Item
from fastapi import APIRouter
router = APIRouter()
@router.post("/items")
def make(item: Item) -> None: ...
@router.delete("/items")
@login_required
def drop(item: Item) -> None: ...
"""
APP = "from app import items\nfrom fastapi import FastAPI\napp = FastAPI()\napp.include_router(items.router)\n"
GATE = """@app.middleware("http")
async def gate(request, call_next):
    if not known(request.headers.get("Authorization")):
        return JSONResponse({}, status_code=401)
    return await call_next(request)
"""


@pytest.mark.parametrize(
    ("more", "severities", "note"),
    [
        ("", [Severity.HIGH], "1 routes stand behind @login_required (app/items.py:7), which asks who calls"),
        (GATE, [], "1 routes stand behind gate (app/main.py:6), which asks who calls"),
        ("app.add_middleware(CompanyGate)\n", [Severity.MEDIUM], "@login_required"),
    ],
)
def test_what_stands_before_a_route_is_seen(
    tmp_path: Path, scanners: Path, more: str, severities: list[Severity], note: str
) -> None:
    check = scan_sast(make_subject(tmp_path, {"app/items.py": ROUTES, "app/main.py": APP + more}))
    found = [one for one in check.findings if one.rule == "route-without-authentication"]
    assert ([one.severity for one in found], check.outcome) == (severities, Outcome.PASSED)
    assert any(note in one for one in check.notes)
    assert all("could not be told: CompanyGate (app/main.py:5)" in one.message for one in found if more)


def test_files_that_cannot_be_looked_at_are_no_verdict(
    tmp_path: Path, scanners: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.scans.tree.LARGEST_SOURCE_BYTES", 20_000)
    files = {
        **FINE,
        "broken.py": "def (:\n",
        "deep.py": "x = " + "(" * 5_000 + ")" * 5_000,
        "large.py": "#" * 20_001,
        "most.py": "#" * 20_000,
    }
    check = scan_sast(make_subject(tmp_path, files))
    assert check.outcome is Outcome.NO_VERDICT
    assert "broken.py: SyntaxError" in check.reason
    assert "deep.py: " in check.reason
    assert "large.py: larger than 0.02 MB" in check.reason
    assert "most.py" not in check.reason


def report(scanned: list[str], **more: object) -> str:
    return json.dumps({"results": [], "errors": [], "paths": {"scanned": scanned}, **more})


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param("sys.exit(1)", "(exit code 1)", id="crash"),
        pytest.param("sys.exit(0)", "(exit code 0)", id="nothing"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "(exit code 137)", id="killed"),
        pytest.param("write('--output', '')", "report is empty", id="empty"),
        pytest.param("write('--output', 'all good')", "not whole JSON", id="garbage"),
        pytest.param("write('--output', '{}')", "report is not its own", id="another's"),
        pytest.param(f"write('--output', {report(['app.py'])!r}[:-5])", "not whole JSON", id="truncated"),
        pytest.param(f"write('--output', {report([])!r})", "left out 1 of 1 files: app.py", id="fewer files"),
        pytest.param(f"write('--output', {report(['app.py'])!r}); sys.exit(7)", "exit code 7", id="strange exit"),
        pytest.param(
            f"write('--output', {report(['app.py'], errors=[{'message': 'Timeout', 'path': 'app.py'}])!r})",
            "app.py: Timeout",
            id="error",
        ),
        pytest.param(
            f"write('--output', {report(['app.py'], errors=[{}])!r})", "error without a message", id="mute error"
        ),
    ],
)
def test_a_semgrep_that_misbehaves_is_no_verdict(
    tmp_path: Path, scanners: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str
) -> None:
    monkeypatch.setenv("SLIPWAY_SEMGREP", str(fake_tool(tmp_path / "fake", body)))
    check = scan_sast(make_subject(tmp_path, FINE))
    assert check.outcome is Outcome.NO_VERDICT
    assert problem in check.reason


def test_an_absent_and_a_hanging_semgrep_are_no_verdict(
    tmp_path: Path, scanners: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_SEMGREP", str(tmp_path / "nowhere"))
    check = scan_sast(make_subject(tmp_path / "1", FINE))
    assert (check.outcome, "semgrep is absent" in check.reason) == (Outcome.NO_VERDICT, True)
    monkeypatch.setenv("SLIPWAY_SEMGREP", str(fake_tool(tmp_path / "fake", "time.sleep(60)")))
    monkeypatch.setattr("tasks.scans.sast.TIMEOUT_S", 1.0)
    check = scan_sast(make_subject(tmp_path / "2", FINE))
    assert (check.outcome, "tool did not end within 1 s" in check.reason) == (Outcome.NO_VERDICT, True)
