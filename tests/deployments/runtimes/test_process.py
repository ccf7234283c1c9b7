"""What installing an app's wheels does and does not run."""

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from host.errors import ArtifactError, ToolError
from host.virtual_environments import interpreter, make_venv, once


def wheel(folder: Path, marker: Path) -> Path:
    """Make a wheel whose .pth file leaves a mark when an interpreter of its environment starts."""
    content = {
        "evil.py": f"import pathlib\npathlib.Path({str(marker)!r}).write_text('ran')\n",
        "evil.pth": "import evil\n",
        "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
        "evil-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in content.items()]
    content["evil-1.dist-info/RECORD"] = "\n".join([*rows, "evil-1.dist-info/RECORD,,"]) + "\n"
    folder.mkdir()
    file = folder / "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return file


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def lock_of(file: Path, lock: Path, digest: str | None = None) -> Path:
    lock.write_text(f"evil==1 --hash=sha256:{digest or hashlib.sha256(file.read_bytes()).hexdigest()}\n")
    return lock


def python() -> str:
    return interpreter(f"{sys.version_info.major}.{sys.version_info.minor}")


def test_installing_a_wheel_runs_nothing_of_it(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    file = wheel(tmp_path / "wheels", marker)
    venv = tmp_path / "venv"
    make_venv(venv, python(), lock_of(file, tmp_path / "lock"), file.parent, tmp_path / "cache")
    assert not marker.exists()
    assert list(venv.rglob("evil.*.pyc"))  # compiled all the same
    # The trap is a real one: the environment's own interpreter falls into it.
    subprocess.run([venv / "bin" / "python", "-c", "pass"], check=True, timeout=120)
    assert marker.read_text() == "ran"


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    file = wheel(tmp_path / "wheels", tmp_path / "marker")
    lock = lock_of(file, tmp_path / "lock", digest="0" * 64)
    with pytest.raises(ToolError, match="lock: cannot be installed"):
        make_venv(tmp_path / "venv", python(), lock, file.parent, tmp_path / "cache")


def test_a_python_that_is_not_here_is_named() -> None:
    with pytest.raises(ArtifactError, match="3.2"):
        interpreter("3.2")


def test_an_interrupted_directory_is_made_anew_and_a_complete_one_is_kept(tmp_path: Path) -> None:
    directory = tmp_path / "made"

    def interrupted() -> None:
        directory.mkdir()
        (directory / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(directory, interrupted)
    once(directory, lambda: directory.mkdir())
    assert not (directory / "half").exists()
    once(directory, lambda: pytest.fail("made twice"))
