import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from gates.check import Outcome
from gates.scans.outcome import ScanOutcome, conclude
from tasks.scans.packages.npm import look_at_npm
from tasks.scans.tree import Tree
from tests.corpus import Corpus
from tests.tasks.scans.subjects import fake_tool, make_subject

BULK = "/-/npm/v1/security/advisories/bulk"
# By package: (vulnerable version, severity in the registry's words and in ours, clean version).
PLANTS = {
    "minimist": ("0.0.8", "critical", "critical", "1.2.8"),
    "axios": ("0.21.0", "high", "high", "1.7.9"),
    "semver": ("5.7.1", "moderate", "medium", "7.6.3"),
    "tiny": ("1.0.0", "low", "low", "2.0.0"),
    "told": ("1.0.0", "info", "low", "2.0.0"),
    "odd": ("1.0.0", "unheard-of", "high", "2.0.0"),
}


def registry(request: Request) -> Response:
    """Answer as a registry's bulk audit endpoint does: advisories about the versions that were asked."""
    raw = request.get_data()
    asked = json.loads(gzip.decompress(raw) if request.headers.get("Content-Encoding") == "gzip" else raw)
    known = {name: (bad, word) for name, (bad, word, _, _) in PLANTS.items()} | {"lodash": ("4.17.0", "critical")}
    body = {}
    for number, (name, (bad, word)) in enumerate(known.items()):
        if bad in asked.get(name, []):
            url = f"https://advisories.example/GHSA-{name}"
            body[name] = [
                {
                    "id": number,
                    "url": url,
                    "title": f"{name} is bad",
                    "severity": word,
                    "vulnerable_versions": f"<={bad}",
                }
            ]
    return Response(json.dumps(body), content_type="application/json")


@pytest.fixture
def npm_url(httpserver: HTTPServer) -> str:
    httpserver.expect_request(BULK, method="POST").respond_with_handler(registry)
    return httpserver.url_for("/").rstrip("/")


def frontend(versions: dict[str, str], folder: str = "frontend") -> dict[str, str]:
    """Return package.json and package-lock.json that pin the versions."""
    packages: dict[str, Any] = {"": {"name": "app", "version": "1.0.0", "dependencies": versions}}
    packages |= {f"node_modules/{name}": {"version": version} for name, version in versions.items()}
    lock = {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    own = {"name": "app", "version": "1.0.0", "dependencies": versions}
    return {f"{folder}/package.json": json.dumps(own), f"{folder}/package-lock.json": json.dumps(lock)}


def look(root: Path, files: dict[str, str], url: str = "") -> ScanOutcome:
    subject = make_subject(root, files, npm_audit_url=url)
    return look_at_npm(subject, Tree.at(subject.tree))


def test_planted_packages_are_found_and_their_twins_are_not(tmp_path: Path, npm_url: str, corpus: Corpus) -> None:
    bad = frontend({name: versions[0] for name, versions in PLANTS.items()}, "bad")
    good = frontend({name: versions[3] for name, versions in PLANTS.items()}, "good")
    seen = look(tmp_path, {**bad, **good}, npm_url)
    found = {(one.package, one.installed, one.severity.value, one.rule) for one in seen.findings}
    expected = {(name, row[0], row[2], f"GHSA-{name}") for name, row in PLANTS.items()}
    false = [one for one in seen.findings if one.file.startswith("good")]
    corpus.record("dependency", len(found & expected), len(PLANTS), len(false), len(PLANTS))
    assert found == expected
    assert not false
    assert seen.problems == ()
    assert seen.examined == ("bad/package-lock.json: 6 packages", "good/package-lock.json: 6 packages")


def test_without_a_frontend_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert look(tmp_path, {"app.py": ""}) == ScanOutcome()


def test_the_apps_npmrc_does_not_choose_the_registry(tmp_path: Path, npm_url: str, refused: Callable[[], str]) -> None:
    files = {**frontend({"axios": "0.21.0"}), "frontend/.npmrc": f"registry={refused()}\naudit-level=none\n"}
    assert [one.package for one in look(tmp_path, files, npm_url).findings] == ["axios"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"web/yarn.lock": ""},
            "web/yarn.lock: only package-lock.json can be audited; run: npm install --package-lock-only --prefix web, "
            "then commit package-lock.json in its place",
        ),
        (
            {"npm-shrinkwrap.json": "{}"},
            "npm-shrinkwrap.json: only package-lock.json can be audited; run: "
            "git mv npm-shrinkwrap.json package-lock.json",
        ),
        (
            {"web/package.json": '{"dependencies": {"x": "1"}}'},
            "web/package.json: asks for packages that no package-lock.json pins; run: "
            "npm install --package-lock-only --prefix web",
        ),
        (
            {"package.json": "{"},
            "package.json: asks for packages that no package-lock.json pins; run: npm install --package-lock-only",
        ),
    ],
)
def test_what_no_lock_pins_is_a_problem(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    assert look(tmp_path, files).problems == (problem,)


def test_a_workspace_is_pinned_by_the_lock_above_it(tmp_path: Path, npm_url: str) -> None:
    files = {**frontend({"axios": "1.7.9"}), "frontend/part/package.json": '{"dependencies": {"x": "1"}}'}
    assert look(tmp_path, files, npm_url).problems == ()


@pytest.mark.parametrize("lock", ["", "{", "[]", '{"lockfileVersion": 1, "dependencies": {}}'])
def test_a_lock_that_cannot_be_read_is_a_problem(tmp_path: Path, npm_url: str, lock: str) -> None:
    files = {**frontend({}), "frontend/package-lock.json": lock}
    (problem,) = look(tmp_path, files, npm_url).problems
    assert problem.startswith("frontend/package-lock.json: ")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Response("{}", content_type="application/json"), id="knows nothing"),
        pytest.param(Response("", 500), id="500"),
        pytest.param(Response("", 405), id="not offered"),
        pytest.param(Response("<html>", 200), id="garbage"),
    ],
)
def test_a_registry_that_does_not_know_the_canary_is_a_problem(
    tmp_path: Path, httpserver: HTTPServer, answer: Response
) -> None:
    httpserver.expect_request(BULK).respond_with_response(answer)
    seen = look(tmp_path, frontend({"axios": "0.21.0"}), httpserver.url_for("/").rstrip("/"))
    assert conclude("dependency", "", seen).outcome is Outcome.NO_VERDICT
    (problem,) = seen.away
    assert "canary" in problem or "got no answer from localhost" in problem


