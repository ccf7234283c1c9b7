"""Real git repositories to be scanned, and programs that misbehave as a scanner could."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.commits import read_history
from settings.pipeline import Pipeline
from tasks.scans import Subject
from tasks.source.git import Source, compared_with, git, tracked
from tasks.source.workspace import Workspace

AUTHOR = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@x"}
Files = Mapping[str, str | bytes]


def commit(repository: Path, files: Files, message: str = "change", remove: tuple[str, ...] = ()) -> str:
    """Write files and commit them, and return the commit; the repository is made when it is not there."""
    if not (repository / ".git").exists():
        run("init", "-q", "-b", "main", str(repository))
    for name, content in files.items():
        file = repository / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for name in remove:
        (repository / name).unlink()
    run("-C", str(repository), "add", "--all", "--force")
    run("-C", str(repository), "commit", "-q", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD", at=repository)


def run(*argv: str) -> None:
    subprocess.run(["git", *argv], check=True, env={**os.environ, **AUTHOR}, timeout=600, capture_output=True)


def subject_of(
    repository: Path,
    root: Path,
    *,
    image: str | None = None,
    environment: Path = Path("/none"),
    image_section: Mapping[str, Any] | None = None,
    **sections: Mapping[str, Any],
) -> Subject:
    """Return the newest commit of a repository as what is scanned, with its work below `root`."""
    folder = repository / ".git" if (repository / ".git").exists() else repository
    newest = git("rev-parse", "HEAD", at=repository)
    root.mkdir(parents=True, exist_ok=True)
    archive = root / "source.tar"
    git("archive", "--format=tar", f"--output={archive}", newest, at=repository)
    found = tracked(folder, newest)
    parent = compared_with(folder, newest, "main")
    source = Source(newest, "v1", "main", read_history(folder, newest)[0], archive, found, folder, parent)
    settings: dict[str, Any] = {
        "app": {"name": "app", "repository": str(repository)},
        "locks": {"runtime": "requirements.lock", "ci": "requirements-dev.lock"},
        "run": {"command": ["python", "-m", "app"], "health": ["/health"]},
        **({"image": image_section} if image_section else {}),
        **sections,
    }
    tree = source.lay_out(root / "tree", os.geteuid())
    return Subject(Pipeline.model_validate(settings), Workspace(root, source, environment), tree, folder, image)


def program(folder: Path, body: str, name: str = "tool") -> Path:
    """Write a program of Python that stands for a scanner."""
    file = folder / name
    file.write_text(f"#!/usr/bin/env python3\nimport os, signal, sys, time\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


# How a scanner can fail without saying so. {report}: writes it to the file behind the last --output, else prints it.
WRITES = """
def say(text):
    at = sys.argv.index("--output") + 1 if "--output" in sys.argv else 0
    open(sys.argv[at], "w").write(text) if at else print(text)
"""
FAILURES: Mapping[str, str] = {
    "hangs": "time.sleep(60)",
    "is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "ends with an error": "sys.exit(77)",
    "says nothing": "sys.exit(0)",
    "prints garbage": WRITES + "say('all is well')",
    "writes an empty list": WRITES + "say('[]')",
    "writes an empty object": WRITES + "say('{}')",
    "is cut off": WRITES + """say('{"findings": [{"rule": {"id": "x"')""",
    "is cut off in a list": WRITES + """say('[{"code": "DL3000", "file"')""",
}
