"""pytest-benchmark's report of a run: `--benchmark-json=PATH` on its command line."""

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from gates.documents import Foreign, first_fault
from host.errors import ToolError
from tasks.source.untrusted import open_untrusted

LARGEST_REPORT_BYTES = 100_000_000


class _Stats(Foreign, of="pytest-benchmark's report"):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    median: float = Field(gt=0)


class _Entry(Foreign, of="pytest-benchmark's report"):
    model_config = ConfigDict(frozen=True)

    fullname: Annotated[str, Field(min_length=1, max_length=500)]
    stats: _Stats


class _Report(Foreign, of="pytest-benchmark's report"):
    model_config = ConfigDict(frozen=True)

    benchmarks: Annotated[tuple[_Entry, ...], Field(max_length=2000)]
    version: str


def read_medians(report: Path) -> dict[str, float]:
    """Return the median of each benchmark in a report, in seconds, by pytest's own id of its test.

    Raises ToolError if the report is absent, no file, too big, malformed or names a benchmark twice.
    """
    with open_untrusted(report, LARGEST_REPORT_BYTES, "pytest-benchmark's report") as content:
        text = content.read()
    try:
        found = _Report.model_validate_json(text)
    except ValidationError as error:
        raise ToolError(f"pytest-benchmark's report cannot be read: {first_fault(error)}"[:300]) from error
    medians = {one.fullname: one.stats.median for one in found.benchmarks}
    if len(medians) < len(found.benchmarks):
        raise ToolError("pytest-benchmark's report names a benchmark twice")
    return medians
