"""The program as it is started for the router: with a real lock and real ports."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

from deployments.router import exec_locked as locked_exec
from host.ports import free_port


def run(
    lock: Path, port: int, *program: str, umask: int = -1, hosts: str = "127.0.0.1"
) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-I", "-S", locked_exec.__file__, str(lock), hosts, str(port), *program]
    return subprocess.run(argv, capture_output=True, text=True, check=False, umask=umask)


def test_it_becomes_the_program_which_can_take_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    try_lock = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    done = run(lock, free_port(), sys.executable, "-c", try_lock, str(lock), umask=0)
    assert done.returncode == 0, done.stderr
    assert lock.stat().st_mode & 0o777 == 0o600
    assert run(lock, free_port(), "/bin/echo", "a b", "c").stdout == "a b c\n"


def test_a_second_one_of_the_same_directory_is_kept_out(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with open(lock, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run(lock, free_port(), "/bin/echo")
    assert (done.returncode, done.stdout) == (os.EX_TEMPFAIL, "")
    assert done.stderr == f"router: already running here: {lock} is held; stop that one first\n"


def test_a_port_that_another_listens_on_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        done = run(tmp_path / "lock", port, "/bin/echo")
    assert (done.returncode, done.stdout) == (os.EX_TEMPFAIL, "")
    why = "Address already in use; free the port or choose another"
    assert done.stderr == f"router: cannot listen on 127.0.0.1:{port}: {why}\n"


def test_each_address_of_the_port_is_tried(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as stranger:
        port = stranger.getsockname()[1]
        done = run(tmp_path / "lock", port, "/bin/echo", hosts="127.0.0.1,::1")
    assert (done.returncode, done.stdout) == (os.EX_TEMPFAIL, "")
    assert done.stderr.startswith(f"router: cannot listen on ::1:{port}: Address already in use")
