import json
from pathlib import Path

import pytest

from gates.check import Outcome
from tasks.scans.code import scan_code
from tasks.scans.sast import scan_sast
from tests.corpus import Corpus
from tests.tasks.scans.subjects import fake_tool, judged, make_subject

# By bandit's rule: a plant and its clean twin.
PLANTS = {
    "B102": ("exec(given)", "given()"),
    "B103": ("import os\nos.chmod('x', 0o777)", "import os\nos.chmod('x', 0o600)"),
    "B201": (
        "import flask\napp = flask.Flask('a')\napp.run(debug=True)",
        "import flask\napp = flask.Flask('a')\napp.run()",
    ),
    "B202": (
        "import tarfile\ntarfile.open('x').extractall()",
        "import tarfile\ntarfile.open('x').extractall(filter='data')",
    ),
    "B301": ("import pickle\npickle.loads(given)", "import json\njson.loads(given)"),
    "B307": ("eval(given)", "import ast\nast.literal_eval(given)"),
    "B324": ("import hashlib\nhashlib.md5(given)", "import hashlib\nhashlib.sha256(given)"),
    "B501": ("import httpx\nhttpx.get('x', verify=False)", "import httpx\nhttpx.get('x', timeout=5)"),
    "B506": ("import yaml\nyaml.load(given)", "import yaml\nyaml.safe_load(given)"),
    "B602": ("import subprocess\nsubprocess.run(given, shell=True)", "import shutil\nshutil.which('ls')"),
    "B605": ("import os\nos.system(given)", "import os\nos.getcwd()"),
    "B608": ("run('SELECT * FROM t WHERE a = ' + given)", "run('SELECT * FROM t WHERE a = :a', given)"),
}
FINE = {"app.py": "value = 1\n"}


def test_planted_code_is_found_and_its_twin_is_not(tmp_path: Path, scanners: Path, corpus: Corpus) -> None:
    files = {}
    for rule, (plant, twin) in PLANTS.items():
        files |= {f"bad/{rule}.py": plant + "\n", f"good/{rule}.py": twin + "\n"}
    check = scan_code(make_subject(tmp_path, files))
    found = {
        rule for rule in PLANTS if any(one.rule == rule and one.file == f"bad/{rule}.py" for one in check.findings)
    }
    false = [one for one in check.findings if one.file.startswith("good/")]
    corpus.record("code", len(found), len(PLANTS), len(false), len(PLANTS))
    assert found == set(PLANTS)
    assert not false
    assert judged(check) is Outcome.FAILED
    assert "24 Python files" in check.examined


def test_a_medium_finding_passes_and_is_told(tmp_path: Path, scanners: Path) -> None:
    check = scan_code(make_subject(tmp_path, {"app.py": "eval(given)\n"}))
    assert (judged(check), check.reason) == (Outcome.PASSED, "1 medium")


def test_what_silences_and_hides_is_counted_and_told(tmp_path: Path, scanners: Path) -> None:
    files = {
        "app.py": "import os\nos.system(given)  # nosec\n",
        ".bandit": "[bandit]\nskips = B307\nexclude = hidden\n",
        "hidden/b.py": "eval(given)\n",
        ".tox/c.py": "eval(given)\n",
        "pyproject.toml": "[tool.bandit]\nskips = ['B307']\n",
        "tests/test_app.py": "eval(given)\n",
    }
    check = scan_code(make_subject(tmp_path, files))
    assert sorted(one.file for one in check.findings) == [".tox/c.py", "hidden/b.py"]
    assert "3 Python files, 1 test files left out" in check.examined
    assert "1 comments silence a tool: 1 nosec" in check.notes
    assert "the app's own scanner settings were not used: .bandit" in check.notes


@pytest.mark.parametrize(("count", "outcome"), [(2, Outcome.PASSED), (3, Outcome.FAILED)])
def test_too_many_comments_that_silence_fail(tmp_path: Path, scanners: Path, count: int, outcome: Outcome) -> None:
    files = {"app.py": "value = 1\n", "x.js": "// nosemgrep\n" * (count - 1), "y.txt": "key = 1 # kingfisher:ignore\n"}
    check = scan_code(make_subject(tmp_path, files, max_suppressions=2))
    assert judged(check) is outcome
    assert str(check.measures[0]) == f"comments that silence a tool {count}, wanted <= 2"