def test_nobody_there_is_a_problem(tmp_path: Path, refused: Callable[[], str]) -> None:
    (problem,) = look(tmp_path, frontend({"axios": "0.21.0"}), refused()).away
    assert "got no answer from 127.0.0.1" in problem


def report(names: list[str], total: int, version: int = 2) -> str:
    vulnerable = {name: {"name": name, "via": [], "nodes": []} for name in names}
    body = {
        "auditReportVersion": version,
        "vulnerabilities": vulnerable,
        "metadata": {"dependencies": {"total": total}},
    }
    return json.dumps(body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param("sys.exit(1)", "report is empty (exit code 1)", id="crash"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "report is empty (exit code 137)", id="killed"),
        pytest.param("print('found 0 vulnerabilities')", "report is empty (exit code 0): found 0", id="garbage"),
        pytest.param(f"print({report(['lodash'], 1)!r}[:-8])", "not whole JSON", id="truncated"),
        pytest.param("print('{}')", "got no answer from npm's registry", id="empty object"),
        pytest.param(f"print({report(['lodash'], 1, 1)!r})", "report of version 1, expected 2", id="old report"),
        pytest.param(f"print({report([], 1)!r})", "does not report the canary", id="blind"),
        pytest.param(f"print({report(['lodash'], 1)!r})", "npm audit looked at 1 of 2 packages", id="fewer"),
    ],
)
def test_an_npm_that_misbehaves_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str
) -> None:
    monkeypatch.setenv("SLIPWAY_NPM", str(fake_tool(tmp_path / "fake", body)))
    seen = look(tmp_path, frontend({"axios": "1.7.9", "semver": "7.6.3"}))
    assert conclude("dependency", "", seen).outcome is Outcome.NO_VERDICT
    assert problem in "; ".join((*seen.problems, *seen.away))


def test_an_absent_and_a_hanging_npm_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_NPM", str(tmp_path / "nowhere"))
    assert look(tmp_path / "1", frontend({})).problems == ("npm is absent: nowhere is no program (SLIPWAY_NPM)",)
    monkeypatch.setenv("SLIPWAY_NPM", str(fake_tool(tmp_path / "fake", "time.sleep(60)")))
    monkeypatch.setattr("tasks.scans.packages.npm.TIMEOUT_S", 0.5)
    assert look(tmp_path / "2", frontend({})).problems == ("tool did not end within 0.5 s",)
