"""Combine and report coverage data: `python slipway_coverage.py SPEC`, SPEC a JSON file.

    {"config": FILE, "status": FILE, "steps": [
        {"combine": [FILE, ...], "to": FILE},
        {"move": FILE, "to": FILE, "lines": {FILE: [[OLD, NEW], ...]}},     lines that are not named are dropped
        {"json": FILE, "data": FILE, "files": [...]},       also "lcov", "html" (a directory)
    ]}

`files` are all that is reported, whether or not anything imported them. `status` becomes a JSON list with "" for each
step that was done and the reason for each that could not be.
"""

import json
import sys
from typing import Any

import coverage


def combine(config: str, step: dict[str, Any]) -> None:
    # As data_file it would be deleted before it is read, were it among the parts.
    whole = coverage.Coverage(data_file=step["to"], config_file=config)
    whole.combine(step["combine"], strict=True, keep=True)
    whole.save()


def move(step: dict[str, Any]) -> None:
    """Write data again as if each line had another number. Files without `lines` stay as they are."""
    old = coverage.CoverageData(basename=step["move"])
    new = coverage.CoverageData(basename=step["to"])
    old.read()
    for context in sorted(old.measured_contexts()):
        old.set_query_context(context)
        new.set_context(context)
        for path in sorted(old.measured_files()):
            add_moved(old, new, path, step["lines"].get(path))
    new.write()


def add_moved(old: Any, new: Any, path: str, moves: Any) -> None:
    # The end of a function is minus the line where it begins.
    to = {sign * was: sign * now for was, now in moves or () for sign in (1, -1)}
    if old.has_arcs():
        arcs = old.arcs(path) or ()
        if moves is not None:
            arcs = [(to[one], to[other]) for one, other in arcs if one in to and other in to]
        new.add_arcs({path: arcs})
    else:
        lines = old.lines(path) or ()
        new.add_lines({path: lines if moves is None else [to[line] for line in lines if line in to]})
    if tracer := old.file_tracer(path):
        new.add_file_tracers({path: tracer})


def report(config: str, step: dict[str, Any]) -> None:
    measured = coverage.Coverage(data_file=step["data"], config_file=config)
    measured.load()
    if "json" in step:
        measured.json_report(morfs=step["files"], outfile=step["json"])
    if "lcov" in step:
        measured.lcov_report(morfs=step["files"], outfile=step["lcov"])
    if "html" in step:
        measured.html_report(morfs=step["files"], directory=step["html"], show_contexts=True)


def main(where: str) -> None:
    with open(where, encoding="utf-8") as file:
        spec = json.load(file)
    told: list[str] = []
    for step in spec["steps"]:
        try:
            if "move" in step:
                move(step)
            else:
                (combine if "combine" in step else report)(spec["config"], step)
            told.append("")
        except coverage.CoverageException as error:
            told.append(f"{type(error).__name__}: {error}")
    with open(spec["status"], "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(sys.argv[1])
