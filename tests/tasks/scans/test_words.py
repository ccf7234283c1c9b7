"""Canaries through each tool: what a scan says repeats no secret of the commit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from tasks.checks.cores import on_a_core
from tasks.scans import Subject
from tasks.scans.code import scan_code
from tasks.scans.dependency import scan_dependency
from tasks.scans.packages.pins import read_pins
from tasks.scans.policy import scan_policy
from tasks.scans.sast import scan_sast
from tasks.scans.secrets import scan_secrets
from tasks.source.workspace import Looked
from tests.tasks.scans.commits import commit, subject_of
from tests.tasks.scans.test_secret_forms import made

CANARY = made(28)
COMMIT = {
    "shop/settings.py": f'PASSWORD = "{CANARY}"\n\n\ndef connect(password="{CANARY}"):\n'
    f'    login(password="{CANARY}")\n',
    "shop/views.py": f'import jwt\n\n\ndef a(token):\n    return jwt.decode(token, "{CANARY}", algorithms=["none"])\n',
    "requirements.lock": f"--extra-index-url https://ci-user:{CANARY}@pypi.shop.internal/simple\npackaging==26.3\n",
    "requirements-dev.lock": f"git+https://{CANARY}@git.shop.internal/a.git\n",
    "docker-compose.yml": "services:\n  web:\n    build: .\n    env_file: [settings.env]\n    privileged: true\n"
    f"    environment: {{API_KEY: {CANARY}}}\n    mem_limit: {CANARY}\n",
    "settings.env": f"POSTGRES_PASSWORD={CANARY}\n",
    "Dockerfile": f"FROM python:latest\nENV SECRET_KEY={CANARY}\nUSER root\n",
    ".github/workflows/a.yml": f"on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: echo {CANARY}\n",
    "alembic.ini": f"[alembic]\nsqlalchemy.url = postgresql+psycopg://a:{CANARY}@b/c\n",
}


@pytest.mark.parametrize("scan", [scan_code, scan_sast, scan_policy, scan_secrets, scan_dependency])
def test_no_part_of_a_secret_is_told(tmp_path: Path, scan: Callable[[Subject], Check]) -> None:
    commit(tmp_path / "app", COMMIT, f"password is {CANARY}")
    subject = subject_of(tmp_path / "app", tmp_path / "work")
    check = on_a_core("scan", subject.workspace, lambda: Looked(scan(subject))).check
    assert check.findings or check.outcome is Outcome.NO_VERDICT  # it had something to say
    text = check.model_dump_json()
    assert [part for at in range(21) if (part := CANARY[at : at + 8]) in text] == []


def test_what_a_lock_s_line_says_is_told_without_its_password() -> None:
    (problem,) = read_pins(COMMIT["requirements.lock"], "3.11").problems
    assert problem.startswith("line 1: an option, not a package: --extra-index-url https://pypi.shop.internal...; ")
    assert "ci-user" not in problem


def test_bandit_s_own_quote_is_left_out_though_it_is_short(tmp_path: Path) -> None:
    commit(
        tmp_path / "app", {"a.py": 'password = "qz7"\nlogin(password="qz7")\n\n\ndef a(password="qz7"):\n    pass\n'}
    )
    check = scan_code(subject_of(tmp_path / "app", tmp_path / "work"))
    assert {one.rule for one in check.findings} == {"B105", "B106", "B107"}
    assert "qz7" not in check.model_dump_json()
