"""A real supervisord for each test, in a directory with a blank and a letter beyond ASCII in its path."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from host.errors import ConfigError, SupervisorError
from host.process_marks import carriers
from host.supervisor.exec_program import MARK
from host.supervisor.supervisor import Program, State, Supervisor
from tests.waiting import wait_for

CHECKOUT = Path(__file__).resolve().parents[3]


def processes(supervisor: Supervisor) -> list[int]:
    return [pid for pid, _ in carriers(MARK, f"{supervisor.directory}/")]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with tempfile.TemporaryDirectory(prefix="sockets-") as sockets:  # tmp_path may be too long for a socket
        made = Supervisor(tmp_path / "a place 100% é", Path(sockets) / "s")
        try:
            yield made
        finally:
            made.down()
            assert processes(made) == []


def program(code: str, name: str = "web", **more: object) -> Program:
    base = Program(name, (sys.executable, "-u", "-c", textwrap.dedent(code)), Path("/"), stop_wait_s=3)
    return replace(base, **more)  # type: ignore[arg-type]


SLEEP = "import time; print('up'); time.sleep(600)"


def pid_of(supervisor: Supervisor, name: str = "web") -> int:
    state = supervisor.state(name)
    assert state is not None and state.state is State.RUNNING, state
    return state.pid


def test_up_declare_start_stop_remove(supervisor: Supervisor) -> None:
    assert not supervisor.answers()
    supervisor.up()
    supervisor.up()
    assert supervisor.answers()
    supervisor.declare(program(SLEEP, autostart=False))
    before = supervisor.state("web")
    assert before is not None and (before.state, before.pid) == (State.STOPPED, 0)
    started = time.time()
    supervisor.start("web")
    supervisor.start("web")
    state = supervisor.states()["web"]
    assert state.state is State.RUNNING and psutil.pid_exists(state.pid)
    assert abs(state.since - started) < 60
    wait_for(lambda: supervisor.log_tail("web") == "up", "web is up")
    supervisor.stop("web")
    supervisor.stop("web")
    assert supervisor.states()["web"].state is State.STOPPED and not psutil.pid_exists(state.pid)
    supervisor.start("web")
    supervisor.remove("web")
    supervisor.remove("web")
    assert supervisor.state("web") is None
    with pytest.raises(SupervisorError, match="web"):
        supervisor.start("web")


def test_programs_are_removed_together_and_what_is_kept_is_exactly_what_was_declared(supervisor: Supervisor) -> None:
    supervisor.up()
    both = [program(SLEEP, name, start_s=0, env={"FOR": name}) for name in ("web", "work")]
    for one in both:
        supervisor.declare(one)
        supervisor.start(one.name)
    assert supervisor.declared() == ["web", "work"] and all(supervisor.keeps(one.name, one.env) for one in both)
    assert not supervisor.keeps("web", {"FOR": "other"}) and not supervisor.keeps("web", {})
    supervisor.stop("web")
    assert not supervisor.keeps("web", {"FOR": "web"})
    supervisor.remove("web", "work", "unknown")
    assert supervisor.declared() == [] and supervisor.states() == {} and not supervisor.keeps("work", {"FOR": "work"})
    supervisor.remove()


def test_program_gets_the_declared_environment_and_nothing_of_ours(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "secret")
    odd = {"A": "x % %(here)s ' \" ; # \n=[é]", "EMPTY": "", "LC_ALL": "C.UTF-8"}
    supervisor.up()
    code = "import os, time; print(repr(sorted(os.environ.items()))); print(os.getcwd()); time.sleep(600)"
    supervisor.declare(program(code, env=odd))
    supervisor.start("web")
    seen, where = supervisor.log_tail("web").splitlines()
    listed = dict(eval(seen))
    assert listed.pop(MARK).startswith(f"{supervisor.directory}/")
    assert listed == odd
    assert where == "/"
    daemon = Path(f"/proc/{psutil.Process(pid_of(supervisor)).ppid()}/environ").read_text()
    assert "LEAKED" not in daemon


def test_secrets_are_for_us_alone(supervisor: Supervisor) -> None:
    supervisor.declare(program(SLEEP, env={"PASSWORD": "secret word"}))
    supervisor.up()
    supervisor.start("web")
    holding = [p for p in supervisor.directory.rglob("*") if p.is_file() and "secret word" in p.read_text()]
    assert [p.stat().st_mode & 0o777 for p in holding] == [0o600]
    assert supervisor.sockets.stat().st_mode & 0o777 == 0o700
    assert "secret word" not in " ".join(psutil.Process(pid_of(supervisor)).cmdline())


def test_crashed_program_comes_back(supervisor: Supervisor) -> None:
    supervisor.up()
    supervisor.declare(program(SLEEP, start_s=0))
    supervisor.start("web")
    first, generation = pid_of(supervisor), supervisor.generation("web")
    assert supervisor.generation("web") == generation
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: supervisor.states()["web"].pid not in (0, first), "web runs anew")
    supervisor.start("web")
    assert supervisor.generation("web") != generation


def test_program_that_cannot_stay_up_is_told_with_its_log(supervisor: Supervisor) -> None:
    supervisor.up()
    supervisor.declare(program("raise SystemExit('port 8000 is taken')", autostart=False, start_s=60))
    with pytest.raises(SupervisorError, match="(?s)web is FATAL.*port 8000 is taken"):
        supervisor.start("web", wait_s=60)
    assert supervisor.states()["web"].state is State.FATAL
    supervisor.stop("web")
    supervisor.declare(program(SLEEP))
    supervisor.start("web")


def test_absent_program_is_told(supervisor: Supervisor) -> None:
    supervisor.up()
    supervisor.declare(Program("web", ("/no/such/program",), Path("/")))
    with pytest.raises(SupervisorError, match="(?s)cannot start /no/such/program.*No such file"):
        supervisor.start("web", wait_s=1)


def test_only_a_changed_declaration_restarts(supervisor: Supervisor) -> None:
    declared = program(SLEEP, env={"A": "1"}, start_s=0)
    neighbour = program(SLEEP, name="neighbour", start_s=0)
    supervisor.up()
    for each in (declared, neighbour):
        supervisor.declare(each)
        supervisor.start(each.name)
    first, other = pid_of(supervisor), pid_of(supervisor, "neighbour")
    supervisor.declare(declared)
    assert pid_of(supervisor) == first
    supervisor.declare(replace(declared, env={"A": "2"}))
    supervisor.start("web")
    assert pid_of(supervisor) != first
    assert pid_of(supervisor, "neighbour") == other


def test_declaration_that_was_written_but_not_adopted_is_adopted(supervisor: Supervisor) -> None:
    """Killed between the two steps of `declare`: declaring again finishes it."""
    supervisor.up()
    supervisor.declare(program(SLEEP, start_s=0))
    supervisor.start("web")
    first = pid_of(supervisor)
    changed = program(SLEEP, start_s=0, env={"A": "2"})
    (supervisor.directory / "conf.d" / "web.json").write_bytes(changed.spec())
    (supervisor.directory / "conf.d" / "web.conf").write_text(changed.section())
    supervisor.declare(changed)
    supervisor.start("web")
    assert pid_of(supervisor) != first


def test_signal_reaches_the_program(supervisor: Supervisor) -> None:
    code = """
    import signal, time
    signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
    print("up")
    while True: time.sleep(600)
    """
    supervisor.up()
    supervisor.declare(program(code))
    supervisor.start("web")
    supervisor.signal("web", signal.SIGUSR1)
    wait_for(lambda: "heard" in supervisor.log_tail("web"), "web heard the signal")


def test_down_stops_later_priorities_first_and_leaves_nothing(supervisor: Supervisor, tmp_path: Path) -> None:
    code = """
    import signal, subprocess, sys, time
    def end(*_):
        open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
        sys.exit()
    signal.signal(signal.SIGTERM, end)
    # what a program leaves behind, its own session included
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("up")
    time.sleep(600)
    """
    supervisor.up()
    for name, priority in (("database", 10), ("router", 500), ("worker", 900)):
        declared = program(code, name=name, priority=priority)
        supervisor.declare(replace(declared, command=(*declared.command, str(tmp_path / "ended"), name)))
        supervisor.start(name)
        wait_for(lambda: supervisor.log_tail(name) == "up", f"{name} is up")
    assert len(processes(supervisor)) == 7
    supervisor.down()
    assert (tmp_path / "ended").read_text().split() == ["worker", "router", "database"]
    assert processes(supervisor) == []
    assert not supervisor.socket.exists()
    supervisor.down()


def test_program_that_ignores_its_stop_signal_is_killed(supervisor: Supervisor) -> None:
    supervisor.up()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    supervisor.declare(program(code, stop_wait_s=1))
    supervisor.start("web")
    wait_for(lambda: supervisor.log_tail("web") == "up", "web is up")
    with pytest.raises(SupervisorError, match="still STOPPING"):
        supervisor.stop("web", wait_s=0)
    supervisor.stop("web")
    assert supervisor.states()["web"].state is State.STOPPED


def test_declared_programs_start_with_the_next_up(supervisor: Supervisor) -> None:
    supervisor.declare(program(SLEEP))
    assert not supervisor.answers()
    supervisor.up()
    supervisor.start("web")
    supervisor.down()
    supervisor.up()
    supervisor.start("web")


def test_daemon_outlives_a_killed_starter_and_its_terminal(supervisor: Supervisor) -> None:
    driver = """
    import sys, time
    from pathlib import Path
    from host.supervisor.supervisor import Program, Supervisor
    supervisor = Supervisor(Path(sys.argv[1]), Path(sys.argv[2]))
    supervisor.up()
    supervisor.declare(Program("web", ("sleep", "600"), Path("/")))
    supervisor.start("web")
    print("up", flush=True)
    time.sleep(600)
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(driver), str(supervisor.directory), str(supervisor.sockets)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        start_new_session=True,
        # as a background job of a script has it: interrupts ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert starter.stdout and starter.stdout.readline() == b"up\n"
    web = pid_of(supervisor)
    os.killpg(starter.pid, signal.SIGHUP)
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    # a pipe that the daemon had kept would never end
    assert starter.stdout.read() == b""
    starter.stdout.close()
    assert supervisor.answers() and pid_of(supervisor) == web
    ignored = next(line for line in Path(f"/proc/{web}/status").read_text().splitlines() if "SigIgn" in line)
    # Signals 1 to 31; 32 and 33 are the C library's own.
    assert int(ignored.split()[1], 16) & 0x7FFFFFFF == 0


