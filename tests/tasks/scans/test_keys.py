"""A scan's key changes with each thing that it reads, and with nothing else: both sides, for every scan."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from gates.check import Check
from settings.pipeline import Pipeline, Scans
from tasks.scans import Scan, Subject, all_scans, container
from tasks.scans import files as files_of_commit
from tasks.scans import keys
from tasks.scans.keys import scan_key
from tests.tasks.scans.subjects import make_subject

TODAY = date(2026, 3, 1)
SCANS = all_scans()
# These read every file of the commit.
EVERY = {"code", "secrets", "policy"}
LOCKS = {"runtime": "requirements.lock", "ci": "dev.lock", "smoke": "smoke.lock", "others": ["docs.lock"]}
READ_BY: dict[str, set[str]] = {
    "requirements.lock": EVERY | {"dependency", "licence"},
    "dev.lock": EVERY | {"dependency", "licence"},
    "smoke.lock": EVERY | {"dependency", "licence"},
    "docs.lock": EVERY | {"dependency"},
    "frontend/package.json": EVERY | {"dependency", "licence"},
    "frontend/package-lock.json": EVERY | {"dependency", "licence"},
    "site/yarn.lock": EVERY | {"dependency", "licence"},
    "app/main.py": EVERY | {"sast"},
    "app/tool.PYW": EVERY | {"sast"},
    "app/pages/home.html": EVERY | {"sast"},
    "app/pages/mail.jinja2": EVERY | {"sast"},
    "tests/test_main.py": EVERY,
    "app/conftest.py": EVERY,
    "frontend/src/main.ts": EVERY,
    "README.md": EVERY,
    "docker-compose.yml": EVERY,
    ".github/workflows/ci.yml": EVERY,
    "alembic.ini": EVERY,
    "Dockerfile": EVERY | {"container"},
    "deploy/web.Dockerfile": EVERY | {"container"},
    "deploy/Containerfile.worker": EVERY | {"container"},
    ".gitattributes": EVERY,
    "app/.gitattributes": EVERY,
}
# Every key of [scans], and which scans it decides.
SETTINGS: dict[str, tuple[Any, set[str]]] = {
    "accepted": ({"dependency": "nobody can look here"}, set()),  # judged afterwards, on every run
    "osv_url": ("https://osv.example.com", {"dependency"}),
    "npm_audit_url": ("https://npm.example.com", {"dependency"}),
    "max_advisory_age_hours": (12, {"dependency"}),
    "private_packages": (["ours-*"], {"dependency"}),
    "max_suppressions": (3, {"code"}),
    "code_excludes": (["tests/"], {"code", "sast"}),
    "open_routes": (["app/main.py::login"], {"sast"}),
    "allow": ([{"rule": "forbidden-file", "reason": "it holds no secret"}], {"policy"}),
    "require_trufflehog": (True, {"secrets"}),
    "trufflehog_verifies": (True, {"secrets"}),
    "require_trivy": (True, {"container"}),
    "debian_security_url": ("https://debian.example.com", {"container"}),
}
PROGRAMS = {
    "SLIPWAY_PIP_AUDIT": "dependency",
    "SLIPWAY_NPM": "dependency",
    "SLIPWAY_BANDIT": "code",
    "SLIPWAY_SEMGREP": "sast",
    "SLIPWAY_KINGFISHER": "secrets",
    "SLIPWAY_ZIZMOR": "policy",
    "SLIPWAY_SQUAWK": "policy",
    "SLIPWAY_HADOLINT": "container",
    "SLIPWAY_TRUFFLEHOG": "secrets",
    "SLIPWAY_TRIVY": "container",
}


def commit(root: Path, files: Mapping[str, str], **scans: Any) -> Subject:
    """A subject whose source knows git's hash of each of its files; the commit's hash stays the same."""
    subject = make_subject(root, files, LOCKS, **scans)
    hashes = {name: f"100644 blob {sha1(text.encode()).hexdigest()}" for name, text in files.items()}
    workspace = replace(subject.workspace, source=replace(subject.workspace.source, files=hashes))
    return replace(subject, workspace=workspace)


@pytest.fixture
def files() -> dict[str, str]:
    return {name: f"# {name}\n" for name in READ_BY}


@pytest.fixture
def plain(tmp_path: Path, files: dict[str, str]) -> Subject:
    return commit(tmp_path / "plain", files)


def keys_of(subject: Subject, day: date = TODAY) -> dict[str, str]:
    return {name: scan_key(scan, subject, day) for name, scan in SCANS.items()}


def changed(one: Subject, other: Subject) -> set[str]:
    """The scans that would look again."""
    before, after = keys_of(one), keys_of(other)
    return {name for name in SCANS if before[name] != after[name]}


def with_pipeline(subject: Subject, **parts: Any) -> Subject:
    return replace(subject, pipeline=Pipeline.model_validate({**subject.pipeline.model_dump(), **parts}))


@pytest.mark.parametrize("name", READ_BY)
def test_a_changed_file_is_looked_at_by_the_scans_that_read_it(
    tmp_path: Path, plain: Subject, files: dict[str, str], name: str
) -> None:
    assert changed(plain, commit(tmp_path / "other", files | {name: "# other\n"})) == READ_BY[name]


def test_the_same_content_is_never_looked_at_again(tmp_path: Path, plain: Subject, files: dict[str, str]) -> None:
    assert changed(plain, commit(tmp_path / "same", files)) == set()


def test_a_new_test_file_is_told_as_left_out(tmp_path: Path, plain: Subject, files: dict[str, str]) -> None:
    assert changed(plain, commit(tmp_path / "more", files | {"tests/test_more.py": ""})) == EVERY | {"sast"}


@pytest.mark.parametrize(
    ("new", "read_by"),
    [
        ("app/new.py", EVERY | {"sast"}),
        ("other/package-lock.json", EVERY | {"dependency", "licence"}),
        ("pnpm-lock.yaml", EVERY | {"dependency", "licence"}),
        ("Containerfile", EVERY | {"container"}),
        ("notes.txt", EVERY),
    ],
)
def test_a_new_file_is_looked_at(
    tmp_path: Path, plain: Subject, files: dict[str, str], new: str, read_by: set[str]
) -> None:
    assert changed(plain, commit(tmp_path / "new", files | {new: ""})) == read_by


def test_every_setting_decides_the_scans_that_heed_it(tmp_path: Path, plain: Subject, files: dict[str, str]) -> None:
    assert set(SETTINGS) == set(Scans.model_fields), "a new setting: which scans does it decide?"
    for number, (setting, (value, decides)) in enumerate(SETTINGS.items()):
        other = commit(tmp_path / str(number), files, **{setting: value})
        assert changed(plain, other) == decides, setting


def test_the_apps_python_and_its_environment_decide(plain: Subject) -> None:
    newer = with_pipeline(plain, app=plain.pipeline.app.model_dump() | {"python": "3.12"})
    assert changed(plain, newer) == {"dependency", "licence"}
    elsewhere = replace(plain, workspace=replace(plain.workspace, environment=Path("/environments/other")))
    assert changed(plain, elsewhere) == {"licence", "policy"}


def test_what_else_the_pipeline_says_decides_no_scan(plain: Subject) -> None:
    suites = {"unit": {"command": ["python", "-m", "pytest"]}}
    run = plain.pipeline.run.model_dump() | {"health": ["/elsewhere"]}
    assert changed(plain, with_pipeline(plain, suites=suites, run=run)) == set()


def test_the_image_and_the_files_of_ours_that_it_is_made_with_decide(
    tmp_path: Path, plain: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changed(plain, replace(plain, image="sha256:1")) == {"container"}
    ours = tmp_path / "ours"
    ours.mkdir()
    monkeypatch.setattr(files_of_commit, "CHECKOUT", ours)
    monkeypatch.setattr(container, "HADOLINT_RULES", ours / "hadolint.yaml")
    image = {"dockerfile": "{release}/Dockerfile", "compose": {"production": "{release}/compose.yml"}}
    subject = with_pipeline(plain, image=image)
    for name, decides in (
        ("Dockerfile", {"container", "policy"}),
        ("compose.yml", {"policy"}),
        ("hadolint.yaml", {"container"}),
    ):
        before = keys_of(subject)
        (ours / name).write_text("# changed\n")
        after = keys_of(subject)
        assert {one for one in SCANS if before[one] != after[one]} == decides, name


def test_a_lock_that_is_a_link_is_what_it_leads_to(tmp_path: Path, files: dict[str, str]) -> None:
    subjects = []
    for place, content in (("one", "a==1\n"), ("two", "a==2\n")):
        subject = commit(tmp_path / place, files)
        (subject.tree / "base.txt").write_text(content)
        (subject.tree / "requirements.lock").unlink()
        (subject.tree / "requirements.lock").symlink_to("base.txt")
        subjects.append(subject)
    assert changed(*subjects) >= {"dependency", "licence"}


@pytest.mark.parametrize("variable", PROGRAMS)
def test_another_program_looks_again(
    tmp_path: Path, plain: Subject, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    before, program = keys_of(plain), tmp_path / "program"
    seen = [before]
    for content in ("#!/bin/sh\n", "#!/bin/sh\n# newer\n"):
        program.write_text(content)
        program.chmod(0o755)
        monkeypatch.setenv(variable, str(program))
        seen.append(keys_of(plain))
    for one, other in zip(seen, seen[1:], strict=False):
        assert {name for name in SCANS if one[name] != other[name]} == {PROGRAMS[variable]}


@pytest.mark.parametrize(("program", "scan"), [("trufflehog", "secrets"), ("trivy", "container")])
def test_a_program_of_the_host_looks_again_when_it_comes(
    tmp_path: Path, plain: Subject, monkeypatch: pytest.MonkeyPatch, program: str, scan: str
) -> None:
    monkeypatch.setattr(keys, "tool_path", lambda: str(tmp_path))
    before = keys_of(plain)
    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)
    after = keys_of(plain)
    assert {name for name in SCANS if before[name] != after[name]} == {scan}


def test_the_history_decides_for_secrets_and_the_day_for_all(plain: Subject) -> None:
    source = replace(plain.workspace.source, commit="d" * 40)
    later = replace(plain, workspace=replace(plain.workspace, source=source))
    assert changed(plain, later) == {"secrets"}
    tomorrow = keys_of(plain, date(2026, 3, 2))
    assert not set(keys_of(plain).values()) & set(tomorrow.values())


def test_a_scan_that_does_not_say_what_it_reads_depends_on_everything(
    tmp_path: Path, plain: Subject, files: dict[str, str]
) -> None:
    def run(subject: Subject) -> Check:
        raise NotImplementedError

    def key(subject: Subject) -> str:
        return scan_key(Scan("novel", run), subject, TODAY)

    others = [
        commit(tmp_path / "other", files | {"README.md": "other"}),
        with_pipeline(plain, run=plain.pipeline.run.model_dump() | {"health": ["/elsewhere"]}),
        replace(plain, image="sha256:1"),
    ]
    assert all(key(one) != key(plain) for one in others)
