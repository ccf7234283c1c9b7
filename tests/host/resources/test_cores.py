import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from host.errors import ConfigError, ToolError
from host.resources import cores as module
from host.resources.cores import Claim, Cores, cgroup_quota, host_cores, waits_for
from tests.waiting import wait_for

CHECKOUT = Path(module.__file__).parents[2]
LOAD = "load test"
SUITE, SCAN = Claim(what="suite e2e", run="ci-1", pid=1), Claim(what="scan sast", run="ci-2", pid=2)

# Takes a core, says so, and holds it until a line comes.
TAKER = """
import sys
from pathlib import Path
from host.resources.cores import Claim, Cores
directory, count, claim = sys.argv[1:]
with Cores(Path(directory), int(count)).take(Claim.model_validate_json(claim)) as waited_s:
    print(waited_s, flush=True)
    sys.stdin.readline()
"""


class Taker:
    """A process that wants a core."""

    def __init__(self, cores: Cores, claim: Claim) -> None:
        argv = [sys.executable, "-c", TAKER, str(cores.directory), str(cores.count), claim.model_dump_json()]
        self.process = subprocess.Popen(
            argv, cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def await_turn(self) -> float:
        """Return the seconds that it says it waited, once it has its core."""
        assert self.process.stdout
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Let it give the core back."""
        self.process.communicate("\n", timeout=600)

    def kill(self) -> None:
        """Kill it, whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=600)


@pytest.fixture
def cores(tmp_path: Path) -> Cores:
    return Cores(tmp_path / "cores", 2)


@pytest.fixture
def takers(cores: Cores) -> Iterator["Takers"]:
    made = Takers(cores)
    yield made
    for taker in made.all:
        taker.kill()


class Takers:
    """Processes of this test."""

    def __init__(self, cores: Cores) -> None:
        self.cores, self.all = cores, list[Taker]()

    def start(self, what: str, alone: bool = False) -> Taker:
        """Start one and return it when it has its place in the queue."""
        before = len(queue(self.cores))
        self.all.append(Taker(self.cores, Claim(what=what, run=f"run of {what}", alone=alone)))
        wait_for(lambda: len(queue(self.cores)) > before, f"{what} queues")
        return self.all[-1]


def queue(cores: Cores) -> list[Path]:
    return sorted(cores.directory.glob("*.claim"))


@contextmanager
def in_threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class Other:
    """A thread of another run that wants a core, and what it was told."""

    def __init__(self, pool: ThreadPoolExecutor, cores: Cores, what: str, alone: bool = False, run: str = "") -> None:
        self.heard: list[str] = []
        self.has, self.give_back, self.cancelled = threading.Event(), threading.Event(), threading.Event()
        before = len(queue(cores))
        claim = Claim(what=what, run=run or f"run of {what}", alone=alone)
        self.done: Future[float] = pool.submit(self._take, cores, claim)
        wait_for(lambda: len(queue(cores)) > before or self.done.done(), f"{what} queues")

    def _take(self, cores: Cores, claim: Claim) -> float:
        with cores.take(claim, self.heard.append, self.cancelled) as waited_s:
            self.has.set()
            assert self.give_back.wait(60)
        return waited_s

    def end(self) -> float:
        """Give the core back, and return the seconds waited for it."""
        assert self.has.wait(60)
        self.give_back.set()
        return self.done.result(60)


@pytest.mark.parametrize(
    ("alone", "earlier", "cores", "expected"),
    [
        (False, (), 1, ()),
        (False, (SUITE,), 2, ()),
        (False, (SUITE,), 1, (SUITE,)),
        (False, (SUITE, SCAN), 3, ()),
        (False, (SUITE, SCAN), 2, (SUITE, SCAN)),
        (True, (), 2, ()),
        (True, (SUITE,), 2, (SUITE,)),
        (True, (SUITE, SCAN), 8, (SUITE, SCAN)),
        (False, (SUITE, Claim(what=LOAD, alone=True)), 8, (Claim(what=LOAD, alone=True),)),
    ],
)
def test_who_waits_for_whom(alone: bool, earlier: tuple[Claim, ...], cores: int, expected: tuple[Claim, ...]) -> None:
    assert tuple(waits_for(Claim(what="mine", alone=alone), earlier, cores)) == expected


