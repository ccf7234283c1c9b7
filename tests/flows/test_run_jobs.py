import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from evidence.results import Results
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome
from gates.checks.summary import in_a_line
from host.errors import ConfigError, ToolError
from host.home import Home
from host.resources.cores import Claim, Cores
from host.sandbox.run import Isolation, Sandbox, run
from tasks.checks.cores import on_a_core
from tasks.checks.memory import Memory
from tasks.checks.run_jobs import Job, Later, run_jobs
from tasks.source.git import Source
from tasks.source.workspace import Looked, Workspace
from tests.tasks.archives import packed
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source("c" * 40, "v1", "main", (), packed(tmp_path, {}))


@pytest.fixture
def memory(tmp_path: Path, source: Source) -> Memory:
    results = Results(Store(tmp_path / "store"), Keys(tmp_path / "keys"), "main", protected=True)
    return Memory(results, source, "this-run", tmp_path / "remembered")


def passed(name: str) -> Looked:
    return Looked(Check(name=name, outcome=Outcome.PASSED, reason="clean"))


def failed(name: str) -> Looked:
    return Looked(Check(name=name, outcome=Outcome.FAILED, reason="dirty"))


def job(name: str, look: Callable[[], Looked], **options: Any) -> Job:
    return Job(name, task(look, name=name, cache_policy=NO_CACHE).submit, **options)


def outcomes(
    jobs: list[Job], memory: Memory, workspace: Workspace, *, workers: int = 3, **options: Any
) -> dict[str, Check]:
    @flow(name="jobs", task_runner=ThreadPoolTaskRunner(max_workers=workers))  # type: ignore[arg-type]
    def these() -> dict[str, Looked]:
        return run_jobs(jobs, memory, workspace, **options)

    return {name: looked.check for name, looked in these().items()}


@pytest.fixture
def workspace(tmp_path: Path, source: Source) -> Workspace:
    return Workspace(tmp_path, source, tmp_path / "environment")


def test_each_job_comes_to_its_own_verdict_whatever_happens_to_the_others(memory: Memory, workspace: Workspace) -> None:
    def known() -> Looked:
        raise ToolError("it is not there")

    def unknown() -> Looked:
        raise RecursionError("a file that crashes a parser")

    jobs = [
        job("good", lambda: passed("good")),
        job("absent", known),
        job("bad", lambda: failed("bad")),
        job("ours", unknown),
    ]
    found = outcomes(jobs, memory, workspace)
    assert list(found) == ["good", "absent", "bad", "ours"]
    assert [one.outcome for one in found.values()] == [
        Outcome.PASSED,
        Outcome.NO_VERDICT,
        Outcome.FAILED,
        Outcome.NO_VERDICT,
    ]
    assert found["absent"].reason == "it is not there"
    assert "a file that crashes a parser" in found["ours"].reason


def test_each_job_that_ended_is_told_in_its_own_words(
    memory: Memory, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "slipway.progress")
    scan = replace(job("secrets", lambda: passed("secrets")), told=lambda check: f"{check.name}: to be judged")
    outcomes([job("unit", lambda: failed("unit")), scan], memory, workspace)
    lines = {record.getMessage().rpartition(" (")[0] for record in caplog.records if record.name == "slipway.progress"}
    assert in_a_line(failed("unit").check) in lines and "secrets: to be judged" in lines


def test_what_must_be_alone_runs_when_all_others_have_ended(memory: Memory, workspace: Workspace) -> None:
    ended: list[str] = []

    def slow() -> Looked:
        time.sleep(0.3)
        ended.append("slow")
        return passed("slow")

    def load() -> Looked:
        ended.append("load")
        return passed("load")

    outcomes([job("load", load, alone=True), job("slow", slow)], memory, workspace)
    assert ended == ["slow", "load"]


