import os
import subprocess
import sys
from pathlib import Path

from host.home import CHECKOUT
from tests.tasks.source.test_working_tree import repository

__all__ = ["repository"]

# A run was good, nothing changed since, and the command is typed.
TYPED = """\
import sys
from datetime import UTC, datetime
from pathlib import Path
from cli.main import load_overrides, main
from evidence.check_report import Report, keep_report
from gates.check import Check, Outcome
from host.home import Home
from tasks.checks.unchanged import hold, see
load_overrides()
home, tree = Home.find(), Path(sys.argv[1])
seen = see(home, tree)
check = Check(name="unit", outcome=Outcome.PASSED, reason="", examined="61 tests", notes=("[bold]as it was",))
told = Report(run="3f0c7f5e", version="v", commit=seen.commit, branch="", digest="", good=True, reason="1 passed",
    seconds=1, checks=(check,), remembered=("unit",))
keep_report(home, told)
hold(home, seen, told, datetime.now(UTC))
sys.argv = ["slipway", "ci", str(tree)]
try:
    main()
except SystemExit as end:
    sys.exit(end.code or ("Prefect was imported" if "prefect" in sys.modules else 0))
"""


def test_with_nothing_changed_its_report_is_shown_without_a_run_and_without_prefect(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TYPED, str(repository)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "61 tests" in done.stdout and "unit: [bold]as it was" in done.stdout
    assert "v: 1 passed" in done.stdout
    assert "when run 3f0c7f5e found this; --refresh looks again" in done.stdout