def test_as_many_work_as_there_are_cores_in_the_order_they_came(cores: Cores) -> None:
    with in_threads() as pool:
        first, second, third, fourth = (Other(pool, cores, name) for name in ("a", "b", "c", "d"))
        assert first.has.wait(60) and second.has.wait(60)
        wait_for(lambda: bool(third.heard and fourth.heard), "the others are told")
        assert not third.has.is_set()
        second.end()
        assert third.has.wait(60) and not fourth.has.is_set()
        for one in (first, third, fourth):
            one.end()
    assert queue(cores) == []


def test_processes_contend_for_a_core(takers: Takers, tmp_path: Path) -> None:
    takers.cores = Cores(tmp_path / "one", 1)
    first, second = takers.start("a"), takers.start("b")
    assert first.await_turn() == 0
    first.end()
    assert second.await_turn() > 0
    second.end()


def test_a_killed_holder_is_taken_over_and_so_is_a_killed_waiter(takers: Takers) -> None:
    holder, waiter = takers.start("load", alone=True), takers.start("suite", alone=True)
    holder.await_turn()
    last = takers.start("scan")
    waiter.kill()
    holder.kill()
    assert last.await_turn() > 0
    assert len(queue(takers.cores)) == 1, "what the dead left is removed"
    last.end()


def test_what_a_holder_starts_does_not_keep_its_core(cores: Cores) -> None:
    says_up = ["sh", "-c", "echo up; read end"]
    pipe = subprocess.PIPE
    with (
        cores.take(Claim(what="starts a child")),
        subprocess.Popen(says_up, close_fds=False, stdin=pipe, stdout=pipe) as child,
    ):
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{child.pid}/fd").iterdir()]
            assert not any(link.startswith(str(cores.directory)) for link in links)
        finally:
            child.kill()


def test_what_wants_all_waits_for_those_before_it_and_those_after_it_wait(cores: Cores) -> None:
    with in_threads() as pool:
        single = Other(pool, cores, "suite")
        assert single.has.wait(60)
        load = Other(pool, cores, LOAD, alone=True)
        late = Other(pool, cores, "scan")
        wait_for(lambda: bool(load.heard and late.heard), "both are told")
        assert not load.has.is_set() and not late.has.is_set(), "a core is free, and kept for what came first"
        single.end()
        assert load.has.wait(60) and not late.has.is_set()
        load.end()
        late.end()


def test_who_waits_is_told_once_for_whom_and_then_for_how_long(cores: Cores) -> None:
    with in_threads() as pool:
        suite = Other(pool, cores, "suite e2e", run="ci-7")
        assert suite.has.wait(60)
        load = Other(pool, cores, LOAD, alone=True)
        wait_for(lambda: bool(load.heard), "it is told")
        assert load.heard == [f"waits for all cores: suite e2e of ci-7 (pid {os.getpid()})"]
        assert suite.end() == 0
        assert load.end() > 0
        assert len(load.heard) == 2 and load.heard[1].endswith(" s for all cores")
        assert suite.heard == []


def test_many_that_are_waited_for_are_counted(tmp_path: Path) -> None:
    cores = Cores(tmp_path, 5)
    with in_threads() as pool, ExitStack() as ending:
        for number in range(5):
            ending.callback(Other(pool, cores, f"check {number}").end)
        load = Other(pool, cores, LOAD, alone=True)
        wait_for(lambda: bool(load.heard), "it is told")
        assert load.heard[0].count("(pid") == 3 and load.heard[0].endswith(" and 2 more")
        ending.close()
        load.end()


def test_waiting_for_the_own_run_is_its_order_and_is_not_told(tmp_path: Path) -> None:
    cores = Cores(tmp_path, 1)
    with in_threads() as pool:
        first, second = Other(pool, cores, "black", run="ci-1"), Other(pool, cores, "mypy", run="ci-1")
        first.end()
        assert second.end() == 0
        assert second.heard == []


def test_who_waits_can_be_cancelled_and_leaves_the_queue(tmp_path: Path) -> None:
    cores = Cores(tmp_path, 1)
    with in_threads() as pool:
        first, second = Other(pool, cores, "suite"), Other(pool, cores, "scan")
        assert first.has.wait(60)
        second.cancelled.set()
        with pytest.raises(ToolError, match="cancelled while it waited for a core"):
            second.done.result(60)
        assert len(queue(cores)) == 1
        first.end()


