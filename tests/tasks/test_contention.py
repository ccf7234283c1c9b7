import json
import subprocess
import sys
from pathlib import Path

from gates.requirements import Outcome
from tasks.benchmarks import run_benchmarks
from tasks.contention import MOST_BY_OTHERS, Contention

BURN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def test_what_our_children_use_is_not_others() -> None:
    moment = Contention.now()
    before = moment.by_others()
    subprocess.run([sys.executable, "-c", BURN], check=True, timeout=60)
    later = Contention.now()
    assert later.ours_s - moment.ours_s >= 0.4
    assert 0 <= before <= 1 and 0 <= moment.by_others() <= 1


def test_benchmarks_of_a_busy_machine_are_inconclusive_and_not_kept(tmp_path: Path) -> None:
    left = {"benchmarks": tmp_path / "benchmarks.json", "contention": tmp_path / "contention.json"}
    left["benchmarks"].write_text("not even read")
    left["contention"].write_text(json.dumps(MOST_BY_OTHERS + 0.01))
    looked = run_benchmarks.fn(left, 50, 20, ())
    assert (looked.check.outcome, looked.files) == (Outcome.NOT_APPLICABLE, {})
    assert "inconclusive" in looked.check.reason
    left["contention"].write_text(json.dumps(MOST_BY_OTHERS))
    assert run_benchmarks.fn(left, 50, 20, ()).check.outcome is Outcome.NO_VERDICT


def test_a_suite_without_a_report_is_no_verdict() -> None:
    assert run_benchmarks.fn({}, 50, 20, ()).check.outcome is Outcome.NO_VERDICT