def test_what_a_killed_daemon_left_is_ended_before_a_new_one_starts(supervisor: Supervisor) -> None:
    supervisor.up()
    supervisor.declare(program(SLEEP))
    supervisor.declare(program("import signal, time; signal.pause()", name="other", stop_signal="INT"))
    supervisor.start("web")
    supervisor.start("other")
    left = [pid_of(supervisor), pid_of(supervisor, "other")]
    daemon = psutil.Process(left[0]).ppid()
    os.kill(daemon, signal.SIGKILL)
    wait_for(lambda: daemon not in processes(supervisor), "the daemon ends")
    assert supervisor.socket.exists(), "the socket and the pid file are stale now"
    assert not supervisor.answers()
    assert sorted(processes(supervisor)) == sorted(left), "they run on meanwhile"
    supervisor.up()
    supervisor.start("web")
    assert not set(left) & set(processes(supervisor))
    assert pid_of(supervisor) not in left


def test_down_ends_what_a_killed_daemon_left(supervisor: Supervisor) -> None:
    supervisor.up()
    supervisor.declare(program(SLEEP))
    supervisor.start("web")
    os.kill(psutil.Process(pid_of(supervisor)).ppid(), signal.SIGKILL)
    supervisor.down()
    assert processes(supervisor) == []


