"""Become one program of a supervisor: `python -I -S exec_program.py SPEC DIGEST`, standard library only.

The supervisor's configuration language cannot carry every environment value (quotes, `%`, ` ;`, line ends), and would
hand its own environment down. So it starts this, which reads command, directory and environment from the JSON file SPEC
and executes: same process id, default signals, nothing inherited but the mark by which leftovers are found. DIGEST is
not read: it makes a changed SPEC a changed command, which is how the supervisor notices.
"""

import json
import os
import signal
import sys

MARK = "SLIPWAY_SUPERVISOR"


def main(spec_path: str) -> None:
    with open(spec_path, encoding="utf-8") as file:
        spec = json.load(file)
    environment = spec["env"] | {MARK: f"{os.environ[MARK]}/{spec['name']}"}
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.chdir(spec["cwd"])
        os.execvpe(spec["command"][0], spec["command"], environment)
    except OSError as error:
        sys.exit(f"cannot start {spec['command'][0]} in {spec['cwd']}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1])
