import subprocess
import sys

from tasks.contention import Contention

BURN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def test_what_our_children_use_is_not_others() -> None:
    moment = Contention.now()
    before = moment.by_others()
    subprocess.run([sys.executable, "-c", BURN], check=True, timeout=60)
    later = Contention.now()
    assert later.ours_s - moment.ours_s >= 0.4
    assert 0 <= before <= 1 and 0 <= moment.by_others() <= 1
