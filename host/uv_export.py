"""What uv makes of its own lock: a pylock.toml of the wanted part, written in the sandbox and without network."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from gates.lock_formats.selection import LockError, Selection
from gates.locks import LARGEST_LOCK_BYTES
from host.errors import ToolError
from host.package_tools import run_package_tool, uv_environment
from host.virtual_environments import uv

TIMEOUT_S = 600  # of a program that needs some milliseconds: no time that a busy host can miss
OUT = "pylock.toml"


def export_uv_lock(files: Mapping[str, str], selection: Selection, scratch: Path) -> str:
    """Return the pylock.toml of a selection. `files` are the texts of the lock and of the pyproject.toml of the
    workspace and its members, by their paths from where the lock lies. Safe to repeat.

    uv sees copies of these files and nothing else of the commit. Raises LockError with what uv says of them.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        project, out = Path(place) / "project", Path(place) / "out"
        for name, text in files.items():
            file = project / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        for path in (project, *project.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o444)
        argv = [uv(), *export_words(selection, project, out)]
        done = run_package_tool(
            argv, uv_environment(), reads=[Path(argv[0]), project], writes=[out], timeout_s=TIMEOUT_S, network=False
        )
        if done.timed_out or done.returncode > 128:
            raise ToolError(f"uv did not export the lock: {done.how}", transient=True)
        if done.failed:
            said = " ".join(line.strip() for line in done.output.splitlines() if line.strip())
            raise LockError(f"uv export says: {said[-600:].replace(str(project), '') or done.how}")
        with open(out / OUT, "rb") as written:
            found = written.read(LARGEST_LOCK_BYTES + 1)
        if len(found) > LARGEST_LOCK_BYTES:
            raise LockError(f"what uv exports of it is larger than {LARGEST_LOCK_BYTES // 1_000_000} MB")
        return found.decode()


def export_words(selection: Selection, project: Path, out: Path) -> list[str]:
    """Return uv's words: exactly the selection, without the project and the members of its workspace."""
    words = ["export", "--quiet", "--frozen", "--offline", "--format", "pylock.toml", "--no-default-groups"]
    words += ["--no-emit-workspace", "--project", str(project), "--cache-dir", str(out / "cache")]
    words += [word for group in selection.groups for word in ("--group", group)]
    words += [word for extra in selection.extras for word in ("--extra", extra)]
    words += ["--package", selection.package] if selection.package else []
    return [*words, "--output-file", str(out / OUT)]
