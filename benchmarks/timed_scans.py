"""The security scans of a repository, timed in a process of its own: Prefect reads its settings when it is imported.

python -m benchmarks.timed_scans REPOSITORY HISTORY prints what `benchmarks.scans.Figures` holds, as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from prefect.logging import disable_run_logger

from evidence.scan_report import read_scans_of
from evidence.scopes import OURS
from flows.security import security
from gates.check import Check, Outcome
from host.errors import ToolError
from host.home import Home
from settings.pipeline import read_pipeline
from tasks.scans import Subject, all_scans
from tasks.scans.secrets import scan_secrets
from tasks.source.dependencies import locked_environment, own_tools
from tasks.source.working_tree import read_working_tree
from tasks.source.workspace import Workspace

GOOD = (Outcome.PASSED, Outcome.NOT_APPLICABLE)


def scanned(repository: Path) -> tuple[float, list[Check]]:
    """Scan a working tree; return the seconds and the checks. Raises ToolError if one did not look, or something
    blocks.
    """
    began = time.monotonic()
    state = security(working_tree=str(repository), return_state=True)
    seconds = time.monotonic() - began
    (report,) = read_scans_of(Home.find(), str(state.state_details.flow_run_id))
    checks = [one for one in report.scanned.checks if one.name in all_scans()]
    if bad := [f"{one.name}: {one.outcome}: {one.reason}" for one in checks if one.outcome not in GOOD]:
        raise ToolError("; ".join(bad))
    return seconds, checks


def of_history(repository: Path, root: Path) -> tuple[float, float]:
    """Return the seconds of the secrets scan over a whole history, and of Kingfisher alone over the same."""
    with disable_run_logger():
        source = read_working_tree.fn(repository, root)
    tree = source.lay_out(root / "tree", os.geteuid())
    subject = Subject(read_pipeline(), Workspace(root, source, root), tree, source.repository)
    began = time.monotonic()
    check = scan_secrets(subject)
    seconds = time.monotonic() - began
    if check.outcome is not Outcome.PASSED or check.findings:
        raise ToolError(f"secrets: {check.outcome}: {check.reason}")
    kingfisher = own_tools("scanners") / "bin" / "kingfisher"
    words = ("scan", str(repository), "--no-validate", "--no-update-check", "--quiet", "--format", "json")
    env = {**os.environ, "KF_RULE_CACHE_DIR": str(Home.find().cache / "kingfisher")}
    began = time.monotonic()
    subprocess.run([kingfisher, *words], env=env, capture_output=True, timeout=300, check=True)
    return seconds, time.monotonic() - began


def main(repository: Path, history: Path) -> dict[str, Any]:
    """Measure. What is installed is there before the clock starts; nothing is remembered, and no rule is compiled."""
    home, pipeline = Home.find(), read_pipeline()
    own_tools("scanners")
    for lock in {pipeline.locks.ci, *pipeline.locks.shipped}:
        locked_environment(repository / lock.file, pipeline.app.python, OURS)
    shutil.rmtree(home.cache / "kingfisher", ignore_errors=True)
    cold_s, checks = scanned(repository)
    again_s, remembered = scanned(repository)
    if looked := [one.name for one in remembered if not one.source_run and one.outcome is Outcome.PASSED]:
        raise ToolError(f"looked at again, though nothing changed: {', '.join(looked)}")
    work = home.work / "bench-history"
    work.mkdir(parents=True)
    history_s, bare_s = of_history(history, work)
    each = {one.name: one.seconds for one in checks}
    return {"cold_s": cold_s, "again_s": again_s, "each": each, "history_s": history_s, "kingfisher_s": bare_s}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
