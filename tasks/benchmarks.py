"""pytest-benchmark's report of a suite: `--benchmark-json=PATH` on its command line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.errors import ToolError
from evidence.history import Record
from gates.benchmarks import NAME, Benchmark, Benchmarks, judge_benchmarks
from gates.quality import no_verdict
from gates.requirements import Check, Outcome
from tasks.contention import MOST_BY_OTHERS
from tasks.load_figures import this_machine
from tasks.untrusted import open_untrusted
from tasks.workspace import Looked

LARGEST_REPORT_BYTES = 100_000_000


class _Stats(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    median: float = Field(gt=0)
    iqr: float = Field(ge=0)
    rounds: int = Field(ge=1)
    min: float | None = Field(None, ge=0)


class _Extra(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    slipway_pace_s: float | None = Field(None, gt=0)  # tasks/inside/slipway_pace.py


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    fullname: Annotated[str, Field(min_length=1, max_length=500)]
    stats: _Stats
    extra_info: _Extra = _Extra()  # the app's own entries are none of ours


class _Python(BaseModel):
    python_implementation: Annotated[str, Field(max_length=50)]
    python_version: Annotated[str, Field(max_length=50)]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True)

    benchmarks: Annotated[tuple[_Entry, ...], Field(max_length=2000)]
    machine_info: _Python
    version: str


def read_benchmarks(report: Path) -> Benchmarks:
    """Return what a report holds, with this machine's name. ToolError when it is absent, no file, too big, malformed
    or names a benchmark twice.
    """
    with open_untrusted(report, LARGEST_REPORT_BYTES, "pytest-benchmark's report") as content:
        text = content.read()
    try:
        found = _Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ToolError(f"pytest-benchmark's report cannot be read: {where} {first['msg']}"[:300]) from error
    benchmarks = {
        one.fullname: Benchmark(
            median=one.stats.median,
            iqr=one.stats.iqr,
            rounds=one.stats.rounds,
            fastest=one.stats.min,
            pace_s=one.extra_info.slipway_pace_s,
        )
        for one in found.benchmarks
    }
    if len(benchmarks) < len(found.benchmarks):
        raise ToolError("pytest-benchmark's report names a benchmark twice")
    python = f"{found.machine_info.python_implementation} {found.machine_info.python_version}"
    return Benchmarks(machine=f"{this_machine()}, {python}"[:300], benchmarks=benchmarks)


def check_benchmarks(report: Path, max_percent: float, min_rounds: int, records: Sequence[Record]) -> Check:
    """Return the check of a report against the last good runs on main, newest first (history, kind "benchmarks")."""
    try:
        now = read_benchmarks(report)
    except ToolError as error:
        return no_verdict(NAME, str(error))
    return judge_benchmarks(now, _earlier(records), max_percent, min_rounds)


def _earlier(records: Sequence[Record]) -> list[Benchmarks]:
    found = []
    for record in records:
        try:
            found.append(Benchmarks.model_validate(dict(record.data)))
        except ValidationError:
            continue
    return found


@task(name="benchmarks", task_run_name="benchmarks", cache_policy=NO_CACHE)
def run_benchmarks(left: Mapping[str, Path], max_percent: float, min_rounds: int, records: Sequence[Record]) -> Looked:
    """Judge the benchmarks among the files that a suite left, against earlier runs' (newest first).

    Measured on a machine that others kept busy they are told as inconclusive, and leave nothing to compare with.
    """
    if "benchmarks" not in left:
        return Looked(no_verdict(NAME, "the suite left no report of its benchmarks"))
    others = json.loads(left["contention"].read_text(encoding="utf-8")) if "contention" in left else 0.0
    if others > MOST_BY_OTHERS:
        reason = (
            f"inconclusive: others used {others:.0%} of the machine meanwhile, at most {MOST_BY_OTHERS:.0%} allowed"
        )
        return Looked(Check(name=NAME, outcome=Outcome.NOT_APPLICABLE, reason=reason))
    return Looked(check_benchmarks(left["benchmarks"], max_percent, min_rounds, records), {NAME: left["benchmarks"]})
