"""The pages below a run's summary: suites, coverage, load test."""

from collections.abc import Mapping

from settings.pipeline import Pipeline
from tasks.artifacts import show
from tasks.checks.coverage_page import coverage_page
from tasks.checks.past_runs import Past
from tasks.checks.suites_page import suites_page
from tasks.source.workspace import Looked


def show_details(pipeline: Pipeline, found: Mapping[str, Looked], past: Past) -> None:
    """Put the pages into the run's artifacts, remembered results included."""
    suites = {name: found[name] for name in pipeline.suites if name in found}
    if suites:
        show("suites", suites_page(suites), f"{len(suites)} test suites")
    if "coverage" in found:
        looked = found["coverage"]
        show("coverage", coverage_page(looked, past.coverage), f"coverage: {looked.check.outcome}")
    page = found["load"].files.get("page") if "load" in found else None
    if page:
        show("load", page.read_text(encoding="utf-8"), f"load test: {found['load'].check.outcome}")