def test_neighbouring_directory_is_left_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    """One directory's name begins with the other's, and one lies in the other."""
    with tempfile.TemporaryDirectory(prefix="sockets-") as sockets:
        others = [
            Supervisor(supervisor.directory.with_name(supervisor.directory.name + "2"), Path(sockets) / "a"),
            Supervisor(supervisor.directory / "inner", Path(sockets) / "b"),
        ]
        try:
            for each in (supervisor, *others):
                each.up()
                each.declare(program(SLEEP, start_s=0))
                each.start("web")
            supervisor.down()
            assert [pid_of(each) > 0 for each in others] == [True, True]
        finally:
            for each in others:
                each.down()


def test_two_starters_make_one_daemon(supervisor: Supervisor) -> None:
    driver = "import sys; from pathlib import Path; from host.supervisor.supervisor import Supervisor\n"
    driver += "Supervisor(Path(sys.argv[1]), Path(sys.argv[2])).up()"
    words = [sys.executable, "-c", driver, str(supervisor.directory), str(supervisor.sockets)]
    starters = [subprocess.Popen(words, cwd=CHECKOUT) for _ in range(3)]
    assert [starter.wait(60) for starter in starters] == [0, 0, 0]
    assert len(processes(supervisor)) == 1


def test_daemon_that_cannot_start_is_told(supervisor: Supervisor) -> None:
    supervisor.declare(program(SLEEP))
    (supervisor.directory / "conf.d" / "web.conf").write_text("[program:web]\n")
    with pytest.raises(SupervisorError, match="(?s)supervisord did not come up.*does not specify a command"):
        supervisor.up()
    supervisor.declare(program(SLEEP))
    supervisor.up()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "a:b"}, "program name"),
        ({"name": "../up"}, "program name"),
        ({"name": "a]\ncommand=rm"}, "program name"),
        ({"name": ""}, "program name"),
        ({"command": ()}, "no command"),
        ({"stop_signal": "NONSENSE"}, "stop_signal"),
    ],
)
def test_impossible_program_is_refused(supervisor: Supervisor, change: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        supervisor.declare(program(SLEEP, **change))
    assert not list(supervisor.directory.rglob("*.conf"))


def test_impossible_directory_is_refused(tmp_path: Path) -> None:
    for name in ("a*b", "a[1]"):
        with pytest.raises(ConfigError, match="supervisor cannot read"):
            Supervisor(tmp_path / name, tmp_path / "s").declare(program(SLEEP))


def test_without_a_daemon_the_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SupervisorError, match="does not answer"):
        Supervisor(tmp_path / "d", tmp_path / "s").state("web")