def test_a_pass_is_remembered_and_names_the_run_that_looked(memory: Memory, workspace: Workspace) -> None:
    looked: list[str] = []

    def look() -> Looked:
        looked.append("unit")
        return passed("unit")

    def bad() -> Looked:
        looked.append("bad")
        return failed("bad")

    jobs = [job("unit", look, key="a" * 64), job("bad", bad, key="b" * 64)]
    first = outcomes(jobs, memory, workspace)
    again = outcomes(jobs, memory, workspace)
    assert (first["unit"].source_run, again["unit"].source_run) == ("", "this-run")
    assert looked.count("unit") == 1
    assert looked.count("bad") == 2, "a failure is never served from memory"
    fresh = Memory(memory.results, memory.source, "refreshed", memory.directory, refresh=True)
    assert outcomes(jobs, fresh, workspace)["unit"].source_run == ""
    assert looked.count("unit") == 2


def test_fail_fast_ends_what_runs_and_passes_nothing(memory: Memory, workspace: Workspace, tmp_path: Path) -> None:
    begun = threading.Event()

    def endless() -> Looked:
        begun.set()
        done = run(
            ["sleep", "100"],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
            sandbox=Sandbox(Isolation.NONE),
            timeout_s=100,
            cancelled=workspace.cancelled,
        )
        assert done.cancelled
        return Looked(Check(name="endless", outcome=Outcome.NO_VERDICT, reason="cancelled"))

    def bad() -> Looked:
        begun.wait(120)
        return failed("bad")

    jobs = [
        job("endless", endless),
        job("bad", bad),
        job("load", lambda: passed("load"), alone=True),
    ]
    found = outcomes(jobs, memory, workspace, fail_fast=True)
    assert found["bad"].outcome is Outcome.FAILED
    assert found["endless"].outcome is found["load"].outcome is Outcome.SKIPPED
    assert "bad did not pass" in found["endless"].reason


def test_a_pass_that_lacks_what_others_need_is_not_remembered(memory: Memory, workspace: Workspace) -> None:
    lacking = [job("unit", lambda: passed("unit"), key="a" * 64, must_leave=("coverage",))]
    assert outcomes(lacking, memory, workspace)["unit"].outcome is Outcome.PASSED
    assert memory.recall("a" * 64) is None


def test_what_needs_others_runs_as_soon_as_they_have_ended_and_before_what_must_be_alone(
    memory: Memory, workspace: Workspace
) -> None:
    ended: list[str] = []
    coverage_looked = threading.Event()

    def noted(name: str) -> Callable[[], Looked]:
        def look() -> Looked:
            ended.append(name)
            return passed(name)

        return look

    def slow() -> Looked:
        assert coverage_looked.wait(120), "coverage waited for what it does not need"
        ended.append("slow")
        return passed("slow")

    def coverage() -> Looked:
        ended.append("coverage")
        coverage_looked.set()
        return passed("coverage")

    def make(found: Mapping[str, Looked]) -> list[Job]:
        assert {"unit", "e2e"} <= set(found)
        return [job("coverage", coverage)]

    later = [Later(("unit", "e2e"), make), Later(("load",), lambda found: [job("compared", noted("compared"))])]
    jobs = [
        job("load", noted("load"), alone=True),
        job("soak", noted("soak"), alone=True),
        job("slow", slow),
        job("unit", noted("unit")),
        job("e2e", noted("e2e")),
    ]
    found = outcomes(jobs, memory, workspace, later=later)
    assert list(found) == ["load", "soak", "slow", "unit", "e2e", "coverage", "compared"]
    assert ended[2:] == ["coverage", "slow", "load", "compared", "soak"]


def test_what_needs_others_is_made_when_all_of_them_are_remembered_too(memory: Memory, workspace: Workspace) -> None:
    jobs = [job("unit", lambda: passed("unit"), key="a" * 64)]
    later = [Later(("unit",), lambda found: [job("coverage", lambda: passed("coverage"), key="b" * 64)])]
    assert outcomes(jobs, memory, workspace, later=later)["coverage"].source_run == ""
    assert outcomes(jobs, memory, workspace, later=later)["coverage"].source_run == "this-run"


def test_what_takes_longest_begins_first_after_what_nobody_knows(memory: Memory, workspace: Workspace) -> None:
    begun: list[str] = []

    def look(name: str) -> Looked:
        begun.append(name)
        return passed(name)

    jobs = [job(name, partial(look, name)) for name in ("black", "mypy", "new", "e2e")]
    found = outcomes(jobs, memory, workspace, expected={"e2e": 20, "mypy": 9.5, "black": 1}, workers=1)
    assert begun == ["new", "e2e", "mypy", "black"]
    assert list(found) == ["black", "mypy", "new", "e2e"]


