"""What the suites cover, together and each for itself, of the files that the pipeline names and of changed lines."""

import json
import os
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect.logging import get_run_logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gates.check import no_verdict
from gates.checks.coverage import Changed, Covered, FileCoverage, Limits, Unmeasured, judge_coverage
from gates.documents import Foreign
from gates.repository_paths import TOP
from host.errors import SlipwayError, ToolError
from host.files import remove_tree
from settings.pipeline import Coverage, Pipeline
from tasks.checks.changed_lines import look_at_changes
from tasks.checks.cores import on_a_core
from tasks.checks.coverage_config import app_settings, carry_out, denominator, hand_over, measured, write_config
from tasks.checks.syntax import lines_of, moved_lines, read_lines
from tasks.retries import once
from tasks.source.workspace import Looked, Workspace

NAME = "coverage"
LARGEST_REPORT_BYTES = 100_000_000
LARGEST_HTML_BYTES = 300_000_000
NOTHING: Mapping[str, Path] = MappingProxyType({})


class _Summary(Foreign, of="coverage.py's report"):
    """coverage.py's own counts for one file (JSON format 3)."""

    num_statements: int = Field(ge=0)
    covered_lines: int = Field(ge=0)
    num_branches: int = Field(ge=0)
    covered_branches: int = Field(ge=0)
    excluded_lines: int = Field(ge=0)


class _File(Foreign, of="coverage.py's report"):
    summary: _Summary
    missing_lines: list[int] = Field(max_length=1_000_000)


class _Report(Foreign, of="coverage.py's report"):
    files: dict[str, _File]


