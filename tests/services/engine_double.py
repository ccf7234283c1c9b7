"""Stands for Prefect's engine in the tests of the flow starter: does what DOUBLE says, and tells who it is in TOLD."""

import json
import os
import signal
import sys
import threading

if __name__ == "__main__":
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    told = {"pid": os.getpid(), "directory": os.getcwd(), "argv": sys.argv, "session": os.getsid(0)}
    told["environment"] = dict(os.environ)
    with open(os.environ["TOLD"] + ".new", "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.rename(os.environ["TOLD"] + ".new", os.environ["TOLD"])
    print("heard")
    if os.environ["DOUBLE"] == "until told":
        while not stopped.wait(0.1):
            pass
        sys.exit(7)
    if os.environ["DOUBLE"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(int(os.environ["DOUBLE"]))