def test_the_same_line_twice_is_two_findings_that_survive_edits_above(tmp_path: Path, scanners: Path) -> None:
    text = "import os\nos.system(given)\nos.system(given)\n"
    first = scan_code(make_subject(tmp_path / "1", {"app.py": text})).findings
    moved = scan_code(make_subject(tmp_path / "2", {"app.py": "# more\n" + text})).findings
    high = {one.fingerprint for one in first if one.rule == "B605"}
    assert len(high) == 2
    assert high == {one.fingerprint for one in moved if one.rule == "B605"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.py", b"def (:\n"),
        ("binary.py", bytes(range(256))),
        ("zero.py", b"x = 1\0\n"),
        ("deep.py", b"x = " + b"(" * 5_000 + b")" * 5_000),
        ("-o.py", b"def (:\n"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_no_verdict(tmp_path: Path, scanners: Path, name: str, content: bytes) -> None:
    check = scan_code(make_subject(tmp_path, {**FINE, name: content}))
    assert check.outcome is Outcome.NO_VERDICT
    assert name in check.reason


@pytest.mark.parametrize("files", [{}, {"README.md": "x"}, {"tests/test_app.py": "x = 1\n"}])
def test_nothing_to_look_at_is_no_verdict(tmp_path: Path, files: dict[str, str]) -> None:
    for scan in (scan_code, scan_sast):
        check = scan(make_subject(tmp_path / scan.__name__, files))
        assert check.outcome is Outcome.NO_VERDICT
        assert "the commit has no Python file" in check.reason


def test_a_file_without_code_is_no_verdict(tmp_path: Path, scanners: Path) -> None:
    check = scan_code(make_subject(tmp_path, {"app.py": "# nothing\n"}))
    assert (check.outcome, check.reason) == (Outcome.NO_VERDICT, "bandit looked at no line of code")


def test_a_huge_file_is_no_verdict_and_the_rest_is_looked_at(tmp_path: Path, scanners: Path) -> None:
    subject = make_subject(tmp_path, {**FINE, "bad.py": "import os\nos.system(given)\n", "huge.py": ""})
    with open(subject.tree / "huge.py", "ab") as file:
        file.truncate(200_000_000)  # a hole: it takes no space
    check = scan_code(subject)
    assert check.outcome is Outcome.NO_VERDICT
    assert "huge.py: larger than 1 MB" in check.reason
    assert "not looked through for such comments, too large: huge.py" in check.notes
    assert "B605" in {one.rule for one in check.findings}


def test_links_are_not_followed(tmp_path: Path, scanners: Path) -> None:
    subject = make_subject(tmp_path, FINE)
    (subject.tree / "loop").symlink_to(".")
    (subject.tree / "passwd.py").symlink_to("/etc/passwd")
    check = scan_code(subject)
    assert (check.outcome, check.examined.split(",")[0]) == (Outcome.PASSED, "1 Python files")


def report(files: list[str], lines: int, **more: object) -> str:
    metrics = {**{name: {"loc": lines} for name in files}, "_totals": {"loc": lines}}
    return json.dumps({"errors": [], "metrics": metrics, "results": [], **more})


MISBEHAVIOUR = [
    pytest.param("sys.exit(1)", "(exit code 1)", id="crash"),
    pytest.param("sys.exit(0)", "(exit code 0)", id="nothing"),
    pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "", id="killed"),
    pytest.param("write('-o', '')", "report is empty", id="empty"),
    pytest.param("write('-o', 'all good')", "not whole JSON", id="garbage"),
    pytest.param("write('-o', '{}')", "report is not its own", id="another's"),
    pytest.param(f"write('-o', {report(['./app.py'], 1)!r}[:-5])", "not whole JSON", id="truncated"),
    pytest.param(f"write('-o', {report(['./app.py'], 0)!r})", "no line of code", id="no lines"),
    pytest.param(f"write('-o', {report([], 5)!r})", "left out 1 of 1 files: app.py", id="fewer files"),
    pytest.param(f"write('-o', {report(['./app.py'], 1)!r}); sys.exit(2)", "exit code 2", id="strange exit"),
]


@pytest.mark.parametrize(("body", "problem"), MISBEHAVIOUR)
def test_a_bandit_that_misbehaves_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str
) -> None:
    monkeypatch.setenv("SLIPWAY_BANDIT", str(fake_tool(tmp_path / "fake", body)))
    check = scan_code(make_subject(tmp_path, FINE))
    assert check.outcome is Outcome.NO_VERDICT
    assert problem in check.reason


def test_an_absent_and_a_hanging_bandit_are_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_BANDIT", str(tmp_path / "nowhere"))
    check = scan_code(make_subject(tmp_path / "1", FINE))
    assert check.outcome is Outcome.NO_VERDICT
    assert "bandit is absent: nowhere is no program (SLIPWAY_BANDIT)" in check.reason
    monkeypatch.setenv("SLIPWAY_BANDIT", str(fake_tool(tmp_path / "fake", "time.sleep(60)")))
    monkeypatch.setattr("tasks.scans.code.TIMEOUT_S", 0.5)
    check = scan_code(make_subject(tmp_path / "2", FINE))
    assert (check.outcome, "tool did not end within 0.5 s" in check.reason) == (Outcome.NO_VERDICT, True)


def test_a_scanner_sees_neither_keys_nor_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "key.pem"
    secret.write_text("private")
    monkeypatch.setenv("SLACK_TOKEN", "private")
    body = f"key = {str(secret)!r}\nseen = os.environ.get('SLACK_TOKEN', '')\n"
    body += "seen += open(key).read() if os.access(key, os.R_OK) else ''\n"
    body += "try:\n    open('app.py', 'a').write('#')\n    seen += 'wrote'\nexcept OSError:\n    pass\n"
    body += "write('-o', '{\"seen\": \"' + seen + '\"}'); print('seen', seen); sys.exit(7)"
    monkeypatch.setenv("SLIPWAY_BANDIT", str(fake_tool(tmp_path / "fake", body)))
    subject = make_subject(tmp_path, FINE)
    assert "exit code 7" in scan_code(subject).reason
    (written,) = subject.workspace.scratch("code").glob("bandit-*.json")
    assert json.loads(written.read_text()) == {"seen": ""}