def test_fail_fast_skips_what_would_come_later(memory: Memory, workspace: Workspace) -> None:
    later = [Later(("unit",), lambda found: [job("coverage", lambda: passed("coverage"))])]
    found = outcomes([job("unit", lambda: failed("unit"))], memory, workspace, fail_fast=True, later=later)
    assert found["coverage"].outcome is Outcome.SKIPPED


def test_a_wait_for_other_runs_is_noted_in_the_run_that_waited_and_not_remembered(
    memory: Memory, workspace: Workspace
) -> None:
    jobs = [job("unit", lambda: Looked(passed("unit").check, waited_s=12.4), key="a" * 64)]
    first, again = (outcomes(jobs, memory, workspace)["unit"] for _ in range(2))
    assert first.notes == ("waited for a core: 12 s, while other runs used them",)
    assert (again.source_run, again.notes) == ("this-run", ())


def test_checks_of_a_run_take_a_core_each_and_name_their_run(
    memory: Memory, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setenv("SLIPWAY_CORES", "2")
    together, most = threading.Barrier(2, timeout=250), []

    def look(name: str) -> Looked:
        together.wait()  # two at a time, or this breaks
        claims = [Claim.model_validate_json(file.read_text()) for file in Home.find().cores.glob("*.claim")]
        most.append(len([claim for claim in claims if claim.run]))
        together.wait()
        return passed(name)

    jobs = [job(name, partial(on_a_core, name, workspace, partial(look, name))) for name in ("a", "b", "c", "d")]
    found = outcomes(jobs, memory, workspace, workers=2)
    assert [one.outcome for one in found.values()] == [Outcome.PASSED] * 4
    assert [one.notes for one in found.values()] == [()] * 4
    assert most == [2] * 4


def test_fail_fast_ends_what_waits_for_other_runs(
    memory: Memory, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    queue = Home.find().cores

    def bad() -> Looked:
        wait_for(lambda: len(list(queue.glob("*.claim"))) == 2, "the other check queues")
        return failed("bad")

    jobs = [
        job("waits", partial(on_a_core, "waits", workspace, lambda: passed("waits"))),
        job("bad", bad),
    ]
    held, let_go = threading.Event(), threading.Event()

    def other_run() -> None:
        with Cores(queue, 2).take(Claim(what="load test", run="another", alone=True)):
            held.set()
            let_go.wait(280)

    other = threading.Thread(target=other_run, daemon=True)
    other.start()
    assert held.wait(60)
    found = outcomes(jobs, memory, workspace, fail_fast=True)
    let_go.set()
    other.join(60)
    assert [found[name].outcome for name in ("waits", "bad")] == [Outcome.SKIPPED, Outcome.FAILED]


def test_an_interrupted_run_ends_what_still_runs(memory: Memory, workspace: Workspace) -> None:
    begun = threading.Event()

    def endless() -> Looked:
        begun.set()
        assert workspace.cancelled.wait(250)
        return passed("endless")

    def quick() -> Looked:
        begun.wait(60)
        return passed("quick")

    def interrupted(found: Mapping[str, Looked]) -> list[Job]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcomes(
            [job("endless", endless), job("quick", quick)], memory, workspace, later=[Later(("quick",), interrupted)]
        )
    assert workspace.cancelled.is_set()


def test_a_wrong_number_of_cores_ends_the_run_before_any_job(
    memory: Memory, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_CORES", "0")
    with pytest.raises(ConfigError, match="SLIPWAY_CORES"):
        outcomes([job("unit", lambda: passed("unit"))], memory, workspace)


def test_a_tool_with_the_name_of_a_scan_ends_the_run_before_any_job(memory: Memory, workspace: Workspace) -> None:
    jobs = [job("policy", lambda: failed("policy")), job("policy", lambda: passed("policy"))]
    with pytest.raises(ConfigError, match="two checks are named policy"):
        outcomes(jobs, memory, workspace)
