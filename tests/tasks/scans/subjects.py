"""Subjects to scan, made from a few files, and scanners that misbehave."""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from evidence.commits import Commit
from gates.check import Check, Outcome
from gates.scans.security import Context, judge_scan
from settings.pipeline import Pipeline
from tasks.scans import Subject, all_scans
from tasks.source.git import Source
from tasks.source.workspace import Workspace

PIPELINE = {
    "app": {"name": "assistant", "repository": "/nowhere"},
    "locks": {"runtime": "requirements.lock", "ci": "requirements.lock"},
    "run": {"command": ["python", "-m", "app", "{port}"], "health": ["/health"]},
}


def make_subject(
    root: Path, files: Mapping[str, str | bytes], locks: Mapping[str, str] | None = None, **scans: object
) -> Subject:
    """Lay files out as a commit's tree below `root`; `scans` is the pipeline's section of that name."""
    tree = root / "work" / "tree"
    tree.mkdir(parents=True)
    for name, content in files.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    pipeline = Pipeline.model_validate({**PIPELINE, "scans": scans, **({"locks": locks} if locks else {})})
    commit = Commit(hash="c" * 40, author="Ada", email="ada@example.com", subject="Work")
    source = Source("c" * 40, "1.0", "main", (commit,), root / "source.tar")
    return Subject(pipeline, Workspace(root / "work", source, root / "environment"), tree, root / "repository")


def judged(check: Check) -> Outcome:
    """Return what a scan's check comes to by the gates, with nothing waived or accepted."""
    return judge_scan(check, all_scans()[check.name].rule, Context({}, {}, {}, {}, datetime.now(UTC))).outcome


def fake_tool(directory: Path, body: str) -> Path:
    """Write a program of that Python body, in a directory of its own that the sandbox can see; `arguments` are its
    arguments, and `write(option, text)` puts text where the argument after an option says.
    """
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "tool"
    program.write_text(
        f"#!{os.path.realpath(sys.executable)}\nimport os, signal, sys, time\narguments = sys.argv[1:]\n"
        "def write(option, text):\n    open(arguments[arguments.index(option) + 1], 'w').write(text)\n" + body + "\n"
    )
    for one in (directory, program):
        one.chmod(0o755)
    return program
