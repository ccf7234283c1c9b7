import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installation import CHECKOUT
from tests.not_run import REASON

CONFTEST = """
import pytest
from tests.not_run import making, pytest_runtest_setup

@pytest.fixture(scope="session")
def installation(pytestconfig):
    with making(pytestconfig):
        if {bad}:
            pytest.fail("the disk is full")
    yield 1
"""
TESTS = """
def test_one(installation): ...
def test_two(installation): ...
def test_without(): ...
"""


@pytest.mark.parametrize(
    ("bad", "summary", "code"), [(True, ("1 error", "1 passed, 3 skipped"), 1), (False, ("5 passed",), 0)]
)
def test_it_is_one_error_and_the_rest_is_not_run(
    tmp_path: Path, bad: bool, summary: tuple[str, ...], code: int
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.format(bad=bad))
    (tmp_path / "test_first.py").write_text(TESTS)
    (tmp_path / "test_second.py").write_text("def test_three(installation): ...\ndef test_four(installation): ...\n")
    words = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert all(part in done.stdout for part in summary), done.stdout
    assert (REASON in done.stdout) is bad and ("the disk is full" in done.stdout) is bad
