"""Combine and report coverage data: `python slipway_coverage.py SPEC`, SPEC a JSON file.

    {"config": FILE, "status": FILE, "steps": [
        {"combine": [FILE, ...], "to": FILE},
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
            (combine if "combine" in step else report)(spec["config"], step)
            told.append("")
        except coverage.CoverageException as error:
            told.append(f"{type(error).__name__}: {error}")
    with open(spec["status"], "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(sys.argv[1])
