"""Hostile programs of a check against its shares, in every way that this host permits; what serves is beside them."""

import contextlib
import json
import os
import sys
import tempfile
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.ports import free_port
from host.resources import control_groups, shares
from host.resources.control_groups import Groups, Way
from host.resources.shares import Hold, Shares, held
from host.sandbox import launcher as sandbox_init
from host.sandbox import run as sandbox
from host.sandbox.run import Completed, Sandbox
from tasks.source.background import running
from tests.host.sandbox.test_run import python
from tests.waiting import wait_for

WAYS = list(Way)[list(Way).index(shares.best()) :]
every_way = pytest.mark.parametrize("way", [Way.PRIORITIES, *(way for way in WAYS[:1] if way is not Way.PRIORITIES)])

BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
SPIN = """
import subprocess, sys
spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(4)]
print("spinning", flush=True)
spinning[0].wait()
"""
ALLOCATE = "x = b'x' * 20_000_000_000"
STANDING = """
import json, os
read = lambda name: open(f"/proc/self/{name}").read().split()
print(json.dumps({"nice": os.nice(0), "oom": read("oom_score_adj"), "cgroup": read("cgroup"), "uid": os.getuid()}))
"""


def run(code: str, way: Way, *, timeout_s: float = 240, memory_mb: int = 256, processes: int = 64) -> Completed:
    level = sandbox.available()
    box = Sandbox(level, uid=sandbox.CHECK_UID, shares=Shares(memory_mb, processes, way))
    argv = [python(level), "-c", textwrap.dedent(code)]
    return sandbox.run(argv, cwd=Path("/"), env={"PATH": "/usr/bin:/bin"}, sandbox=box, timeout_s=timeout_s)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[str]:
    """A small HTTP server in the sandbox of what serves; its address."""
    port = free_port()
    level = sandbox.available()
    argv = [python(level), "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    directory = Path(tempfile.mkdtemp(prefix="serving-"))
    directory.chmod(0o755)
    box = Sandbox(level, read_only=(directory,))
    log = tmp_path / "server.log"
    with running(argv, cwd=directory, env={"PATH": "/usr/bin:/bin"}, box=box, timeout_s=900, log=log) as server:
        url = f"http://127.0.0.1:{port}/"
        wait_for(lambda: answers(url), "the server answers")
        yield url
        assert server.ended is None, "what serves was ended"
    directory.rmdir()


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=600) as answer:
        return bool(answer.status == 200)
    return False


@every_way
@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param(BOMB, "used more than 64 processes", id="fork bomb"),
        pytest.param(ALLOCATE, "used more than 256 MB of memory", id="20 GB"),
    ],
)
def test_what_passes_its_limit_is_ended_and_what_serves_answers_on(
    code: str, told: str, way: Way, serving: str
) -> None:
    done = run(code, way)
    assert (done.exceeded, done.timed_out, done.failed) == (told, False, True)
    assert done.how == told
    assert answers(serving)


@every_way
def test_four_spinning_processes_leave_what_serves_answering(way: Way, serving: str) -> None:
    heard: list[bool] = []
    level = sandbox.available()
    box = Sandbox(level, uid=sandbox.CHECK_UID, shares=Shares(1024, 64, way))

    def ask(_: str) -> None:
        heard.extend(answers(serving) for _ in range(20))
        raise InterruptedError("seen enough")

    with pytest.raises(InterruptedError):
        sandbox.run(
            [python(level), "-c", SPIN],
            cwd=Path("/"),
            env={"PATH": "/usr/bin:/bin"},
            sandbox=box,
            timeout_s=300,
            on_output=ask,
        )
    assert heard == [True] * 20


@every_way
def test_a_check_within_its_limits_is_left_alone_and_yields(way: Way) -> None:
    done = run(STANDING, way)
    assert (done.returncode, done.exceeded, done.failed) == (0, "", False)
    told = json.loads(done.output)
    assert told["oom"] == ["900"]
    assert told["nice"] >= sandbox_init.NICE
    assert any("slipway-check-" in line for line in told["cgroup"]) is (way is not Way.PRIORITIES)
    if os.geteuid() == 0 and sandbox.available() is not sandbox.Isolation.NONE:
        assert told["uid"] == sandbox.CHECK_UID != sandbox.APP_UID


