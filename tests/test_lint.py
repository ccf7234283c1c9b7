"""`make lint` looks at every file of ours: these tools leave out folders named "build" unless they are told."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from host.home import CHECKOUT

LEFT_OUT = {"black": ("examples/assistant/",), "isort": ("examples/assistant/",)}
LEFT_OUT["flake8"] = ("examples/assistant/", "tests/semgrep/")  # bad code on purpose


def run(*argv: str) -> str:
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def black() -> set[str]:
    said = run(sys.executable, "-m", "black", "--check", "--verbose", ".").splitlines()
    ends = (" already well formatted, good job.", " wasn't modified on disk since last run.")
    well = {line.removesuffix(end) for line in said for end in ends if line.endswith(end)}
    return well | {line.removeprefix("would reformat ") for line in said if line.startswith("would reformat ")}


def isort() -> set[str]:
    return set(run(sys.executable, "-m", "isort", "--show-files", ".").splitlines())


def flake8() -> set[str]:
    return set(run(sys.executable, "-m", "flake8", "-q", "--select=E501", "--max-line-length=1", ".").splitlines())


@pytest.mark.parametrize("tool", [black, isort, flake8])
def test_every_file_is_looked_at(tool: Callable[[], set[str]]) -> None:
    tracked = run("git", "ls-files", "*.py").split()
    ours = {path for path in tracked if not path.startswith(LEFT_OUT[tool.__name__]) and (CHECKOUT / path).read_text()}
    looked_at = {path.removeprefix(f"{CHECKOUT}/").removeprefix("./") for path in tool()}
    assert "tasks/build/bundle.py" in ours
    assert ours - looked_at == set()