def test_who_holds_one_takes_nothing_a_second_time(tmp_path: Path) -> None:
    cores = Cores(tmp_path, 1)
    with cores.take(Claim(what=LOAD, alone=True)):
        with cores.take(Claim(what="environment")) as waited_s, cores.take(Claim(what="again", alone=True)):
            assert waited_s == 0
            assert len(queue(cores)) == 1
        assert len(queue(cores)) == 1, "what is inside gives nothing back"
    with cores.take(Claim(what="the next")):
        assert len(queue(cores)) == 1


def test_who_holds_one_cannot_have_all(cores: Cores) -> None:
    with cores.take(Claim(what="suite")), pytest.raises(ValueError, match="all cores inside of suite"):
        with cores.take(Claim(what=LOAD, alone=True)):
            pass
    assert queue(cores) == []


def test_a_core_is_given_back_when_the_work_fails(cores: Cores) -> None:
    with pytest.raises(RuntimeError), cores.take(Claim(what="suite")):
        raise RuntimeError("it broke")
    assert queue(cores) == []


def test_a_living_claim_that_cannot_be_read_may_want_everything(cores: Cores) -> None:
    with in_threads() as pool:
        holder = Other(pool, cores, "suite")
        assert holder.has.wait(60)
        queue(cores)[0].write_text(json.dumps({"from": "another version"}))
        other = Other(pool, cores, "scan")
        wait_for(lambda: bool(other.heard), "it is told")
        assert other.heard == ["waits for a core: an unknown program (pid 0)"]
        holder.end()
        other.end()


@pytest.mark.parametrize("content", ["", "{}", "\x00"])
def test_what_a_dead_process_left_half_written_holds_nothing(cores: Cores, content: str) -> None:
    cores.directory.mkdir()
    (cores.directory / "000000007.claim").write_text(content)
    with cores.take(Claim(what=LOAD, alone=True)) as waited_s:
        assert waited_s == 0
        assert [file.name for file in queue(cores)] == ["000000008.claim"]


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match="file/cores: cannot queue for a core: Not a directory; the state directory"):
        with Cores(tmp_path / "file" / "cores", 1).take(Claim(what="suite")):
            pass


def test_a_full_disk_is_told_and_nothing_is_left(cores: Cores, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(claim: Claim) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Claim, "model_dump_json", full)
    with pytest.raises(ToolError, match="No space left on device"), cores.take(Claim(what="suite")):
        pass
    assert queue(cores) == []


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("2", 2), ("64", 64)])
def test_the_number_of_cores_can_be_set(asked: str, expected: int) -> None:
    assert host_cores({"SLIPWAY_CORES": asked}) == expected


@pytest.mark.parametrize("asked", ["0", "-1", "1.5", "all", " ", "²"])
def test_a_number_of_cores_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(ConfigError, match="SLIPWAY_CORES: got .*, expected a whole number above 0"):
        host_cores({"SLIPWAY_CORES": asked})


@pytest.mark.parametrize(("quota", "expected"), [(None, 3), (8.0, 3), (3.0, 3), (2.9, 2), (1.0, 1), (0.5, 1)])
def test_without_it_affinity_and_quota_decide(
    quota: float | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda pid: {0, 1, 5})
    monkeypatch.setattr(module, "cgroup_quota", lambda: quota)
    assert host_cores({}) == host_cores({"SLIPWAY_CORES": ""}) == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000"}, 2.0),
        ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),
        ("1:cpu:/x\n0::/a\n", {"a/cpu.max": "max 100000", "cpu.max": "100000 100000"}, 1.0),
        ("0::/a\n", {}, None),
        ("0::/a\n", {"a/cpu.max": "broken"}, None),
        ("0::/a\n", {"a/cpu.max": "100000 0"}, None),
        ("0::/../../etc\n", {}, None),
        (None, {}, None),
    ],
)
def test_the_smallest_quota_on_the_way_up_counts(
    own: str | None, files: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    top = tmp_path / "cgroup"
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content)
    if own is not None:
        (tmp_path / "own").write_text(own)
    assert cgroup_quota(top, tmp_path / "own") == expected