class Seen(BaseModel):
    """What was seen, for the page: each file by all suites together, and each suite's own files by that suite alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total: Covered | Unmeasured
    suites: dict[str, Covered | Unmeasured]
    changed: Changed | Unmeasured | None = None


@once("coverage")
def run_coverage(
    pipeline: Pipeline, workspace: Workspace, data: Mapping[str, Path], lines: Mapping[str, Path] = NOTHING
) -> Looked:
    """Judge coverage from each suite's combined data.

    `lines` are the suites' files of that name: data of an earlier run are moved to where the same lines are now.
    Files: `coverage` (`Seen` as JSON, for the page), `html` (coverage.py's own pages, as a zip).

    Not repeated: it reads files of this host only.
    """
    looked = on_a_core(NAME, workspace, partial(look_at_coverage, pipeline, workspace, data, lines))
    get_run_logger().info("coverage: %s: %s", looked.check.outcome, looked.check.reason)
    return looked


def look_at_coverage(
    pipeline: Pipeline, workspace: Workspace, data: Mapping[str, Path], lines: Mapping[str, Path] = NOTHING
) -> Looked:
    """Do what `run_coverage` does, without a run around it."""
    if pipeline.coverage is None:
        return Looked(no_verdict(NAME, "config/pipeline.toml has no [coverage]"))
    started = time.monotonic()
    remove_tree(workspace.root / NAME)
    try:
        looking = _Looking(pipeline, pipeline.coverage, workspace)
        seen, html = looking.look(data, lines)
    except SlipwayError as error:
        return Looked(no_verdict(NAME, str(error)))
    judged = judge_coverage(looking.limits, seen.total, seen.suites, seen.changed)
    check = judged.model_copy(update={"seconds": round(time.monotonic() - started, 2)})
    file = workspace.root / NAME / "seen.json"
    file.write_text(seen.model_dump_json(), encoding="utf-8")
    return Looked(check, {"coverage": file, **({"html": html} if html else {})})


@dataclass
class _Looking:
    pipeline: Pipeline
    coverage: Coverage
    workspace: Workspace
    expected: list[str] = field(init=False)
    out: Path = field(init=False)
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        self.expected = [name for name, suite in self.pipeline.suites.items() if measured(suite, self.coverage)]
        source = self.workspace.check_directory(NAME)
        self.out = self.workspace.scratch(NAME)
        run: dict[str, Any] = {"branch": True, "relative_files": True, **self._app_settings(source)}
        sections = {"run": run, "report": {"exclude_also": list(self.coverage.exclude)}}
        self.config = write_config(self.workspace.root / NAME / "report", sections)

    def _app_settings(self, source: Path) -> dict[str, list[str]]:
        """Return what any measured suite's own settings must add, from wherever it runs."""
        found: dict[str, set[str]] = {}
        for directory in sorted({self.pipeline.suites[name].directory for name in self.expected} or {TOP}):
            for key, words in app_settings(source, directory).items():
                found.setdefault(key, set()).update(words)
        return {key: sorted(words) for key, words in found.items()}

    @property
    def limits(self) -> Limits:
        suites = {
            name: suite.min_coverage for name, suite in self.pipeline.suites.items() if suite.min_coverage is not None
        }
        return Limits(self.coverage.min_total, suites, self.coverage.min_changed)

    def look(self, data: Mapping[str, Path], lines: Mapping[str, Path]) -> tuple[Seen, Path | None]:
        there = {name: file for name in self.expected if (file := self._take(name, data)) is not None}
        self._move(there, lines)
        files = {name: self._files(self.pipeline.suites[name].covers or self.coverage.covers) for name in there}
        lacking = [name for name in self.expected if name not in there]
        steps = [self._step("json", name, f"{name}.json", files[name]) for name in there]
        whole = [] if lacking or not there else self._steps_of_all(there)
        told = carry_out(NAME, self.workspace, self.config, [*whole, *steps]) if there else []
        reasons = dict(zip(there, told[len(whole) :], strict=True))
        suites = {name: self._figures(f"{name}.json", files[name], why) for name, why in reasons.items()}
        suites |= {name: Unmeasured(reason=f"suite {name} left no coverage data") for name in lacking}
        if not whole:
            why = f"no coverage data of {', '.join(lacking)}" if lacking else "no suite is measured"
            return Seen(total=Unmeasured(reason=why), suites=suites, changed=Unmeasured(reason=why)), None
        combined, as_json, as_lcov, as_html = told[: len(whole)]
        total = self._figures("all.json", self._total, combined or as_json)
        changed = self._changed(combined or as_lcov)
        html = None if combined or as_html else zipped(self.out / "html", self.workspace.root / NAME / "html.zip")
        return Seen(total=total, suites=suites, changed=changed), html

    @cached_property
    def _total(self) -> list[str]:
        return self._files(self.coverage.covers)

    def _files(self, globs: tuple[str, ...]) -> list[str]:
        return denominator(self.workspace.source.files, globs)

    def _take(self, name: str, data: Mapping[str, Path]) -> Path | None:
        target = self.out / f"{name}.data"
        return target if name in data and hand_over(data[name], target) else None

    def _move(self, there: Mapping[str, Path], lines: Mapping[str, Path]) -> None:
        """Move the data of suites that earlier runs measured to where the lines are now. Raises ToolError."""
        now = lines_of(self.workspace.source)
        moves = {name: moved_lines(read_lines(lines[name]), now) for name in there if name in lines}
        moves = {name: moved for name, moved in moves.items() if moved}
        steps = []
        for name, moved in moves.items():
            before = there[name].rename(self.out / f"{name}.before")
            steps.append({"move": str(before), "to": str(there[name]), "lines": moved})
        told = carry_out(NAME, self.workspace, self.config, steps) if steps else []
        if trouble := [f"coverage data of {name}: {why}" for name, why in zip(moves, told, strict=True) if why]:
            raise ToolError(trouble[0])

    def _step(self, kind: str, name: str, target: str, files: list[str]) -> dict[str, Any]:
        return {kind: str(self.out / target), "data": str(self.out / f"{name}.data"), "files": files}

    def _steps_of_all(self, there: Mapping[str, Path]) -> list[dict[str, Any]]:
        combine = {"combine": sorted(map(str, there.values())), "to": str(self.out / "all.data")}
        targets = {"json": "all.json", "lcov": "all.lcov", "html": "html"}
        return [combine, *(self._step(kind, "all", target, self._total) for kind, target in targets.items())]

    def _figures(self, report: str, files: list[str], why: str) -> Covered | Unmeasured:
        if not files:
            return Unmeasured(reason="it answers for no Python file of this commit")
        return Unmeasured(reason=why) if why else read_json(self.out / report, files)

    def _changed(self, why: str) -> Changed | Unmeasured | None:
        if self.coverage.min_changed is None:
            return None
        return (
            Unmeasured(reason=why) if why else look_at_changes(NAME, self.workspace, self.out / "all.lcov", self._total)
        )


def read_json(file: Path, files: list[str]) -> Covered | Unmeasured:
    """Return what coverage.py's JSON report says; the reason when it is not whole, not sound, or not of these files."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_REPORT_BYTES:
        return Unmeasured(reason="coverage left no report that can be read")
    try:
        found = _Report.model_validate_json(file.read_bytes())
        seen = tuple(_file(path, one) for path, one in sorted(found.files.items()))
    except (ValidationError, ValueError) as error:
        return Unmeasured(reason=f"coverage's report cannot be read: {str(error).splitlines()[0]}")
    if [one.path for one in seen] != sorted(files):
        left_out = sorted(set(files) ^ set(found.files))
        return Unmeasured(reason=f"coverage's report is not of the files asked for: {', '.join(left_out[:3])}")
    return seen


def _file(path: str, one: _File) -> FileCoverage:
    counts = one.summary
    return FileCoverage(
        path=path,
        statements=counts.num_statements,
        covered=counts.covered_lines,
        branches=counts.num_branches,
        covered_branches=counts.covered_branches,
        excluded=counts.excluded_lines,
        missing=tuple(one.missing_lines),
    )


def zipped(folder: Path, target: Path) -> Path | None:
    """Pack a folder that app code could write: links are left out, and nothing at all when it is larger than 300 MB."""
    if folder.is_symlink():
        return None
    size = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                file = Path(place, name)
                if file.is_symlink() or not file.is_file():
                    continue
                size += file.stat().st_size
                if size > LARGEST_HTML_BYTES:
                    return None
                archive.write(file, file.relative_to(folder))
    return target if size else None


def read_seen(looked: Looked) -> Seen | None:
    """Return what a coverage check saw, from the file that it left."""
    file = looked.files.get("coverage")
    return Seen.model_validate(json.loads(file.read_bytes())) if file and file.is_file() else None


def figures(looked: Looked) -> dict[str, Any]:
    """Return a check's figures by name, as `history` keeps them (kind "coverage")."""
    return {one.name: one.value for one in looked.check.measures if one.value is not None}