def test_groups_are_gone_afterwards_and_so_are_those_of_killed_runs() -> None:
    if shares.best() is Way.PRIORITIES:
        pytest.skip("this host lets us make no groups")
    with held(Shares()) as hold:
        parents = {group.parent for group in hold.groups}
        stale = [parent / "slipway-check-4194305-00ff" for parent in parents]  # beyond the largest process id
        for group in stale:
            group.mkdir()
        with held(Shares()) as other:
            assert not any(group.exists() for group in stale)
            assert all(group.exists() for group in (*hold.groups, *other.groups))
    assert not any(group.exists() for group in (*hold.groups, *other.groups))


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A group as files: what the kernel would offer for v2."""
    group = tmp_path / "slipway-check-1-ab"
    group.mkdir()
    for name in ("cpu.idle", "cpu.weight", "memory.max", "memory.oom.group", "memory.swap.max", "pids.max"):
        (group / name).write_text("")
    return group


def test_v2_limits_memory_processes_and_the_processor(fake: Path) -> None:
    place = Groups(Way.GROUPS_V2, fake.parent, fake.parent)
    control_groups.limit(place, fake.name, 300_000_000, 64)
    told = {file.name: file.read_text() for file in fake.iterdir()}
    assert told == {
        "cpu.idle": "1",
        "cpu.weight": "",
        "memory.max": "300000000",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "pids.max": "64",
    }


def test_v2_without_idle_groups_has_the_least_weight(fake: Path) -> None:
    (fake / "cpu.idle").unlink()
    control_groups.make_idle(fake)
    assert (fake / "cpu.weight").read_text() == "1"


def test_a_group_without_a_processor_controller_is_no_way(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no processor controller"):
        control_groups.make_idle(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("memory.events", "low 0\noom_kill 0\n", ""),
        ("memory.events", "low 0\noom_kill 1\n", "used more than 300 MB of memory"),
        ("pids.events", "max 0\n", ""),
        ("pids.events", "max 3\n", "used more than 64 processes"),
        ("other", "", ""),
    ],
)
def test_what_the_kernel_refused_is_told(fake: Path, file: str, content: str, told: str) -> None:
    (fake / file).write_text(content)
    assert Hold(Shares(300, 64), (fake,), Way.GROUPS_V2).counted() == told


@pytest.mark.parametrize("trouble", [OSError("read-only"), LookupError("no such hierarchy")])
def test_without_groups_there_are_priorities(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    def nowhere(_: Way) -> Groups:
        raise trouble

    shares.best.cache_clear()
    monkeypatch.setattr(control_groups, "find", nowhere)
    try:
        assert shares.best() is Way.PRIORITIES
        assert shares.yielding_entry() == ""
    finally:
        shares.best.cache_clear()


def test_our_own_programs_can_yield(capfd: pytest.CaptureFixture[str]) -> None:
    pid = os.spawnv(os.P_NOWAIT, sys.executable, shares.yielding([sys.executable, "-c", STANDING]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    told = capfd.readouterr().out
    assert '"oom": ["300"]' in told
    assert ("slipway-yielding" in told) is (shares.best() is not Way.PRIORITIES)


def test_a_yielding_program_that_is_not_there_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    pid = os.spawnv(os.P_NOWAIT, sys.executable, shares.yielding(["/no/such/program"]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
    assert "cannot run /no/such/program" in capfd.readouterr().err


@pytest.mark.parametrize(("more", "told"), [(0, ""), (1, "used more than 1 processes")])
def test_processes_are_counted_up_to_the_limit(monkeypatch: pytest.MonkeyPatch, more: int, told: str) -> None:
    monkeypatch.setattr(sandbox_init, "descendants", lambda _: [os.getpid()] * 1 + [os.getppid()] * more)
    monkeypatch.setattr(shares._Process, "read", lambda _: shares._Process(os.getsid(0), 1, 0))
    monkeypatch.setattr(Hold, "_calm", lambda *_: None)
    assert Hold(Shares(300, 1)).exceeded(os.getpid()) == told


@pytest.mark.parametrize(("more_bytes", "told"), [(0, ""), (1, "used more than 300 MB of memory")])
def test_memory_is_added_up_to_the_limit(monkeypatch: pytest.MonkeyPatch, more_bytes: int, told: str) -> None:
    monkeypatch.setattr(sandbox_init, "descendants", lambda _: [os.getpid()])
    monkeypatch.setattr(shares._Process, "read", lambda _: shares._Process(os.getsid(0), 1, 300_000_000 + more_bytes))
    monkeypatch.setattr(shares, "_memory_bytes", lambda _, resident_bytes: resident_bytes)
    monkeypatch.setattr(Hold, "_calm", lambda *_: None)
    assert Hold(Shares(300, 64)).exceeded(os.getpid()) == told


def test_a_process_that_is_gone_uses_nothing() -> None:
    assert shares._Process.read(4194305) is None  # beyond the largest process id


def test_what_is_checked_is_never_put_first() -> None:
    if shares.best() is Way.PRIORITIES:
        pytest.skip("this host lets us make no groups")
    pid = os.spawnv(os.P_NOWAIT, "/bin/sleep", ["sleep", "60"])
    try:
        with held(Shares()) as hold:
            for entry in hold.entries:
                control_groups.write(Path(entry), str(pid))
            shares.protect([pid])
            assert "slipway-serving" not in Path(f"/proc/{pid}/cgroup").read_text()
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            pid = 0
    finally:
        if pid:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def test_what_serves_is_put_first() -> None:
    if shares.best() is Way.PRIORITIES:
        pytest.skip("this host lets us make no groups")
    pid = os.spawnv(os.P_NOWAIT, "/bin/sleep", ["sleep", "60"])
    try:
        assert shares.protect([pid]) is shares.may_protect_memory()
        assert "slipway-serving" in Path(f"/proc/{pid}/cgroup").read_text()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert shares.protect([pid])  # gone: there is nothing left to do
