"""No test file may lie where the test runner does not look: it would be green for ever."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_every_test_file_is_collected(pytestconfig: pytest.Config) -> None:
    skipped = pytestconfig.getini("norecursedirs")
    files = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    assert len(files) > 300
    folders = {part for file in files for part in file.parts[:-1]}
    assert not [folder for folder in folders if any(fnmatchcase(folder, pattern) for pattern in skipped)]
    assert not [file for file in files if len(file.parts) > 1 and not (TESTS / file).with_name("__init__.py").exists()]
